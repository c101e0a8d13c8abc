// tensorpath forge export: a promoted kernel as a drop-in for other programs.
#include "forge_options.h"
#include "kernels_here.h"

#include <fmt/format.h>

#include <tensorpath/forge/export.h>

namespace tensorpath::cli {
namespace {

struct ExportOptions {
  std::string id;
  std::string kind;
  std::string output;
  std::vector<std::string> registries;
};

forge::ExportKind kind_of(const std::string& name) {
  const std::vector<std::string> names = forge::export_kind_names();
  const auto found = std::find(names.begin(), names.end(), name);
  return static_cast<forge::ExportKind>(found - names.begin());
}

ExitCode run_export(const Session& session, const ForgeOptions& options,
                    const ExportOptions& wanted) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto loaded = load_registry(session, wanted.registries, true);
  if (!loaded) return report(loaded.error());
  const auto entry = registry::find(loaded->entries, wanted.id);
  if (!entry) return report(entry.error());
  const auto op = operators->find((*entry)->op);
  if (!op) return report(op.error());
  MachineNow now(&*operators);
  const std::vector<std::string> stale = now.stale(**entry);
  forge::ExportRequest request;
  request.kind = kind_of(wanted.kind);
  request.templates = kernel_directories(session, "export");
  request.baselines = kernel_directories(session, "baselines");
  request.sandbox = sandbox_mode(options);
  const auto files = forge::export_kernel(**entry, **op, request);
  if (!files) return report(files.error());
  const std::string directory =
      wanted.output.empty() ? fmt::format("{}-{}", (*entry)->id, wanted.kind) : wanted.output;
  if (const auto written = forge::write_export(directory, *files); !written) {
    return report(written.error());
  }
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json paths = Json::array();
    for (const forge::ExportFile& file : *files) paths.push_back(file.path);
    print_document(session, {{"id", (*entry)->id},
                             {"kind", wanted.kind},
                             {"path", directory},
                             {"files", paths},
                             {"stale", stale}});
    return ExitCode::kDone;
  }
  print(directory + "\n");
  if (session.quiet) return ExitCode::kDone;
  for (const std::string& reason : stale) {
    std::fputs(fmt::format("note: {} is stale here: {}\n", (*entry)->id, reason).c_str(), stderr);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_forge_export(CLI::App& group, Session& session,
                      const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* command = group.add_subcommand("export", "Make a drop-in of a promoted kernel");
  auto wanted = std::make_shared<ExportOptions>();
  command->add_option("id", wanted->id, "The kernel, or the beginning of its id")
      ->type_name("ID")
      ->required();
  command->add_option("--as", wanted->kind, "What to make of it")
      ->check(CLI::IsMember(forge::export_kind_names()))
      ->required();
  command->add_option("-o,--output", wanted->output, "The directory to make; default: ./ID-KIND")
      ->type_name("DIR");
  add_registry_option(*command, wanted->registries);
  add_shared_options(*command, session, *options);
  command->callback([&session, options, wanted] {
    session.run = [&session, options, wanted] { return run_export(session, *options, *wanted); };
  });
}

}  // namespace tensorpath::cli
