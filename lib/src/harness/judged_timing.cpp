#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/harness/judged_timing.h>

namespace tensorpath {
namespace {

// Two clocks agree on a ratio within this; a sample is 50 times as long as what only one of them
// sees.
constexpr double kClocks = 1.05;

std::vector<double> rest_ratios_of(const TimingPlan& plan, std::vector<TimedSample> samples) {
  for (TimedSample& sample : samples) sample.seconds += sample.stop_seconds;
  std::vector<double> ratios;
  for (const CaseStatistic& one : compute_statistic(plan, samples).cases) {
    ratios.push_back(one.ratio.value);
  }
  return ratios;
}

}  // namespace

bool is_vendor_library(std::string_view arm) {
  constexpr std::array<std::string_view, 4> kLibraries = {"cublaslt", "cudnn", "onednn",
                                                          "openblas"};
  return std::find(kLibraries.begin(), kLibraries.end(), arm) != kLibraries.end();
}

std::string JudgedTiming::invalid() const {
  for (std::size_t i = 0; i < rooflines.size(); ++i) {
    if (!rooflines[i].invalid()) continue;
    return fmt::format(
        "at {} it takes {:.0f}% of the least time that the device's data sheet allows for its "
        "bytes and operations: no device does that",
        plan.cases[i].name, 1e4 / rooflines[i].physical_percent);
  }
  return {};
}

std::string JudgedTiming::above_sol() const {
  for (std::size_t i = 0; i < rooflines.size(); ++i) {
    if (!rooflines[i].above_sol()) continue;
    return fmt::format(
        "at {} it takes {:.0f}% of the least time that was measured for its bytes and "
        "operations: measure the ceilings again, or look for the work it leaves out",
        plan.cases[i].name, 1e4 / rooflines[i].percent);
  }
  return {};
}

std::string JudgedTiming::suspect() const {
  for (std::size_t i = 0; i < plan.cases.size(); ++i) {
    for (std::size_t arm = 1; arm < plan.arms.size(); ++arm) {
      const double ratio = statistic.cases[i].ratios[arm].value;
      if (!is_vendor_library(plan.arms[arm].name) || ratio <= kSuspectRatio) continue;
      return fmt::format(
          "at {} it is {:.2f} times as fast as {}, which is too good to be believed "
          "without an audit",
          plan.cases[i].name, ratio, plan.arms[arm].name);
    }
  }
  return {};
}

std::string JudgedTiming::doubt() const {
  std::string text = above_sol();
  return text.empty() ? suspect() : text;
}

std::string_view JudgedTiming::word() const {
  if (!invalid().empty()) return "INVALID";
  if (!held_again && !suspect().empty()) return "SUSPECT";
  return name_of(decide(statistic));
}

std::string JudgedTiming::obstacle() const {
  if (std::string text = invalid(); !text.empty()) return text;
  std::string text = doubt();
  if (!text.empty() && !held_again) return text;
  for (std::size_t i = 0; !text.empty() && i < rest_ratios.size(); ++i) {
    const double ratio = statistic.cases[i].ratio.value;
    if (rest_ratios[i] < ratio * kClocks && ratio < rest_ratios[i] * kClocks) continue;
    return fmt::format(
        "{}; timed until its processes were at rest the ratio is {:.3f} and not {:.3f}", text,
        rest_ratios[i], ratio);
  }
  return promotion_obstacle(plan, statistic);
}

JudgedTiming judge_timing(const TimingPlan& plan, const std::vector<TimedSample>& samples,
                          const std::vector<Roofline>& floors) {
  JudgedTiming timing{plan, compute_statistic(plan, samples), {}, {}, false};
  timing.rooflines = hold_against(floors, timing.statistic);
  if (!timing.doubt().empty()) timing.rest_ratios = rest_ratios_of(plan, samples);
  return timing;
}

Json promotion_json(const std::string& obstacle) {
  Json out = {{"carries", obstacle.empty()},
              {"least_ratio", kPromotionRatio},
              {"least_case_ratio", kCaseRatio}};
  if (!obstacle.empty()) out["obstacle"] = obstacle;
  return out;
}

Json to_json(const JudgedTiming& timing) {
  Json out = to_json(timing.plan, timing.statistic);
  out["decision"] = timing.word();
  for (std::size_t i = 0; i < timing.rooflines.size(); ++i) {
    out["cases"][i]["roofline"] = to_json(timing.rooflines[i]);
  }
  for (std::size_t i = 0; i < timing.rest_ratios.size(); ++i) {
    out["cases"][i]["ratio_at_rest"] = json_number(timing.rest_ratios[i]);
  }
  out["promotion"] = promotion_json(timing.obstacle());
  return out;
}

}  // namespace tensorpath
