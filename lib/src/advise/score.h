// The score of a plan: five parts, each a number of doublings against a fixed reference, weighted
// by the priority. Fixed references mean that a plan's score never depends on what else is in the
// list.
#pragma once

#include <tensorpath/advise.h>

namespace tensorpath::advise {

struct ScoreWeights {
  double latency, throughput, cost, quality, simplicity;
};
[[nodiscard]] ScoreWeights weights_of(Priority priority);

struct ScoreInput {
  const Candidate* candidate = nullptr;
  const Prediction* at_load = nullptr;
  double osl_mean = 0;
  double tok_s_gpu_at_capacity = 0;  // output tokens; prompt tokens when nothing is generated
  double usd_per_mtok_total = 0;
  double quality = 1;
  int replicas = 1;
};
[[nodiscard]] Scores score(const ScoreInput& input, const Workload& workload,
                           const AdviseOptions& options);

}  // namespace tensorpath::advise
