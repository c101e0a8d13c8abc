// The measurements of an attempt that were made for a promotion, as one: who measures again adds to
// what there is and cannot start anew.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/harness/judged_timing.h>

namespace tensorpath::forge {

struct PromotionSamples {
  std::string directory;  // "bench-2"
  TimingPlan plan;
  std::vector<TimedSample> samples;
  std::vector<Roofline> floors;  // by case; empty: none are known
};

struct PooledTiming {
  JudgedTiming timing;                   // the last one's floors against all of the samples
  std::vector<std::string> directories;  // "bench-2", "bench-3"
  int left_out = 0;  // measurements of another plan, or with too many pairs disturbed
};

// Those of the last one's plan; there is at least one. Where the last is disturbed itself it stands
// alone, and carries nothing.
[[nodiscard]] PooledTiming pool_measurements(const std::vector<PromotionSamples>& all);

[[nodiscard]] Json to_json(const PooledTiming& pooled);

}  // namespace tensorpath::forge
