// A timing beside what the machine can do at most: arithmetic on floors and on samples, so that
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

// The least microseconds that a case's bytes and operations take; 0: not known.
struct Floors {
  double measured_us = 0;  // as the device was measured
  double physical_us = 0;  // by its data sheet
};

// One case of a candidate.
struct Roofline {
  Floors floors;
  double percent = 0;  // the measured floor over the candidate's cold median; 0: there is none
  double physical_percent = 0;  // likewise of the data sheet's
  std::optional<double> sol_score;
  // The candidate takes less than the floor that was measured: a ceiling that was measured too low,
  // or a candidate that does not do the work. It promotes nothing until that is known.
  [[nodiscard]] bool above_sol() const { return percent > 100; }
  // Less than 0.95 of what the data sheet allows: no device does that.
  [[nodiscard]] bool invalid() const;
};

// The floors count as they are printed, so that who reads them back comes to the same.
[[nodiscard]] Roofline hold_against(const Floors& floors, const CaseStatistic& one);
// The floors anew against another statistic of their cases.
[[nodiscard]] std::vector<Roofline> hold_against(const std::vector<Roofline>& floors,
                                                 const TimingStatistic& statistic);

[[nodiscard]] Json to_json(const Roofline& roofline);
// By case, as the cases of bench.json have them; empty where they have none.
[[nodiscard]] std::vector<Roofline> read_floors(const Json& cases);

}  // namespace tensorpath
