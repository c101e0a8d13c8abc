// The serving parameters: the few numbers that join operator costs to whole engines.
// One value pooled over everything, with a factor per engine where engines differ; all are
// multiplicative, fitted as logarithms around a prior, so that an unseen engine or GPU gets the
// pooled value. Fitted by `tensorpath validate --calibrate`, kept in data/calibration/serving.yaml.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace tensorpath::perf {

enum class Param {
  kGemmMemory,
  kGemmMemoryBlackwell,
  kGemmMemoryFp8,
  kGemmMemoryFp4,
  kGemmCompute,
  kGemmComputeBlackwell,
  kGemmComputeFp8,
  kGemmComputeFp4,
  kMoeMemory,
  kMoeCompute,
  kRoutingShape,
  kAttentionMemory,
  kAttentionCompute,
  kLaunch,
  kStepMs,
  kLayerMs,
  kLayerBlackwell,
  kRequestMs,
  kAllReduceLatency,
  kAllReduceBandwidth,
  kTtftMs,
  kEagerLayerMs,
  kSlowHostTtft,
  kSlowHostLayer,
  kSlowHostRequest,
  kFrontendMs,
  kInterference,
  kQueueGain,
  kBurstGain,
  kStepWait,
  kBunchGain,
  kBunchPower,
  kBunchOdds,
  kCount,
};

inline constexpr std::size_t kParamCount = static_cast<std::size_t>(Param::kCount);
// Engines with factors of their own; others take the pooled value.
inline constexpr std::array<std::string_view, 3> kFactorEngines = {"vllm", "tensorrt_llm",
                                                                   "sglang"};

struct ParamSpec {
  std::string_view name;
  double prior;          // before any measurement: an engineer's round number, not a fit
  double log_sd;         // how far the fit may go, as a standard deviation of the logarithm
  double engine_log_sd;  // likewise for the engines' factors; 0: engines do not differ
  std::string_view meaning;
};
[[nodiscard]] const ParamSpec& spec(Param param);

struct ServingParameters {
  std::array<double, kParamCount> pooled;
  std::array<std::array<double, kFactorEngines.size()>, kParamCount> factor;

  ServingParameters();  // the priors

  // engine: index into kFactorEngines, or -1.
  [[nodiscard]] double value(Param param, int engine) const {
    const auto p = static_cast<std::size_t>(param);
    return engine < 0 ? pooled[p] : pooled[p] * factor[p][static_cast<std::size_t>(engine)];
  }
};

[[nodiscard]] int factor_index(std::string_view engine);

// The logarithms as one vector, and back. Order is fixed.
[[nodiscard]] std::vector<double> pack(const ServingParameters& parameters);
[[nodiscard]] ServingParameters unpack(std::span<const double> logs);
// (log value - log prior) / sd for each entry of the vector.
void prior_residuals(std::span<const double> logs, std::span<double> out);

}  // namespace tensorpath::perf
