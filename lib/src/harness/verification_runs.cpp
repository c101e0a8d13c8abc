// The gates that run the candidate: public cases, hidden ones, repeated calls, sanitizers.
#include "verification.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <tensorpath/ops/invariants.h>
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
constexpr int kFirstChecks = 3;  // surely: what was right at first is what is said of the rest
constexpr int kSanitizerCases = 6;
// Instrumented code is some ten times slower.
constexpr double kSanitizerPatience = 20;
constexpr std::int64_t kSanitizerFlops = 1 << 22;

// Which of several failing cases names the failure: the one that tells most. Where numbers are odd
// the class may be wrong too, and what is imprecise overflows early.
int weight_of(Failure failure) {
  if (failure == Failure::kWrongClass) return 1;
  return failure == Failure::kPrecision ? 2 : 3;
}

}  // namespace

Expected<Session*> Verification::session(std::size_t index) {
  if (!sessions_[index]) {
    auto started = device_.start(subject_, built_, Build::kPlain);
    if (!started) return tl::unexpected(started.error());
    note_level((*started)->level(), (*started)->level_reason());
    sessions_[index] = std::move(*started);
  }
  return sessions_[index].get();
}

Placing Verification::placing_of(std::size_t index, std::uint64_t salt) const {
  Placing placing;
  placing.flush_end = index == 0;
  placing.poison = kPoisons[index % 2];
  placing.placement = salt * 2 + index;
  placing.schedule = salt * 7919 + index;
  return placing;
}

Expected<Judged> Verification::run_once(const Trial& trial, std::size_t index,
                                        const Placing& placing) {
  const auto spec = call_of(subject_, trial, placing);
  if (!spec) {
    Judged judged;
    judged.refusal = {Failure::kPlanInvalid, spec.error().to_string()};
    return judged;
  }
  const auto to = session(index);
  if (!to) return tl::unexpected(to.error());
  const auto result = (*to)->call(*spec);
  if (!result) return tl::unexpected(result.error());
  return judge(subject_, trial, placing, *result);
}

void Verification::count(const ElementComparison& comparison) {
  report_.elements += comparison.elements;
  if (std::isfinite(comparison.worst)) report_.worst = std::max(report_.worst, comparison.worst);
  report_.worst_ulp = std::max(report_.worst_ulp, comparison.worst_ulp);
  for (std::size_t i = 0; i < report_.ulp_histogram.size(); ++i) {
    report_.ulp_histogram[i] += comparison.ulp_histogram[i];
  }
}

Expected<Refusal> Verification::smoke() {
  const auto cases = smoke_cases(*task_.op, task_.domain);
  if (!cases) return tl::unexpected(cases.error());
  for (Case one : *cases) {
    weaken(one);
    const auto trial = make_trial(subject_, one);
    if (!trial) return tl::unexpected(trial.error());
    const auto judged = run_once(*trial, 0, placing_of(0, static_cast<std::uint64_t>(one.id)));
    if (!judged) return tl::unexpected(judged.error());
    if (judged->refusal.failure == Failure::kNone) continue;
    show_counter_example(*trial, *judged);
    const ElementComparison& compared = judged->comparison;
    const std::string share = compared.wrong == 0 ? std::string{}
                                                  : fmt::format("{} of {} elements are ",
                                                                compared.wrong, compared.elements);
    return Refusal{judged->refusal.failure, fmt::format("public case {}: {}{}", describe(one),
                                                        share, judged->refusal.detail)};
  }
  return Refusal{};
}

void Verification::show_counter_example(const Trial& trial, const Judged& judged) {
  if (judged.comparison.mismatches.empty()) return;
  report_.suspected_cause = suspect(subject_, trial, judged.written);
  const Mismatch& worst = judged.comparison.mismatches.front();
  report_.counter_examples.push_back(
      {describe(trial.one), task_.op->outputs[static_cast<std::size_t>(worst.output)].name,
       worst.index, worst.got, worst.expected, worst.allowed});
}

Expected<Refusal> Verification::holdout() {
  if (!defences_.holdout) return skip("switched off");
  int failures = 0;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    auto trial = hidden_->next();
    if (!trial) return tl::unexpected(trial.error());
    auto judged = run_twice(*trial);
    if (!judged) return tl::unexpected(judged.error());
    ++report_.cases;
    if (judged->refusal.failure == Failure::kNone) continue;
    ++failures;
    if (!failing_ ||
        weight_of(failing_->judged.refusal.failure) < weight_of(judged->refusal.failure)) {
      failing_ = Failing{std::move(*trial), std::move(*judged)};
    }
    if (!is_about_results(failing_->judged.refusal.failure) || failures >= kEnoughFailures) break;
  }
  if (!failing_) return relations();
  const Judged& judged = failing_->judged;
  if (!judged.written.empty()) {
    report_.suspected_cause = suspect(subject_, failing_->trial, judged.written);
  }
  if (is_about_results(judged.refusal.failure)) {
    if (const Status found = look_for_public_example(failing_->trial.one); !found) {
      return tl::unexpected(found.error());
    }
  }
  return judged.refusal;
}

Expected<Judged> Verification::run_twice(const Trial& trial) {
  const std::uint64_t salt = salted(fmt::format("case {}", trial.one.id));
  Judged first;
  for (std::size_t index = 0; index < 2; ++index) {
    auto judged = run_once(trial, index, placing_of(index, salt));
    if (!judged) return judged;
    count(judged->comparison);
    if (judged->refusal.failure != Failure::kNone) return judged;
    if (index == 0) {
      first = std::move(*judged);
    } else if (!same_bytes(first.written, judged->written)) {
      report_.deterministic = false;
    }
  }
  return first;
}

bool Verification::same_bytes(const std::vector<TensorData>& a, const std::vector<TensorData>& b) {
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].bits != b[i].bits) return false;
  }
  return true;
}

bool Verification::is_about_results(Failure failure) {
  return failure == Failure::kNotWritten || failure == Failure::kWrongResult ||
         failure == Failure::kWrongClass || failure == Failure::kPrecision ||
         failure == Failure::kInvariantBroken;
}

Status Verification::look_for_public_example(const Case& hidden) {
  auto cases = smoke_cases(*task_.op, task_.domain);
  if (!cases) return tl::unexpected(cases.error());
  for (Case& one : *cases) {
    one.regime = hidden.regime;
    one.strided = hidden.strided;
    one.offset = hidden.offset;
    one.zipf = hidden.zipf;
    const auto trial = make_trial(subject_, one);
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

Expected<Refusal> Verification::relations() {
  if (!has_relations(*task_.op)) return Refusal{};
  Case one = steady_case();
  one.key = derive_key(seed_, "relations");
  auto first = make_trial(subject_, one);
  if (!first) return tl::unexpected(first.error());
  std::uint64_t salt = salted("relations");
  const auto before = run_once(*first, 0, placing_of(0, salt));
  if (!before) return tl::unexpected(before.error());
  if (before->refusal.failure != Failure::kNone) return before->refusal;
  for (FollowUp& next : follow_ups(*task_.op, first->data)) {
    auto trial = make_trial(subject_, one, std::move(next.data));
    if (!trial) return tl::unexpected(trial.error());
    const auto after = run_once(*trial, 1, placing_of(1, ++salt));
    if (!after) return tl::unexpected(after.error());
    if (after->refusal.failure != Failure::kNone) return after->refusal;
    // What loose bounds let through is no evidence against the relation.
    if (!defences_.bound || !defences_.every_element) continue;
    const std::string broken = broken_relation(
        *task_.op, *next.relation, {first->truth, before->written}, {trial->truth, after->written});
    if (!broken.empty()) return Refusal{Failure::kInvariantBroken, broken};
  }
  return Refusal{};
}

Expected<Refusal> Verification::steady() {
  if (!defences_.steady || !defences_.holdout) return skip("switched off");
  const Case base = steady_case();
  const double flops = std::max<double>(flops_of(base), 1);
  const auto checks =
      std::clamp(static_cast<int>(kSteadyWork / flops), kLeastSteadyChecks, kSteadyCalls);
  Random random(derive_key(seed_, "steady"));
  std::vector<TrialQueue::Request> requests;
  for (int i = 0; i < (defences_.fresh_contents ? kSteadyCalls : 1); ++i) {
    Case one = base;
    one.key = derive_key(seed_, fmt::format("steady {}", i));
    requests.push_back(
        {std::move(one),
         i < kFirstChecks || random.chance(static_cast<double>(checks) / kSteadyCalls)});
  }
  TrialQueue queue(subject_, std::move(requests));
  std::optional<Trial> trial;
  sessions_[2].reset();
  for (int i = 0; i < kSteadyCalls; ++i) {
    if (!trial || defences_.fresh_contents) {
      auto made = queue.next();
      if (!made) return tl::unexpected(made.error());
      trial = std::move(*made);
    }
    Placing placing = placing_of(2, 0);
    placing.poison = kPoisons[static_cast<std::size_t>(random.between(0, 1))];
    if (random.chance(0.5)) placing.placement = random.bits() >> 16U;
    placing.schedule = random.bits();
    const auto judged = run_once(*trial, 2, placing);
    if (!judged) return tl::unexpected(judged.error());
    if (judged->refusal.failure == Failure::kNone) continue;
    return is_about_results(judged->refusal.failure)
               ? Refusal{Failure::kStateDependent,
                         fmt::format("right at first, wrong when called again: {}",
                                     judged->refusal.detail)}
               : judged->refusal;
  }
  return Refusal{};
}

Case Verification::steady_case() const {
  std::vector<const Case*> sorted;
  for (const Case& one : cases_) sorted.push_back(&one);
  std::sort(sorted.begin(), sorted.end(),
            [this](const Case* a, const Case* b) { return flops_of(*a) < flops_of(*b); });
  Case chosen = *sorted[sorted.size() / 3];
  chosen.regime = Regime::kNormal;
  return chosen;
}

Expected<Refusal> Verification::sanitize() {
  if (!options_.sanitizers || !defences_.sanitizers) return skip("switched off");
  const std::vector<Build> builds = device_.instrumented(subject_);
  if (builds.empty()) return skip("there is no sanitizer for this device on this machine");
  for (const Build build : builds) {
    const auto built = device_.build(subject_, build);
    if (!built) return tl::unexpected(built.error());
    if (built->refusal.failure != Failure::kNone) {
      return Refusal{Failure::kSanitizer,
                     "it does not compile under the sanitizer: " + built->refusal.detail};
    }
    auto session = device_.start(subject_, *built, build);
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

Expected<Refusal> Verification::watch(Session& session, const Case& one) {
  const auto trial = make_unjudged_trial(subject_, one);
  if (!trial) return tl::unexpected(trial.error());
  auto spec = call_of(subject_, *trial, placing_of(0, salted("sanitizer")));
  if (!spec) return tl::unexpected(spec.error());
  spec->limit_s *= kSanitizerPatience;
  const auto result = session.call(*spec);
  if (!result) return tl::unexpected(result.error());
  return result->refusal;
}

std::vector<Case> Verification::sanitizer_cases() const {
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

}  // namespace tensorpath
