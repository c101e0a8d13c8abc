#include <algorithm>

#include <tensorpath/harness/roofline.h>

namespace tensorpath {
namespace {

// A clock and a data sheet are both a little off.
constexpr double kPhysicalRoom = 0.95;

double printed(double value) { return json_number(value).get<double>(); }

}  // namespace

std::optional<double> sol_score(double seconds, double floor, double baseline) {
  constexpr double kRoom = 1.05;
  if (baseline <= kRoom * floor) return std::nullopt;
  return 1 / (1 + (seconds - floor) / (baseline - floor));
}

bool Roofline::invalid() const { return physical_percent * kPhysicalRoom > 100; }

Roofline hold_against(const Floors& floors, const CaseStatistic& one) {
  Roofline roofline;
  roofline.floors = {printed(floors.measured_us), printed(floors.physical_us)};
  const double seconds = one.cold.front().p50;
  if (seconds <= 0) return roofline;
  roofline.percent = 100 * roofline.floors.measured_us * 1e-6 / seconds;
  roofline.physical_percent = 100 * roofline.floors.physical_us * 1e-6 / seconds;
  if (one.strongest > 0 && roofline.floors.measured_us > 0) {
    roofline.sol_score = sol_score(seconds, roofline.floors.measured_us * 1e-6,
                                   one.cold[static_cast<std::size_t>(one.strongest)].p50);
  }
  return roofline;
}

std::vector<Roofline> hold_against(const std::vector<Roofline>& floors,
                                   const TimingStatistic& statistic) {
  std::vector<Roofline> out;
  for (std::size_t i = 0; i < std::min(floors.size(), statistic.cases.size()); ++i) {
    out.push_back(hold_against(floors[i].floors, statistic.cases[i]));
  }
  return out;
}

Json to_json(const Roofline& roofline) {
  const bool measured = roofline.floors.measured_us > 0;
  Json out = {
      {"floor_us", measured ? json_number(roofline.floors.measured_us) : Json(nullptr)},
      {"percent", measured ? json_number(roofline.percent, 4) : Json(nullptr)},
      {"sol_score", roofline.sol_score ? json_number(*roofline.sol_score, 4) : Json(nullptr)},
      {"above_sol", roofline.above_sol()}};
  if (roofline.floors.physical_us > 0) {
    out["physical_floor_us"] = json_number(roofline.floors.physical_us);
    out["physical_percent"] = json_number(roofline.physical_percent, 4);
    out["invalid"] = roofline.invalid();
  }
  return out;
}

std::vector<Roofline> read_floors(const Json& cases) {
  std::vector<Roofline> out;
  for (const Json& one : cases) {
    const auto roofline = one.find("roofline");
    if (roofline == one.end()) return {};
    const Json& floor = roofline->at("floor_us");
    Roofline read;
    if (!floor.is_null()) read.floors.measured_us = floor.get<double>();
    read.floors.physical_us = roofline->value("physical_floor_us", 0.0);
    out.push_back(read);
  }
  return out;
}

}  // namespace tensorpath
