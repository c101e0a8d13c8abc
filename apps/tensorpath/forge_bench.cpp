// tensorpath forge bench: time a candidate against baselines.
#include "forge_options.h"

#include <fmt/format.h>

namespace tensorpath::cli {
namespace {

// Those of GPUs; a processor is told apart by no figure of its own.
std::vector<DataSheet> data_sheets_of(const Catalog& catalog) {
  std::vector<DataSheet> sheets;
  for (const Gpu& gpu : catalog.gpus()) {
    if (gpu.vendor == "cpu") continue;
    DataSheet sheet{gpu.name, gpu.architecture, gpu.sm_count, gpu.hbm_bytes, gpu.hbm_bytes_s, {}};
    for (std::size_t i = 0; i < gpu.dense_flop_s.size(); ++i) {
      const auto dtype = static_cast<Dtype>(i);
      if (gpu.has(dtype)) sheet.flops_s.emplace(to_string(dtype), gpu.flop_s(dtype));
    }
    sheets.push_back(std::move(sheet));
  }
  return sheets;
}

std::string interval_text(const Interval& interval) {
  if (interval.value <= 0) return {};
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", interval.value, interval.low, interval.high);
}

std::string microseconds(double seconds) {
  return seconds > 0 ? human_number(seconds * 1e6) : std::string();
}

Table timing_table(const BenchReport& report) {
  Table table({{"case", Column::Align::kLeft, 5},
               {"arm", Column::Align::kLeft, 5},
               {"p50 us", Column::Align::kRight, 5},
               {"p95 us", Column::Align::kRight, 2},
               {"hot us", Column::Align::kRight, 1},
               {"arm / candidate", Column::Align::kLeft, 4}});
  for (std::size_t i = 0; i < report.timing.plan.cases.size(); ++i) {
    const CaseStatistic& one = report.timing.statistic.cases[i];
    for (std::size_t arm = 0; arm < report.timing.plan.arms.size(); ++arm) {
      std::string name = report.timing.plan.arms[arm].name;
      if (arm > 0 && static_cast<int>(arm) == one.strongest) name += " *";
      table.add_row({arm == 0 ? report.timing.plan.cases[i].name : "", name,
                     microseconds(one.cold[arm].p50), microseconds(one.cold[arm].p95),
                     microseconds(one.hot[arm].p50), interval_text(one.ratios[arm])});
    }
  }
  return table;
}

std::string summary_of(const BenchReport& report) {
  if (report.failure != Failure::kNone) {
    return fmt::format("{}: {}\n{}\n", name_of(report.failure), explain(report.failure),
                       report.detail);
  }
  const TimingStatistic& statistic = report.timing.statistic;
  std::string text = fmt::format(
      "{}: {} against the strongest baseline (*), cold, 95% interval; {} rounds of fresh "
      "processes, "
      "{} pairs, {} dropped; {}\n",
      report.timing.word(), statistic.ratio.value > 0 ? interval_text(statistic.ratio) : "no ratio",
      statistic.rounds, statistic.pairs, statistic.dropped, report.stop_reason);
  for (std::size_t i = 0; i < report.timing.rooflines.size(); ++i) {
    const Roofline& roofline = report.timing.rooflines[i];
    if (roofline.floors.physical_us > 0) {
      text +=
          fmt::format("{}: {:.0f}% of what the data sheet of {} allows\n",
                      report.timing.plan.cases[i].name, roofline.physical_percent, report.sheet);
    }
    if (roofline.floors.measured_us <= 0) continue;
    text += fmt::format("{}: {:.0f}% of the roofline{}\n", report.timing.plan.cases[i].name,
                        roofline.percent,
                        roofline.sol_score ? fmt::format(", SOL score {:.2f}", *roofline.sol_score)
                                           : ", no SOL score: the baseline is near the floor");
  }
  if (report.ceilings.is_null()) {
    text += "no roofline: tensorpath devices --calibrate was not run here, or with other threads\n";
  }
  const std::string obstacle = report.obstacle();
  text += obstacle.empty() ? "this timing would carry a promotion; promote measures again\n"
                           : fmt::format("it carries no promotion: {}\n", obstacle);
  for (const TimedArm& arm : report.timing.plan.arms) {
    if (!arm.absent.empty()) {
      text += fmt::format("no baseline {}: {}\n", arm.name, arm.absent);
    } else if (!arm.denominator) {
      text +=
          fmt::format("{} did not pass verify: it is shown, and compared with nothing\n", arm.name);
    }
  }
  return text + fmt::format(
                    "{} timed calls had every element of their outputs checked; an empty "
                    "sample takes {:.1f} us, and an arm stands still {:.1f} us after one\n",
                    report.checked_calls, report.empty_call_us, report.stop_us);
}

ExitCode run_bench(const Session& session, const ForgeOptions& options) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto run = forge::RunDirectory::open(forge::runs_root(options.runs), options.run_id);
  if (!run) return report(run.error());
  const auto bench = bench_options(session, options);
  if (!bench) return report(bench.error());
  const auto benched = forge::bench_run(*run, *operators, options.attempt,
                                        kernel_directories(session, "baselines"), *bench);
  if (!benched) return report(benched.error());
  const bool held = benched->report.failure == Failure::kNone;
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json document = {
        {"run_id", run->id()}, {"attempt", benched->attempt}, {"state", benched->state}};
    document.update(benched->report.to_json());
    print_document(session, document);
  } else {
    print_timing(session, benched->report, benched->state);
  }
  return held ? ExitCode::kDone : ExitCode::kAnswerIsNo;
}

}  // namespace

Expected<BenchOptions> bench_options(const Session& session, const ForgeOptions& options) {
  auto worker = require_worker();
  if (!worker) return tl::unexpected(worker.error());
  BenchOptions bench;
  bench.worker = std::move(*worker);
  bench.sandbox = sandbox_mode(options);
  bench.threads = options.threads;
  bench.stop = options.stop;
  bench.ceilings = ceilings_directory();
  const auto catalog = session.load_catalog();
  if (!catalog) return tl::unexpected(catalog.error());
  bench.sheets = data_sheets_of(*catalog);
  if (!session.quiet) {
    bench.on_step = [](const std::string& step) { std::fputs((step + "\n").c_str(), stderr); };
  }
  return bench;
}

void print_timing(const Session& session, const BenchReport& report, const std::string& state) {
  if (report.failure == Failure::kNone) print_table(session, timing_table(report));
  print("\n" + state + "\n");
  print(wrap_text(summary_of(report), session.terminal_width()));
}

void add_bench_options(CLI::App& command, ForgeOptions& options) {
  command.add_option("--attempt", options.attempt, "Default: the latest that passed every gate")
      ->check(CLI::Range(1, 1'000'000));
  add_time_options(command, options);
}

void add_time_options(CLI::App& command, ForgeOptions& options) {
  command
      .add_option("--threads", options.threads,
                  "Of the pool; default: the cores but one, at most 4")
      ->check(CLI::Range(1, 64));
  command
      .add_option("--rounds", options.stop.most_rounds, "Of fresh processes, at most; 10 at least")
      ->check(CLI::Range(10, 1000));
  command.add_option("--time-limit", options.stop.seconds, "Seconds after which no round begins")
      ->check(CLI::Range(1.0, 86400.0));
}

void add_forge_bench(CLI::App& group, Session& session,
                     const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* bench =
      group.add_subcommand("bench", "Time what passed every gate against its baselines");
  add_run_option(*bench, *options);
  add_bench_options(*bench, *options);
  add_shared_options(*bench, session, *options);
  bench->callback([&session, options] {
    session.run = [&session, options] { return run_bench(session, *options); };
  });
}

}  // namespace tensorpath::cli
