#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/harness/roofline.h>

namespace tensorpath {

std::optional<double> sol_score(double seconds, double floor, double baseline) {
  constexpr double kRoom = 1.05;
  if (baseline <= kRoom * floor) return std::nullopt;
  return 1 / (1 + (seconds - floor) / (baseline - floor));
}

Roofline hold_against(double floor_us, const CaseStatistic& one) {
  Roofline roofline;
  roofline.floor_us = json_number(floor_us).get<double>();
  const double seconds = one.cold.front().p50;
  if (seconds <= 0) return roofline;
  const double floor = roofline.floor_us * 1e-6;
  roofline.percent = 100 * floor / seconds;
  if (one.strongest > 0) {
    roofline.sol_score =
        sol_score(seconds, floor, one.cold[static_cast<std::size_t>(one.strongest)].p50);
  }
  return roofline;
}

std::vector<Roofline> hold_against(const std::vector<Roofline>& floors,
                                   const TimingStatistic& statistic) {
  std::vector<Roofline> out;
  for (std::size_t i = 0; i < std::min(floors.size(), statistic.cases.size()); ++i) {
    out.push_back(hold_against(floors[i].floor_us, statistic.cases[i]));
  }
  return out;
}

std::string promotion_obstacle(const TimingPlan& plan, const TimingStatistic& statistic,
                               const std::vector<Roofline>& rooflines) {
  for (std::size_t i = 0; i < rooflines.size(); ++i) {
    if (!rooflines[i].above_sol()) continue;
    return fmt::format(
        "at {} it takes {:.0f}% of the least time that was measured for its bytes and "
        "operations: measure the ceilings again, or look for the work it leaves out",
        plan.cases[i].name, 1e4 / rooflines[i].percent);
  }
  return promotion_obstacle(plan, statistic);
}

Json promotion_json(const std::string& obstacle) {
  Json out = {{"carries", obstacle.empty()},
              {"least_ratio", kPromotionRatio},
              {"least_case_ratio", kCaseRatio}};
  if (!obstacle.empty()) out["obstacle"] = obstacle;
  return out;
}

Json to_json(const Roofline& roofline) {
  return {{"floor_us", json_number(roofline.floor_us)},
          {"percent", json_number(roofline.percent, 4)},
          {"sol_score", roofline.sol_score ? json_number(*roofline.sol_score, 4) : Json(nullptr)},
          {"above_sol", roofline.above_sol()}};
}

}  // namespace tensorpath
