// tensorpath forge profile: what is known of an attempt's speed, by where it comes from.
#include "forge_options.h"

#include <fmt/format.h>

#include <tensorpath/forge/attempt_profile.h>

namespace tensorpath::cli {
namespace {

ExitCode run_profile(const Session& session, const ForgeOptions& options) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto run = forge::RunDirectory::open(forge::runs_root(options.runs), options.run_id);
  if (!run) return report(run.error());
  const auto profile = forge::profile_attempt(*run, *operators, options.attempt);
  if (!profile) return report(profile.error());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json document = {{"run_id", run->id()}};
    document.update(profile->to_json());
    print_document(session, document);
    return ExitCode::kDone;
  }
  Table table({{"section", Column::Align::kLeft, 3},
               {"finding", Column::Align::kLeft, 2},
               {"what was seen", Column::Align::kLeft, 3}});
  const auto add = [&](const char* section, const std::vector<forge::ProfileFinding>& findings) {
    for (const forge::ProfileFinding& one : findings) {
      table.add_row({section, one.name, one.words});
    }
  };
  add("framework", profile->framework);
  add("runtime", profile->runtime);
  add("emitted code", profile->emitted_code);
  for (const forge::NotMeasured& one : profile->not_measured) {
    table.add_row({"not measured", one.what, one.why});
  }
  print_table(session, table);
  if (session.format == OutputFormat::kTable) print("\n" + profile->state + "\n");
  return ExitCode::kDone;
}

}  // namespace

void add_forge_profile(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* command = group.add_subcommand("profile", "Say what is known of an attempt's speed");
  add_run_option(*command, *options);
  command->add_option("--attempt", options->attempt, "Default: the latest")
      ->check(CLI::Range(1, 1'000'000));
  add_shared_options(*command, session, *options);
  command->callback([&session, options] {
    session.run = [&session, options] { return run_profile(session, *options); };
  });
}

}  // namespace tensorpath::cli
