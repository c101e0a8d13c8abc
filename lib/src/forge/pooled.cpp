#include "pooled.h"

namespace tensorpath::forge {
namespace {

bool is_undisturbed(const PromotionSamples& one) {
  return compute_statistic(one.plan, one.samples).dropped_share() <= kMostDropped;
}

}  // namespace

PooledTiming pool_measurements(const std::vector<PromotionSamples>& all) {
  PooledTiming out;
  out.plan = all.back().plan;
  const Json plan = to_json(out.plan);
  std::vector<std::vector<TimedSample>> measurements;
  const bool last_counts = is_undisturbed(all.back());
  for (const PromotionSamples& one : all) {
    const bool is_last = &one == &all.back();
    if (!is_last && (!last_counts || to_json(one.plan) != plan || !is_undisturbed(one))) {
      ++out.left_out;
      continue;
    }
    out.directories.push_back(one.directory);
    measurements.push_back(one.samples);
  }
  out.statistic = compute_statistic(out.plan, pool_samples(measurements));
  out.rooflines = hold_against(all.back().rooflines, out.statistic);
  return out;
}

Json to_json(const PooledTiming& pooled) {
  Json out = {{"runs", pooled.directories}, {"left_out", pooled.left_out}};
  out.update(to_json(pooled.plan, pooled.statistic));
  for (std::size_t i = 0; i < pooled.rooflines.size(); ++i) {
    out["cases"][i]["roofline"] = to_json(pooled.rooflines[i]);
  }
  out["promotion"] =
      promotion_json(promotion_obstacle(pooled.plan, pooled.statistic, pooled.rooflines));
  return out;
}

std::vector<Roofline> read_floors(const Json& bench) {
  std::vector<Roofline> out;
  for (const Json& one : bench.at("cases")) {
    const auto roofline = one.find("roofline");
    if (roofline == one.end()) return {};
    out.push_back({roofline->at("floor_us").get<double>(), 0, {}});
  }
  return out;
}

}  // namespace tensorpath::forge
