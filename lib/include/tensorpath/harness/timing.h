// From raw samples to a decision, in four steps that know nothing of each other: a sample, a
// statistic over samples, a rule when to stop sampling, a decision on the statistic. All of it is
// arithmetic on what was measured, so that `replay` does it again and must come to the same.
// tensorpath-benchmarking(7) says why it is done so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>

namespace tensorpath {

// One timed stretch of one arm: `calls` calls one after the other.
struct TimedSample {
  enum Flag : std::uint16_t { kHot = 1, kDisturbed = 2 };
  std::uint32_t round = 0;  // of fresh processes, from 0
  std::uint32_t block = 0;  // arms with equal (round, case, block) ran next to each other
  std::uint16_t one = 0;    // index of the case
  std::uint16_t arm = 0;    // 0 is the candidate
  std::uint16_t flags = 0;
  std::uint16_t calls = 1;
  double seconds = 0;       // of the whole stretch
  double stop_seconds = 0;  // until the arm stood still after it

  [[nodiscard]] bool hot() const { return (flags & kHot) != 0; }
  [[nodiscard]] bool disturbed() const { return (flags & kDisturbed) != 0; }
  [[nodiscard]] double per_call() const { return seconds / calls; }
};
// Several measurements of one plan as one: the rounds of each after those before it.
[[nodiscard]] std::vector<TimedSample> pool_samples(
    const std::vector<std::vector<TimedSample>>& measurements);

// What the samples are of.
struct TimedArm {
  std::string name;         // "candidate", "naive", "tuned", "openblas"
  bool denominator = true;  // a baseline that was verified; others are shown only
  std::string absent;       // why there are no samples of it; empty when there are
};
struct TimedCase {
  std::string name;  // "rows=16 hidden=4096"
  double weight = 1;
  double bytes = 0;  // that must be moved: each input read once, each output written once
  double flops = 0;
};
struct TimingPlan {
  std::vector<TimedArm> arms;  // the candidate first
  std::vector<TimedCase> cases;
};

// The file samples.bin: "TPS1", then 32 bytes a sample, little-endian, in the order of the fields
// above with the times in whole nanoseconds. Errors: cut short, or not of the plan.
[[nodiscard]] std::string write_samples(const std::vector<TimedSample>& samples);
[[nodiscard]] Expected<std::vector<TimedSample>> read_samples(std::string_view bytes,
                                                              const std::string& file,
                                                              const TimingPlan& plan);

// Of one arm's undisturbed samples of a case, seconds per call.
struct ArmStatistic {
  std::int64_t samples = 0;
  double min = 0, mean = 0, p50 = 0, p95 = 0, p99 = 0, variance = 0;
};
[[nodiscard]] ArmStatistic summarise(std::vector<double> seconds);
// Linear interpolation between order statistics (Hyndman and Fan 1996, type 7). `sorted` is not
// empty.
[[nodiscard]] double quantile(const std::vector<double>& sorted, double p);

struct Interval {
  double value = 0;  // of all samples
  double low = 0;    // 95%, by a bootstrap over rounds
  double high = 0;
  [[nodiscard]] double width() const { return (high - low) / value; }
};

// Baseline time over candidate time: above 1 the candidate takes less.
struct CaseStatistic {
  std::vector<ArmStatistic> cold, hot;  // by arm
  std::vector<Interval> ratios;         // by arm; of the candidate and of absent arms: zeros
  int strongest = 0;                    // arm whose ratio is the smallest among denominators
  Interval ratio;                       // against the strongest, chosen anew in each resample
};
struct TimingStatistic {
  std::vector<CaseStatistic> cases;
  Interval ratio;  // weighted geometric mean over cases
  int rounds = 0;
  std::int64_t pairs = 0;
  std::int64_t dropped = 0;  // pairs with a disturbed side
  [[nodiscard]] double dropped_share() const;
};
// Ratios pair samples of one block. The median of the paired ratios of each case, the smallest over
// the denominators, the weighted geometric mean over cases; the interval from `kResamples` draws of
// rounds with replacement, widened by sqrt(n / (n - 1)) around the value (few rounds make a
// bootstrap too sure of itself: Davison and Hinkley 1997, 2.6).
inline constexpr int kResamples = 2000;
[[nodiscard]] TimingStatistic compute_statistic(const TimingPlan& plan,
                                                const std::vector<TimedSample>& samples);

// Looks at the width of the interval and at the clock, never at where the interval lies.
struct StopRule {
  int least_rounds = 10;
  int most_rounds = 40;
  double width = 0.02;   // relative; narrow enough to tell 1.00 from 1.01
  double seconds = 300;  // after least_rounds
  // Empty: go on; else why not.
  [[nodiscard]] std::string stop(int rounds, double interval_width, double elapsed) const;
};

enum class Speed : std::uint8_t { kFast, kSlow, kSame, kAmbiguous };
[[nodiscard]] std::string_view name_of(Speed speed);  // "FAST"

// Of the pairs, for a measurement to count.
inline constexpr double kMostDropped = 0.2;
// FAST, SLOW: the interval leaves 1 +- 0.01 out. SAME: inside 0.97 to 1.03. Else, and when more
// than a fifth of the pairs was dropped, AMBIGUOUS.
[[nodiscard]] Speed decide(const TimingStatistic& statistic);

inline constexpr double kPromotionRatio = 1.10;
inline constexpr double kCaseRatio = 0.95;
// Why the timing does not carry a promotion; empty when it does.
[[nodiscard]] std::string promotion_obstacle(const TimingPlan& plan,
                                             const TimingStatistic& statistic);

[[nodiscard]] Json to_json(const TimingPlan& plan);
[[nodiscard]] Json to_json(const TimingPlan& plan, const TimingStatistic& statistic);
[[nodiscard]] Expected<TimingPlan> read_timing_plan(const Json& json);

}  // namespace tensorpath
