#include "trial.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/harness/verify.h>
#include <tensorpath/ops/mutants.h>

namespace tensorpath {
namespace {

// A plain number, and NaN in every floating type: what one hides the other shows. The number first:
// a NaN that came out of padding looks like one that was there before.
constexpr unsigned char kPoisons[2] = {0x5A, 0xFF};
// Failing cases after which a gate has seen enough to say what is wrong.
constexpr int kEnoughFailures = 4;
constexpr int kSteadyCalls = 96;
// Truths of the repeated calls are computed within about this much work; never fewer than these.
constexpr double kSteadyWork = 1 << 26;
constexpr int kLeastSteadyChecks = 24;
constexpr int kSanitizerCases = 6;
// Instrumented code is some ten times slower.
constexpr double kSanitizerPatience = 20;
constexpr std::int64_t kSanitizerFlops = 1 << 22;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A directory of its own under the system's temporary one, gone at the end.
class Scratch {
 public:
  static Expected<Scratch> make(const std::string& wanted) {
    if (!wanted.empty()) {
      if (const Status made = make_directories(wanted); !made) return tl::unexpected(made.error());
      std::error_code error;
      return Scratch(std::filesystem::absolute(wanted, error).string(), false);
    }
    std::string path = (std::filesystem::temp_directory_path() / "tensorpath-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
      return system_failure(ExitCode::kEnvironment, "cannot make directory", path, errno);
    }
    return Scratch(path, true);
  }
  Scratch(Scratch&& other) noexcept
      : path_(std::exchange(other.path_, {})), temporary_(other.temporary_) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty() && temporary_) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Scratch(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}
  std::string path_;
  bool temporary_;
};

class Verification {
 public:
  Verification(const KernelTask& task, const VerifyOptions& options, const Defences& defences,
               const Device& device, const std::string& scratch)
      : task_(task),
        options_(options),
        defences_(defences),
        device_(device),
        bench_{task, candidate_, options, defences, scratch} {}

  Expected<VerifyReport> run(const std::string& directory) {
    const auto start = Clock::now();
    report_.defences_off = defences_.off();
    if (const Status taken = read(directory); !taken) return tl::unexpected(taken.error());
    for (const auto& [gate, work] : {std::pair{Gate::kCompile, &Verification::compile},
                                     {Gate::kObject, &Verification::look_at_object},
                                     {Gate::kSmoke, &Verification::smoke},
                                     {Gate::kHoldout, &Verification::holdout},
                                     {Gate::kSteady, &Verification::steady},
                                     {Gate::kSanitize, &Verification::sanitize},
                                     {Gate::kCleanup, &Verification::clean_up}}) {
      if (const Status passed = enter(gate, work); !passed) return tl::unexpected(passed.error());
    }
    report_.passed = report_.failure == Failure::kNone;
    report_.seconds = seconds_since(start);
    return std::move(report_);
  }

 private:
  using Work = Expected<Refusal> (Verification::*)();

  // The first gate: nothing is compiled, the secret does not exist yet.
  Status read(const std::string& directory) {
    const auto start = Clock::now();
    Refusal refusal;
    auto candidate = read_candidate(directory, task_, refusal);
    if (!candidate) return tl::unexpected(candidate.error());
    candidate_ = std::move(*candidate);
    report_.candidate_digest = candidate_.digest;
    if (refusal.failure == Failure::kNone) refusal = device_.scan_source(bench_);
    if (Status recorded = record(Gate::kContract, refusal, start); !recorded) return recorded;
    return refusal.failure == Failure::kNone ? commit() : Status{};
  }

  // Seed and cases are fixed, and bound by a hash, before the candidate is compiled.
  Status commit() {
    const auto seed = random_key();
    if (!seed) return tl::unexpected(seed.error());
    seed_ = *seed;
    Domain domain = task_.domain;
    if (!defences_.shapes) {
      for (std::size_t i = 0; i < domain.dims.size(); ++i) {
        DimRange& range = domain.dims[i];
        range.least = range.most = std::clamp(task_.op->dims[i].typical, range.least, range.most);
      }
    }
    auto cases = draw_cases(*task_.op, domain, seed_, task_.cases);
    if (!cases) return tl::unexpected(cases.error());
    cases_ = std::move(*cases);
    for (Case& one : cases_) weaken(one);
    report_.case_count = static_cast<int>(cases_.size());
    report_.seed = to_hex(seed_);
    const Json bound = {{"seed", report_.seed},
                        {"cases", tensorpath::to_json(cases_)},
                        {"task", sha256_hex(task_text(task_))},
                        {"operator", task_.op->digest},
                        {"candidate", candidate_.digest}};
    report_.commitment = sha256_hex(to_line(bound));
    return options_.on_commit ? options_.on_commit(report_.commitment) : Status{};
  }

  void weaken(Case& one) const {
    if (!defences_.regimes) one.regime = Regime::kNormal;
    if (!defences_.layouts) one.strided = one.offset = false;
  }

  // A gate after a failed one is listed as not run; what it left is cleaned up all the same.
  Status enter(Gate gate, Work work) {
    const auto start = Clock::now();
    if (report_.failure != Failure::kNone && gate != Gate::kCleanup) {
      report_.gates.push_back({gate, GateReport::Status::kNotRun, Failure::kNone, {}, 0});
      return {};
    }
    const auto refusal = (this->*work)();
    if (!refusal) return tl::unexpected(refusal.error());
    if (skipped_) {
      skipped_ = false;
      report_.gates.push_back({gate, GateReport::Status::kNotRun, Failure::kNone, refusal->detail,
                               seconds_since(start)});
      return options_.on_gate ? options_.on_gate(report_.gates.back()) : Status{};
    }
    return record(gate, *refusal, start);
  }

  Status record(Gate gate, const Refusal& refusal, Clock::time_point start) {
    const bool failed = refusal.failure != Failure::kNone;
    report_.gates.push_back({gate,
                             failed ? GateReport::Status::kFailed : GateReport::Status::kPassed,
                             refusal.failure, refusal.detail, seconds_since(start)});
    if (failed && report_.failure == Failure::kNone) {
      report_.failure = refusal.failure;
      report_.detail = refusal.detail;
    }
    return options_.on_gate ? options_.on_gate(report_.gates.back()) : Status{};
  }

  Expected<Refusal> compile() {
    auto built = device_.build(bench_, Build::kPlain);
    if (!built) return tl::unexpected(built.error());
    built_ = std::move(*built);
    report_.toolchain = built_.toolchain;
    note_level(built_.level, built_.level_reason);
    return built_.refusal;
  }

  Expected<Refusal> look_at_object() { return device_.scan_object(bench_, built_); }

  void note_level(SandboxLevel level, const std::string& reason) {
    if (report_.sandbox_reason.empty() || level < report_.sandbox) {
      report_.sandbox = level;
      report_.sandbox_reason = reason;
    }
  }

  Expected<Session*> session(std::size_t index) {
    if (!sessions_[index]) {
      auto started = device_.start(bench_, built_, Build::kPlain);
      if (!started) return tl::unexpected(started.error());
      note_level((*started)->level(), (*started)->level_reason());
      sessions_[index] = std::move(*started);
    }
    return sessions_[index].get();
  }

  Placing placing_of(std::size_t index, std::uint64_t salt) const {
    Placing placing;
    placing.flush_end = index == 0;
    placing.poison = kPoisons[index % 2];
    placing.placement = salt * 2 + index;
    placing.schedule = salt * 7919 + index;
    return placing;
  }

  Expected<Judged> run_once(const Trial& trial, std::size_t index, const Placing& placing) {
    const auto spec = call_of(bench_, trial, placing);
    if (!spec) {
      Judged judged;
      judged.refusal = {Failure::kPlanInvalid, spec.error().to_string()};
      return judged;
    }
    const auto to = session(index);
    if (!to) return tl::unexpected(to.error());
    const auto result = (*to)->call(*spec);
    if (!result) return tl::unexpected(result.error());
    return judge(bench_, trial, placing, *result);
  }

  void count(const ElementComparison& comparison) {
    report_.elements += comparison.elements;
    if (std::isfinite(comparison.worst)) report_.worst = std::max(report_.worst, comparison.worst);
    report_.worst_ulp = std::max(report_.worst_ulp, comparison.worst_ulp);
    for (std::size_t i = 0; i < report_.ulp_histogram.size(); ++i) {
      report_.ulp_histogram[i] += comparison.ulp_histogram[i];
    }
  }

  Expected<Refusal> smoke() {
    const auto cases = smoke_cases(*task_.op, task_.domain);
    if (!cases) return tl::unexpected(cases.error());
    for (Case one : *cases) {
      weaken(one);
      const auto trial = make_trial(bench_, one);
      if (!trial) return tl::unexpected(trial.error());
      const auto judged = run_once(*trial, 0, placing_of(0, static_cast<std::uint64_t>(one.id)));
      if (!judged) return tl::unexpected(judged.error());
      if (judged->refusal.failure == Failure::kNone) continue;
      show_counter_example(*trial, *judged);
      return Refusal{judged->refusal.failure,
                     fmt::format("public case {}: {}", describe(one), judged->refusal.detail)};
    }
    return Refusal{};
  }

  void show_counter_example(const Trial& trial, const Judged& judged) {
    if (judged.comparison.mismatches.empty()) return;
    report_.suspected_cause = suspect(bench_, trial, judged.written);
    const Mismatch& worst = judged.comparison.mismatches.front();
    report_.counter_examples.push_back(
        {describe(trial.one), task_.op->outputs[static_cast<std::size_t>(worst.output)].name,
         worst.index, worst.got, worst.expected, worst.allowed});
  }

  // Each hidden case in two processes: guard pages behind and before, two poisons, other places.
  Expected<Refusal> holdout() {
    if (!defences_.holdout) return skip("switched off");
    Refusal first;
    int failures = 0;
    const Trial* failing = nullptr;
    for (const Case& one : cases_) {
      auto trial = make_trial(bench_, one);
      if (!trial) return tl::unexpected(trial.error());
      std::vector<TensorData> before;
      for (std::size_t index = 0; index < 2; ++index) {
        const std::uint64_t salt = salted(fmt::format("case {}", one.id));
        auto judged = run_once(*trial, index, placing_of(index, salt));
        if (!judged) return tl::unexpected(judged.error());
        count(judged->comparison);
        if (judged->refusal.failure != Failure::kNone) {
          ++failures;
          if (first.failure == Failure::kNone) {
            first = judged->refusal;
            if (!judged->written.empty())
              report_.suspected_cause = suspect(bench_, *trial, judged->written);
            failing_ = std::move(*trial);
            failing = &*failing_;
          }
          break;
        }
        if (index == 0) {
          before = std::move(judged->written);
        } else if (!same_bytes(before, judged->written)) {
          report_.deterministic = false;
        }
      }
      ++report_.cases;
      const bool dead = first.failure != Failure::kNone && !is_about_results(first.failure);
      if (dead || failures >= kEnoughFailures) break;
    }
    if (failing == nullptr) return Refusal{};
    if (is_about_results(first.failure)) {
      if (const Status found = look_for_public_example(failing->one); !found) {
        return tl::unexpected(found.error());
      }
    }
    // Nothing of the hidden case itself: its class of failure and how far off.
    return Refusal{first.failure, first.detail};
  }

  static bool same_bytes(const std::vector<TensorData>& a, const std::vector<TensorData>& b) {
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
      if (a[i].bits != b[i].bits) return false;
    }
    return true;
  }

  static bool is_about_results(Failure failure) {
    return failure == Failure::kNotWritten || failure == Failure::kWrongResult ||
           failure == Failure::kWrongClass || failure == Failure::kPrecision ||
           failure == Failure::kInvariantBroken;
  }

  std::uint64_t salted(const std::string& label) const {
    const Key key = derive_key(seed_, label);
    std::uint64_t salt = 0;
    for (int i = 0; i < 6; ++i) salt = salt << 8U | key[static_cast<std::size_t>(i)];
    return salt;
  }

  // The same kind of contents and layout at the public shapes, smallest first, with public
  // contents.
  Status look_for_public_example(const Case& hidden) {
    auto cases = smoke_cases(*task_.op, task_.domain);
    if (!cases) return tl::unexpected(cases.error());
    for (Case& one : *cases) {
      one.regime = hidden.regime;
      one.strided = hidden.strided;
      one.offset = hidden.offset;
      one.zipf = hidden.zipf;
      const auto trial = make_trial(bench_, one);
      if (!trial) return tl::unexpected(trial.error());
      const auto judged = run_once(*trial, 0, placing_of(0, 1));
      if (!judged) return tl::unexpected(judged.error());
      if (judged->comparison.mismatches.empty()) continue;
      const std::string cause = report_.suspected_cause;
      show_counter_example(*trial, *judged);
      if (report_.suspected_cause.empty()) report_.suspected_cause = cause;
      return {};
    }
    return {};
  }

  // One shape again and again in one process, as a benchmark or a server calls it.
  Expected<Refusal> steady() {
    if (!defences_.steady || !defences_.holdout) return skip("switched off");
    const Case base = steady_case();
    const double flops = std::max<double>(flops_of(base), 1);
    const auto checks =
        std::clamp(static_cast<int>(kSteadyWork / flops), kLeastSteadyChecks, kSteadyCalls);
    Random random(derive_key(seed_, "steady"));
    std::optional<Trial> trial;
    sessions_[2].reset();
    for (int i = 0; i < kSteadyCalls; ++i) {
      if (!trial || defences_.fresh_contents) {
        Case one = base;
        one.key = derive_key(seed_, fmt::format("steady {}", i));
        auto made = make_trial(bench_, one);
        if (!made) return tl::unexpected(made.error());
        trial = std::move(*made);
      }
      Placing placing = placing_of(2, 0);
      placing.poison = kPoisons[static_cast<std::size_t>(random.between(0, 1))];
      if (random.chance(0.5)) placing.placement = random.bits() >> 16U;
      placing.schedule = random.bits();
      const bool checked = random.chance(static_cast<double>(checks) / kSteadyCalls);
      auto judged = run_once(*trial, 2, placing);
      if (!judged) return tl::unexpected(judged.error());
      const bool results = is_about_results(judged->refusal.failure);
      if (results && !checked && i > 2) continue;
      if (judged->refusal.failure == Failure::kNone) continue;
      return results ? Refusal{Failure::kStateDependent,
                               fmt::format("right at first, wrong when called again: {}",
                                           judged->refusal.detail)}
                     : judged->refusal;
    }
    return Refusal{};
  }

  double flops_of(const Case& one) const {
    const auto flops = task_.op->flops.evaluate(symbols_of(*task_.op, task_.domain, one));
    return flops ? static_cast<double>(*flops) : 0;
  }

  // An ordinary case that is cheap to check, and not the very smallest.
  Case steady_case() const {
    std::vector<const Case*> sorted;
    for (const Case& one : cases_) sorted.push_back(&one);
    std::sort(sorted.begin(), sorted.end(),
              [this](const Case* a, const Case* b) { return flops_of(*a) < flops_of(*b); });
    Case chosen = *sorted[sorted.size() / 3];
    chosen.regime = Regime::kNormal;
    return chosen;
  }

  Expected<Refusal> skip(const std::string& why) {
    skipped_ = true;
    return Refusal{Failure::kNone, why};
  }

  // A few cheap cases of different kinds in builds that watch every access.
  Expected<Refusal> sanitize() {
    if (!options_.sanitizers || !defences_.sanitizers) return skip("switched off");
    const std::vector<Build> builds = device_.instrumented(bench_);
    if (builds.empty()) return skip("there is no sanitizer for this device on this machine");
    for (const Build build : builds) {
      const auto built = device_.build(bench_, build);
      if (!built) return tl::unexpected(built.error());
      if (built->refusal.failure != Failure::kNone) {
        return Refusal{Failure::kSanitizer,
                       "it does not compile under the sanitizer: " + built->refusal.detail};
      }
      auto session = device_.start(bench_, *built, build);
      if (!session) return tl::unexpected(session.error());
      for (const Case& one : sanitizer_cases()) {
        const auto refusal = watch(**session, one);
        if (!refusal) return tl::unexpected(refusal.error());
        if (refusal->failure != Failure::kNone) return *refusal;
      }
      const Refusal left = (*session)->finish();
      if (left.failure != Failure::kNone) return left;
    }
    return Refusal{};
  }

  Expected<Refusal> watch(Session& session, const Case& one) {
    Trial trial;
    trial.one = one;
    auto data = materialise(*task_.op, task_.domain, one);
    if (!data) return tl::unexpected(data.error());
    trial.data = std::move(*data);
    auto spec = call_of(bench_, trial, placing_of(0, salted("sanitizer")));
    if (!spec) return tl::unexpected(spec.error());
    spec->limit_s *= kSanitizerPatience;
    const auto result = session.call(*spec);
    if (!result) return tl::unexpected(result.error());
    return result->refusal;
  }

  std::vector<Case> sanitizer_cases() const {
    std::vector<Case> chosen;
    std::set<std::pair<Regime, bool>> seen;
    std::vector<Case> sorted = cases_;
    std::sort(sorted.begin(), sorted.end(),
              [this](const Case& a, const Case& b) { return flops_of(a) < flops_of(b); });
    for (const Case& one : sorted) {
      if (chosen.size() >= kSanitizerCases) break;
      const bool cheap = flops_of(one) <= kSanitizerFlops || chosen.size() < 2;
      if (cheap && seen.insert({one.regime, one.strided}).second) chosen.push_back(one);
    }
    // The largest of the cheap ones too: more than one task for the pool.
    const auto large = std::find_if(sorted.rbegin(), sorted.rend(), [this](const Case& one) {
      return flops_of(one) <= kSanitizerFlops;
    });
    if (large != sorted.rend()) chosen.push_back(*large);
    return chosen;
  }

  Expected<Refusal> clean_up() {
    Refusal first;
    for (auto& session : sessions_) {
      if (!session) continue;
      const Refusal left = session->finish();
      session.reset();
      if (first.failure == Failure::kNone) first = left;
    }
    // After another failure a worker may have been ended in the middle of something.
    return report_.failure == Failure::kNone || first.failure == Failure::kLeftover ? first
                                                                                    : Refusal{};
  }

  const KernelTask& task_;
  const VerifyOptions& options_;
  const Defences& defences_;
  const Device& device_;
  KernelCandidate candidate_;
  Bench bench_;
  Key seed_{};
  std::vector<Case> cases_;
  Built built_;
  std::array<std::unique_ptr<Session>, 3> sessions_;
  std::optional<Trial> failing_;
  bool skipped_ = false;
  VerifyReport report_;
};

}  // namespace

Expected<VerifyReport> verify_with(const KernelTask& task, const std::string& candidate_directory,
                                   const VerifyOptions& options, const Defences& defences) {
  const auto device = make_device(task.device);
  if (!device) return tl::unexpected(device.error());
  const auto scratch = Scratch::make(options.scratch);
  if (!scratch) return tl::unexpected(scratch.error());
  return Verification(task, options, defences, **device, scratch->path()).run(candidate_directory);
}

Expected<VerifyReport> verify(const KernelTask& task, const std::string& candidate_directory,
                              const VerifyOptions& options) {
  return verify_with(task, candidate_directory, options, Defences{});
}

}  // namespace tensorpath
