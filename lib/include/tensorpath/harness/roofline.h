// A timing beside what the machine can do at most: arithmetic on a floor and on samples, so that
// `replay` does it again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath {

// 1 / (1 + (T - T_sol) / (T_base - T_sol)), never clipped: 0.5 is the baseline, 1 the floor.
// nullopt when the baseline is within 5% of the floor.
[[nodiscard]] std::optional<double> sol_score(double seconds, double floor, double baseline);

// One case of a candidate.
struct Roofline {
  double floor_us = 0;  // the least time that its bytes and operations were measured to take
  double percent = 0;   // floor over the candidate's cold median; 0: there is none
  std::optional<double> sol_score;
  // The candidate takes less than the floor that was measured: a ceiling that was measured too low,
  // or a candidate that does not do the work. It promotes nothing until that is known.
  [[nodiscard]] bool above_sol() const { return percent > 100; }
};

// The floor counts as it is printed, so that who reads it back comes to the same.
[[nodiscard]] Roofline hold_against(double floor_us, const CaseStatistic& one);
// The floors anew against another statistic of their cases.
[[nodiscard]] std::vector<Roofline> hold_against(const std::vector<Roofline>& floors,
                                                 const TimingStatistic& statistic);

// Why times, or what the machine was measured to need at least, carry no promotion; empty when they
// do. `rooflines` by case; empty: the ceilings are not known.
[[nodiscard]] std::string promotion_obstacle(const TimingPlan& plan,
                                             const TimingStatistic& statistic,
                                             const std::vector<Roofline>& rooflines);
// {carries, least_ratio, least_case_ratio, obstacle}
[[nodiscard]] Json promotion_json(const std::string& obstacle);

[[nodiscard]] Json to_json(const Roofline& roofline);

}  // namespace tensorpath
