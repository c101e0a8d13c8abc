#include "parameters.h"

#include <cmath>

namespace tensorpath::perf {
namespace {

// Efficiencies and multipliers on measured surfaces start at 1. Times start at what an engine's
// profile shows at a glance. Nothing here is fitted.
constexpr std::array<ParamSpec, kParamCount> kSpecs = {{
    {"gemm_memory", 1, 0.15, 0.07, "weight streaming of dense layers, times the GEMM surface"},
    {"gemm_memory_blackwell", 1, 0.08, 0, "the same, more on Blackwell"},
    {"gemm_memory_fp8", 1, 0.10, 0, "the same, more in FP8"},
    {"gemm_memory_fp4", 1, 0.10, 0, "the same, more in 4-bit floats"},
    {"gemm_compute", 1, 0.20, 0.12, "dense arithmetic, times the GEMM surface"},
    {"gemm_compute_blackwell", 1, 0.10, 0, "the same, more on Blackwell"},
    {"gemm_compute_fp8", 1, 0.15, 0, "the same, more in FP8"},
    {"gemm_compute_fp4", 1, 0.15, 0, "the same, more in 4-bit floats"},
    {"moe_memory", 1, 0.20, 0.12, "expert weight streaming, times the MoE surface"},
    {"moe_compute", 1, 0.30, 0.15, "expert arithmetic, times the MoE surface"},
    {"routing_shape", 0.5, 0.50, 0, "shape of the experts' popularity; infinite is uniform"},
    {"attention_memory", 1, 0.20, 0.15, "KV reads, times the decode attention surface"},
    {"attention_compute", 1, 0.20, 0.10, "prefill attention, times its surface"},
    {"launch", 1, 0.30, 0.15, "fixed time of the surfaces' kernels inside a captured step"},
    {"step_ms", 1, 0.50, 0.25, "scheduling and sampling, once a step"},
    {"layer_ms", 0.015, 0.50, 0.20, "norms, rotary embedding, quantisation, once a layer"},
    {"layer_blackwell", 1, 0.10, 0, "the same, more on Blackwell"},
    {"request_ms", 0.015, 0.60, 0.30, "scheduling and detokenising, per decoding request and step"},
    {"all_reduce_latency", 1, 0.25, 0, "small all-reduces, times their surface"},
    {"all_reduce_bandwidth", 1, 0.30, 0, "bandwidth of large ones, times their surface"},
    {"ttft_ms", 20, 0.50, 0.30, "network, tokenising and first scheduling of a request"},
    {"eager_layer_ms", 0.4, 0.50, 0.30,
     "launching one layer of a step with prefill, kernel by kernel"},
    {"slow_host_ttft", 2, 0.30, 0, "the two above on a harness's slow hosts and early releases"},
    {"slow_host_layer", 1.3, 0.20, 0, "layer_ms there"},
    {"slow_host_request", 1.5, 0.40, 0, "request_ms there"},
    {"frontend_ms", 0.12, 0.20, 0, "streaming one token there, all requests in turn"},
    {"interference", 1, 0.15, 0, "share of others' prefill that delays a decoding request"},
    {"queue_gain", 0.4, 0.40, 0, "wait behind other prompts, times M/D/1"},
    {"burst_gain", 1, 0.20, 0, "wait in a burst, times half of its prefill time"},
    {"step_wait", 1, 0.40, 0, "decode steps that pass before a new request is scheduled"},
    {"bunch_gain", 0.5, 0.50, 0, "prompts waiting together when lengths are fixed: gain n^power"},
    {"bunch_power", 0.6, 0.30, 0, "see bunch_gain"},
    {"bunch_odds", 0.3, 0.60, 0, "odds that a request's prefill shares its step with the others'"},
}};

template <typename Visit>
void for_each_entry(Visit visit) {
  std::size_t index = 0;
  for (std::size_t p = 0; p < kParamCount; ++p) {
    visit(index++, p, -1);
    if (kSpecs[p].engine_log_sd <= 0) continue;
    for (std::size_t e = 0; e < kFactorEngines.size(); ++e) {
      visit(index++, p, static_cast<int>(e));
    }
  }
}

}  // namespace

const ParamSpec& spec(Param param) { return kSpecs[static_cast<std::size_t>(param)]; }

ServingParameters::ServingParameters() {
  for (std::size_t p = 0; p < kParamCount; ++p) {
    pooled[p] = kSpecs[p].prior;
    factor[p].fill(1);
  }
}

int factor_index(std::string_view engine) {
  for (std::size_t e = 0; e < kFactorEngines.size(); ++e) {
    if (kFactorEngines[e] == engine) return static_cast<int>(e);
  }
  return -1;
}

std::vector<double> pack(const ServingParameters& parameters) {
  std::vector<double> logs;
  for_each_entry([&](std::size_t, std::size_t p, int engine) {
    logs.push_back(std::log(engine < 0 ? parameters.pooled[p]
                                       : parameters.factor[p][static_cast<std::size_t>(engine)]));
  });
  return logs;
}

ServingParameters unpack(std::span<const double> logs) {
  ServingParameters parameters;
  for_each_entry([&](std::size_t index, std::size_t p, int engine) {
    double& target =
        engine < 0 ? parameters.pooled[p] : parameters.factor[p][static_cast<std::size_t>(engine)];
    target = std::exp(logs[index]);
  });
  return parameters;
}

void prior_residuals(std::span<const double> logs, std::span<double> out) {
  for_each_entry([&](std::size_t index, std::size_t p, int engine) {
    out[index] = engine < 0 ? (logs[index] - std::log(kSpecs[p].prior)) / kSpecs[p].log_sd
                            : logs[index] / kSpecs[p].engine_log_sd;
  });
}

}  // namespace tensorpath::perf
