// tensorpath forge summary: how all runs ended, and how their ratios lie.
#include "forge_options.h"

#include <fmt/format.h>

#include <tensorpath/forge/run_set.h>

namespace tensorpath::cli {
namespace {

Table runs_table(const forge::RunSet& set) {
  Table table({{"run", Column::Align::kLeft, 2},
               {"operator", Column::Align::kLeft, 3},
               {"where it stands", Column::Align::kLeft, 2},
               {"decision", Column::Align::kLeft, 4},
               {"baseline / candidate", Column::Align::kLeft, 5}});
  for (const forge::RunResult& one : set.results) {
    table.add_row({one.run_id, one.op, forge::state_sentence(one.state), one.decision,
                   one.ratio ? fmt::format("{:.3f} [{:.3f}, {:.3f}]", one.ratio->value,
                                           one.ratio->low, one.ratio->high)
                             : std::string()});
  }
  return table;
}

std::string distribution_text(const forge::RunSet& set) {
  const forge::RatioDistribution all = set.distribution();
  std::string text = fmt::format("{} run{} with a candidate, {} of them timed\n", all.runs,
                                 all.runs == 1 ? "" : "s", all.timed);
  if (all.runs > 0) {
    text += "share of runs whose ratio has a lower end above";
    for (std::size_t i = 0; i < forge::kShareRatios.size(); ++i) {
      text += fmt::format("{} {:g}: {:.0f}%", i == 0 ? "" : ",", forge::kShareRatios[i],
                          100 * all.shares[i]);
    }
    text += "\n";
  }
  if (all.timed > 0) {
    text += fmt::format(
        "ratios of those timed: geometric mean {:.3f}, median {:.3f}, worst {:.3f}, "
        "best {:.3f}\n",
        all.geomean, all.median, all.worst, all.best);
  }
  for (const std::string& id : set.unreadable) {
    text += fmt::format("not counted, its ledger cannot be read: {}\n", id);
  }
  return text;
}

ExitCode run_summary(const Session& session, const ForgeOptions& options) {
  const auto set = forge::read_run_set(forge::runs_root(options.runs), options.request.op);
  if (!set) return report(set.error());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    print_document(session, set->to_json());
    return ExitCode::kDone;
  }
  if (!set->results.empty()) print_table(session, runs_table(*set));
  if (session.format == OutputFormat::kTable) {
    print(wrap_text(distribution_text(*set), session.terminal_width()));
  }
  return ExitCode::kDone;
}

}  // namespace

void add_forge_summary(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* command = group.add_subcommand("summary", "Say how all runs ended, and how fast");
  command->add_option("--op", options->request.op, "Only runs of this operator")->type_name("NAME");
  add_shared_options(*command, session, *options);
  command->callback([&session, options] {
    session.run = [&session, options] { return run_summary(session, *options); };
  });
}

}  // namespace tensorpath::cli
