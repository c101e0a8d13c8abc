#include "pooled.h"

namespace tensorpath::forge {
namespace {

bool is_undisturbed(const PromotionSamples& one) {
  return compute_statistic(one.plan, one.samples).dropped_share() <= kMostDropped;
}

}  // namespace

PooledTiming pool_measurements(const std::vector<PromotionSamples>& all) {
  PooledTiming out;
  const PromotionSamples& last = all.back();
  const Json plan = to_json(last.plan);
  std::vector<std::vector<TimedSample>> measurements;
  const bool last_counts = is_undisturbed(last);
  for (const PromotionSamples& one : all) {
    const bool is_last = &one == &last;
    if (!is_last && (!last_counts || to_json(one.plan) != plan || !is_undisturbed(one))) {
      ++out.left_out;
      continue;
    }
    out.directories.push_back(one.directory);
    measurements.push_back(one.samples);
  }
  out.timing = judge_timing(last.plan, pool_samples(measurements), last.floors);
  return out;
}

Json to_json(const PooledTiming& pooled) {
  Json out = {{"runs", pooled.directories}, {"left_out", pooled.left_out}};
  out.update(to_json(pooled.timing));
  return out;
}

}  // namespace tensorpath::forge
