// What a timing comes to, beside everything that it is held against: the word on it, what of it is
// too good to be believed as it is, and whether it carries a promotion. Arithmetic on samples and
// floors, so that `replay` does it again. tensorpath-benchmarking(7) has the rules.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/harness/roofline.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath {

// Libraries of the makers of devices, as baselines are called.
[[nodiscard]] bool is_vendor_library(std::string_view arm);
inline constexpr double kSuspectRatio = 2;  // faster than a vendor's library by more than this

struct JudgedTiming {
  TimingPlan plan;
  TimingStatistic statistic;
  std::vector<Roofline> rooflines;  // by case; empty: no floor is known
  // Where something is to be audited, the ratio of each case by another clock: until the arms were
  // at rest.
  std::vector<double> rest_ratios;
  // An audit ran every gate again with fresh seeds, and they held.
  bool held_again = false;

  // Each says what of it, or nothing. A case takes less than the data sheet allows:
  [[nodiscard]] std::string invalid() const;
  // less than the measured floor:
  [[nodiscard]] std::string above_sol() const;
  // less than half of a vendor's library:
  [[nodiscard]] std::string suspect() const;
  // The last two, of which an audit is due.
  [[nodiscard]] std::string doubt() const;
  // FAST, SLOW, SAME or AMBIGUOUS of the interval; INVALID; SUSPECT until an audit.
  [[nodiscard]] std::string_view word() const;
  // Why it carries no promotion; empty when it does.
  [[nodiscard]] std::string obstacle() const;
};
[[nodiscard]] JudgedTiming judge_timing(const TimingPlan& plan,
                                        const std::vector<TimedSample>& samples,
                                        const std::vector<Roofline>& floors);

// {carries, least_ratio, least_case_ratio, obstacle}
[[nodiscard]] Json promotion_json(const std::string& obstacle);
// What follows from the samples alone: decision, ratio, cases with their rooflines, promotion.
[[nodiscard]] Json to_json(const JudgedTiming& timing);

}  // namespace tensorpath
