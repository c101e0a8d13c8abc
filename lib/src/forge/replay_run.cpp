#include "harness/scratch.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/quote.h>
#include <tensorpath/forge/attempt_state.h>
#include <tensorpath/forge/bench_run.h>
#include <tensorpath/forge/packet_run.h>
#include <tensorpath/forge/replay_run.h>
#include <tensorpath/harness/ceilings.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kCandidate = "candidate/";
// Two timings of one thing in two sessions may lie this far apart, beside what their intervals say.
constexpr double kBetweenSessions = 0.03;

std::string text_at(const Json& object, const char* pointer) {
  const Json& value = object.at(Json::json_pointer(pointer));
  return value.is_string() ? value.get<std::string>() : std::string();
}

class Replayer {
 public:
  Replayer(std::string directory, const ReplayOptions& options)
      : directory_(std::move(directory)), options_(options) {}

  Expected<Replay> run() {
    auto check = check_packet(directory_, options_.trusted,
                              options_.recompute ? options_.recompute : recompute_packet);
    if (!check) return tl::unexpected(check.error());
    out_.check = std::move(*check);
    if (options_.level == ReplayLevel::kCheck) return std::move(out_);
    if (out_.check.verdict != PacketVerdict::kReproduced) {
      out_.notes.emplace_back("nothing of it was run: it was not found whole");
      return std::move(out_);
    }
    if (Status ran = run_levels(); !ran) return tl::unexpected(ran.error());
    for (const PacketFinding& one : out_.check.findings) {
      out_.check.verdict = std::max(out_.check.verdict, one.verdict);
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] const Json& predicate() const { return out_.check.predicate; }

  void find(PacketVerdict verdict, std::string where, std::string what) {
    out_.check.findings.push_back({verdict, std::move(where), std::move(what)});
  }
  void note(std::string text) { out_.notes.push_back(std::move(text)); }
  void say(const std::string& step) const {
    if (options_.on_step) options_.on_step(step);
  }

  // A stale packet may hold for all that.
  [[nodiscard]] bool still_holds() const {
    const auto& all = out_.check.findings;
    return std::all_of(all.begin(), all.end(),
                       [](const auto& one) { return one.verdict <= PacketVerdict::kStale; });
  }

  // What the machine lacks is a verdict on the machine; other errors are ours.
  Status not_runnable(const char* where, const Error& error) {
    if (error.exit_code != ExitCode::kEnvironment) return tl::unexpected(error);
    find(PacketVerdict::kNotRunnableHere, where, error.diagnostics.front().message);
    return {};
  }

  Status run_levels() {
    if (text_at(predicate(), "/packet/kind") != "kernel") {
      note("there is no kernel in it to run");
      return {};
    }
    const auto outcome = find_event(text_at(predicate(), "/packet/outcome"));
    // A rejection by a timing came after a verdict that holds.
    holds_ = outcome && (holds_verdict(*outcome) || rejected_in_timing());
    if (!outcome || (!holds_ && *outcome != LedgerEvent::kRejected)) {
      note("nothing was run: the attempt has no verdict to come to again");
      return {};
    }
    const auto task = read_task_here();
    if (!task) return tl::unexpected(task.error());
    if (!*task) return {};
    auto scratch = Scratch::make({});
    if (!scratch) return tl::unexpected(scratch.error());
    const auto candidate = lay_out_candidate(scratch->path());
    if (!candidate) return tl::unexpected(candidate.error());
    if (Status again = verify_again(**task, *candidate); !again) return again;
    if (options_.level != ReplayLevel::kBench || !still_holds()) return {};
    return time_again(**task, *candidate);
  }

  [[nodiscard]] bool rejected_in_timing() const {
    const Json& gates = predicate().at("validation").at("gates");
    return text_at(predicate(), "/packet/outcome") == event_name(LedgerEvent::kRejected) &&
           !gates.empty() && std::none_of(gates.begin(), gates.end(), [](const Json& gate) {
             return gate.at("status") == "failed";
           });
  }

  // The task, where this tool and this machine have what it takes; else a finding says what not.
  Expected<std::optional<KernelTask>> read_task_here() {
    const std::string file = path_join(directory_, "task.yaml");
    const auto text = read_file(file);
    if (!text) return tl::unexpected(text.error());
    const std::string op = text_at(predicate(), "/task/op");
    if (!options_.operators->find(op)) {
      find(PacketVerdict::kNotRunnableHere, "task.yaml",
           fmt::format("the operator {} is not here; --ops names those of your own",
                       quote_input(op)));
      return std::nullopt;
    }
    auto task = read_task(*text, file, *options_.operators);
    if (!task) {
      find(PacketVerdict::kStale, "task.yaml", task.error().diagnostics.front().message);
      return std::nullopt;
    }
    if (task->op->digest != text_at(predicate(), "/task/operator_digest")) {
      find(PacketVerdict::kStale, "operator.yaml",
           fmt::format("the operator {} is defined otherwise here", op));
      return std::nullopt;
    }
    if (const std::string missing = missing_here(*task); !missing.empty()) {
      find(PacketVerdict::kNotRunnableHere, "task.yaml", missing);
      return std::nullopt;
    }
    return std::move(*task);
  }

  [[nodiscard]] static std::string missing_here(const KernelTask& task) {
    if (task.device != DeviceKind::kHost) return {};  // verify says so
    const auto levels = host_levels();
    const auto rank = [&](const std::string& name) {
      return std::find(levels.begin(), levels.end(), name) - levels.begin();
    };
    if (rank(task.architecture) <= rank(host_level())) return {};
    return fmt::format("it is for {}, and this processor is {}", task.architecture, host_level());
  }

  Expected<std::string> lay_out_candidate(const std::string& scratch) {
    const std::string to = path_join(scratch, "candidate");
    if (Status made = make_directories(to); !made) return tl::unexpected(made.error());
    for (const Json& file : predicate().at("candidate").at("files")) {
      const auto path = file.at("path").get<std::string>();
      const auto contents = read_file(path_join(directory_, path));
      if (!contents) return tl::unexpected(contents.error());
      // Between the check and now it may have been changed.
      if (sha256_hex(*contents) != file.at("digest")) {
        return fail(ExitCode::kAnswerIsNo, fmt::format("{} changed while it was read", path));
      }
      const std::string name = path.substr(kCandidate.size());
      if (Status written = write_file_atomic(path_join(to, name), *contents); !written) {
        return tl::unexpected(written.error());
      }
    }
    return to;
  }

  Status verify_again(const KernelTask& task, const std::string& candidate) {
    VerifyOptions options = options_.verify;
    const Json& security = predicate().at("security");
    if (security.is_object()) {
      const Json& left_out = security.at("gates_left_out");
      options.sanitizers = std::find(left_out.begin(), left_out.end(),
                                     std::string(name_of(Gate::kSanitize))) == left_out.end() ||
                           !holds_;
    }
    const std::string seed = text_at(predicate(), "/validation/seed");
    options.revealed_seed = key_from_hex(seed);
    say("the cases that the seed reveals");
    auto report = verify(task, candidate, options);
    if (!report) return not_runnable("validation", report.error());
    compare(*report, seed);
    out_.verified.push_back({true, std::move(*report)});
    for (int i = 0; holds_ && i < options_.seeds && still_holds(); ++i) {
      say(fmt::format("fresh cases, {} of {}", i + 1, options_.seeds));
      options.revealed_seed.reset();
      auto fresh = verify(task, candidate, options);
      if (!fresh) return not_runnable("validation", fresh.error());
      if (!fresh->passed) {
        find(PacketVerdict::kDrifted, "validation",
             fmt::format("it does not hold on the cases of the fresh seed {}: {}", fresh->seed,
                         name_of(fresh->failure)));
      }
      out_.verified.push_back({false, std::move(*fresh)});
    }
    return {};
  }

  // What the gates say now beside what the packet says they said.
  void compare(const VerifyReport& report, const std::string& seed) {
    const Json& validation = predicate().at("validation");
    const std::string toolchain = predicate().at("environment").is_null()
                                      ? std::string()
                                      : text_at(predicate(), "/environment/toolchain");
    if (!toolchain.empty() && !report.toolchain.empty() && report.toolchain != toolchain) {
      note(fmt::format("built by {}; the packet's was built by {}", report.toolchain,
                       quote_untrusted(toolchain)));
    }
    if (!seed.empty() && report.commitment != text_at(predicate(), "/validation/commitment")) {
      find(PacketVerdict::kStale, "validation",
           "this version draws other cases from that seed than the one that judged it");
    }
    const std::string was = holds_ ? std::string() : text_at(validation, "/failure_class");
    const std::string is = report.passed ? std::string() : std::string(name_of(report.failure));
    if (was != is) {
      const auto words = [](const std::string& failure) {
        return failure.empty() ? std::string("held") : failure;
      };
      find(PacketVerdict::kDrifted, "validation",
           fmt::format("on the revealed cases it was {} and is {}", words(was), words(is)));
      return;
    }
    const Json& cases = validation.at("cases");
    if (holds_ &&
        (cases.at("compared") != report.cases || cases.at("elements") != report.elements)) {
      find(PacketVerdict::kStale, "validation",
           fmt::format("{} cases and {} elements were compared, and are {} and {} now",
                       to_line(cases.at("compared")), to_line(cases.at("elements")), report.cases,
                       report.elements));
    }
  }

  Status time_again(const KernelTask& task, const std::string& candidate) {
    const Json& performance = predicate().at("performance");
    if (performance.is_null()) {
      note("nothing was timed: the packet has no times");
      return {};
    }
    const Json& pooled = performance.at("promotion");
    const Json& said = pooled.is_null() ? performance.at("runs").back() : pooled;
    const Json& machine = predicate().at("environment").at("machine");
    const std::string processor = machine.value("processor", std::string());
    if (task.device == DeviceKind::kHost && processor != host_processor()) {
      find(PacketVerdict::kNotRunnableHere, "performance",
           fmt::format("its times are of another processor than this one ({}): {}",
                       host_processor(), quote_untrusted(processor)));
      return {};
    }
    if (said.at("ratio").is_null()) {
      note("nothing was timed again: the packet has no ratio to come to");
      return {};
    }
    BenchOptions options = options_.bench;
    if (const auto cores = machine.find("worker_cores"); cores != machine.end()) {
      options.threads = static_cast<int>(cores->size());
    }
    say("timing");
    auto report = bench(task, candidate, find_baselines(task, options_.baselines), options);
    if (!report) return not_runnable("performance", report.error());
    out_.timed = true;
    out_.timing = std::move(*report);
    compare_times(said);
    return {};
  }

  void compare_times(const Json& said) {
    const BenchReport& now = out_.timing;
    const auto number = [&](const char* key) { return said.at("ratio").at(key).get<double>(); };
    if (now.failure != Failure::kNone) {
      find(PacketVerdict::kDrifted, "performance",
           fmt::format("a timed call does not hold: {}", name_of(now.failure)));
      return;
    }
    for (const TimedArm& arm : now.timing.plan.arms) {
      if (arm.absent.empty() || !was_present(arm.name)) continue;
      find(PacketVerdict::kNotRunnableHere, "performance",
           fmt::format("the baseline {} is not here: {}", arm.name, arm.absent));
      return;
    }
    if (now.timing.statistic.dropped_share() > kMostDropped ||
        now.timing.statistic.ratio.value <= 0) {
      find(PacketVerdict::kNotRunnableHere, "performance",
           fmt::format("{:.0f}% of the pairs were disturbed by something else on this machine",
                       100 * now.timing.statistic.dropped_share()));
      return;
    }
    const Interval& ratio = now.timing.statistic.ratio;
    if (ratio.low <= number("high") * (1 + kBetweenSessions) &&
        ratio.high >= number("low") * (1 - kBetweenSessions)) {
      return;
    }
    find(PacketVerdict::kDrifted, "performance",
         fmt::format("the ratio was {:.3f} [{:.3f}, {:.3f}] and is {:.3f} [{:.3f}, {:.3f}]",
                     number("value"), number("low"), number("high"), ratio.value, ratio.low,
                     ratio.high));
  }

  [[nodiscard]] bool was_present(const std::string& arm) const {
    const Json& arms = predicate().at("performance").at("runs").back().at("plan").at("arms");
    return std::any_of(arms.begin(), arms.end(), [&](const Json& one) {
      return one.at("name") == arm && !one.contains("absent");
    });
  }

  std::string directory_;
  const ReplayOptions& options_;
  bool holds_ = false;  // what the packet says of the gates
  Replay out_;
};

}  // namespace

std::string_view name_of(ReplayLevel level) {
  constexpr std::array<std::string_view, 3> kNames = {"check", "verify", "bench"};
  return kNames[static_cast<std::size_t>(level)];
}

Expected<Replay> replay_packet(const std::string& directory, const ReplayOptions& options) {
  return Replayer(directory, options).run();
}

}  // namespace tensorpath::forge
