// tensorpath deploy: the launch files of one plan.
#include "command.h"

#include <fmt/format.h>

#include <tensorpath/deploy.h>

namespace tensorpath::cli {
namespace {

struct DeployOptions {
  std::string plan;
  int rank = 1;
  std::string out = "deploy";
  std::string engine_release;
  std::string print;
  bool force = false;
};

// Diagnostics of a plan have no line; the file is the next best place.
Error with_file(Error error, const std::string& file) {
  for (Diagnostic& diagnostic : error.diagnostics) {
    if (diagnostic.where.file.empty()) diagnostic.where.file = file;
  }
  return error;
}

ExitCode print_file(const std::vector<ExportedFile>& files, const std::string& path) {
  std::vector<std::string> names;
  for (const ExportedFile& file : files) {
    if (file.path == path) {
      print(file.contents);
      return ExitCode::kDone;
    }
    names.push_back(file.path);
  }
  return report(fail(ExitCode::kUsage, fmt::format("the export has no file '{}'", path),
                     suggestion(path, names))
                    .value());
}

void print_list(const Session& session, const DeployOptions& options,
                const std::vector<ExportedFile>& files) {
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json list = Json::array();
    for (const ExportedFile& file : files) {
      list.push_back({{"path", path_join(options.out, file.path)},
                      {"bytes", file.contents.size()},
                      {"executable", file.executable}});
    }
    print_document(session, {{"directory", options.out}, {"files", list}});
    return;
  }
  Table table({{"file", Column::Align::kLeft, 9},
               {"bytes", Column::Align::kRight, 1},
               {"run it", Column::Align::kLeft, 0}});
  for (const ExportedFile& file : files) {
    table.add_row({path_join(options.out, file.path), std::to_string(file.contents.size()),
                   file.executable ? "yes" : ""});
  }
  print_table(session, table);
}

ExitCode deploy(const Session& session, const DeployOptions& options) {
  const auto document = read_json_file(options.plan);
  if (!document) return report(document.error());
  auto catalog = session.load_catalog();
  if (!catalog) return report(catalog.error());
  const auto files = export_plan(*document, options.rank, *catalog, session.search_path(),
                                 {options.engine_release});
  const std::string source = options.plan == "-" ? "standard input" : options.plan;
  if (!files) return report(with_file(files.error(), source));
  if (!options.print.empty()) return print_file(*files, options.print);
  if (auto written = write_export(*files, options.out, options.force); !written) {
    return report(written.error());
  }
  print_list(session, options, *files);
  return ExitCode::kDone;
}

}  // namespace

void add_deploy(CLI::App& app, Session& session) {
  auto options = std::make_shared<DeployOptions>();
  CLI::App* command = app.add_subcommand("deploy", "Write the files that launch a plan");
  command->add_option("PLAN", options->plan, "plan.json of `recommend --out`; - is standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("--rank", options->rank, "Which plan of the file")->capture_default_str();
  command->add_option("--out", options->out, "Directory to write; it must be new or empty")
      ->type_name("DIR")
      ->capture_default_str();
  command->add_option("--engine-release", options->engine_release,
                      "Export for this release of the engine in place of the plan's");
  command->add_flag("--force", options->force, "Replace a directory that is not empty");
  command->add_option("--print", options->print, "Print this one file and write none")
      ->type_name("FILE");
  add_format_option(*command, session);
  command->callback([options, &session] {
    session.run = [options, &session] { return deploy(session, *options); };
  });
}

}  // namespace tensorpath::cli
