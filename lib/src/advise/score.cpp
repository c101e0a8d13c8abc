#include "score.h"

#include "search_space.h"

#include <algorithm>
#include <cmath>

namespace tensorpath::advise {
namespace {

// References: where a part is zero. They shift every plan of a workload alike, so they are round
// numbers one can remember, not tuned ones.
constexpr double kTtftReferenceMs = 1000;
constexpr double kTpotReferenceMs = 50;
constexpr double kTokSGpuReference = 1000;
constexpr double kUsdPerMtokReference = 1;
// Losing a tenth of the quality weighs as much as doubling a price does, at equal weights.
constexpr double kQualityStep = 0.9;
// A preference is worth a seventh of a doubling: it decides between near equals only.
constexpr double kPreferenceNudge = 0.15;
// More moving parts, each a factor on the engine's own simplicity.
constexpr double kMultiGpuSimplicity = 0.9;
constexpr double kManyReplicasSimplicity = 0.95;
constexpr double kDisaggregatedSimplicity = 0.6;
constexpr double kSpeculationSimplicity = 0.9;
constexpr double kSelfQuantisedSimplicity = 0.85;

double reference(const Percentiles& slo, double fallback_ms) {
  if (slo.p95) return *slo.p95;
  if (slo.p99) return *slo.p99;
  return slo.p50.value_or(fallback_ms);
}

double doublings(double ratio) { return std::log2(std::clamp(ratio, 1e-6, 1e6)); }

double latency_part(const ScoreInput& input, const Slo& slo) {
  const double ttft =
      doublings(reference(slo.ttft_ms, kTtftReferenceMs) / input.at_load->ttft_ms.p95);
  if (input.osl_mean <= 1) return ttft;
  const double tpot =
      doublings(reference(slo.tpot_ms, kTpotReferenceMs) / input.at_load->tpot_ms.p95);
  return 0.5 * (ttft + tpot);
}

double simplicity_part(const ScoreInput& input) {
  const Candidate& candidate = *input.candidate;
  const Layout& layout = candidate.layout;
  double simplicity = std::max(0.05, layout.engine->simplicity);
  if (layout.gpus() > 1) simplicity *= kMultiGpuSimplicity;
  if (input.replicas > 1) simplicity *= kManyReplicasSimplicity;
  if (candidate.disaggregated) simplicity *= kDisaggregatedSimplicity;
  if (candidate.spec.method != "none") simplicity *= kSpeculationSimplicity;
  if (layout.weight->name != layout.model->native_format && layout.weight->bits_per_param < 16 &&
      find_checkpoint(*layout.model, *layout.weight) == nullptr) {
    simplicity *= kSelfQuantisedSimplicity;
  }
  return std::log2(simplicity);
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

ScoreWeights weights_of(Priority priority) {
  switch (priority) {
    case Priority::kLatency:
      return {0.45, 0.10, 0.20, 0.15, 0.10};
    case Priority::kThroughput:
      return {0.10, 0.45, 0.20, 0.15, 0.10};
    case Priority::kCost:
      return {0.10, 0.10, 0.55, 0.15, 0.10};
    case Priority::kBalanced:
      break;
  }
  return {0.25, 0.20, 0.30, 0.15, 0.10};
}

Scores score(const ScoreInput& input, const Workload& workload, const AdviseOptions& options) {
  Scores out;
  out.latency = latency_part(input, workload.slo);
  out.throughput = doublings(input.tok_s_gpu_at_capacity / kTokSGpuReference);
  out.cost = doublings(kUsdPerMtokReference / input.usd_per_mtok_total);
  out.quality = std::log(std::max(0.01, input.quality)) / -std::log(kQualityStep);
  out.simplicity = simplicity_part(input);
  const Layout& layout = input.candidate->layout;
  if (contains(options.prefer_gpus, layout.gpu->name)) out.preference += kPreferenceNudge;
  if (contains(options.prefer_engines, layout.engine->name)) out.preference += kPreferenceNudge;
  const ScoreWeights w = weights_of(workload.priority);
  out.total = w.latency * out.latency + w.throughput * out.throughput + w.cost * out.cost +
              w.quality * out.quality + w.simplicity * out.simplicity + out.preference;
  return out;
}

}  // namespace tensorpath::advise
