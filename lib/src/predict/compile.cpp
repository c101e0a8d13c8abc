#include "compile.h"

#include <algorithm>
#include <cmath>

namespace tensorpath {
namespace perf {
namespace {

// Assumed, nothing measured is behind it: micro-batches of a mixed load differ in length, and each
// further stage waits about a tenth of a step for the longest.
constexpr double kPipelineBubble = 0.1;
constexpr double kMs = 1e3;     // seconds to ms
constexpr double kUsMs = 1e-3;  // us to ms

// A serving parameter under one engine, with the corrections that apply to the GPU and type.
class Factors {
 public:
  Factors(const CompileInput& input, const ServingParameters& parameters)
      : parameters_(parameters),
        engine_(input.engine),
        blackwell_(input.layout.gpu->family == "blackwell") {}

  double operator()(Param param) const { return parameters_.value(param, engine_); }
  double on(Param param, bool holds) const { return holds ? (*this)(param) : 1; }
  bool blackwell() const { return blackwell_; }

 private:
  const ServingParameters& parameters_;
  int engine_;
  bool blackwell_;
};

void add_dense(const CompileInput& in, const Factors& factor, StepModel& out) {
  const Gpu& gpu = *in.layout.gpu;
  const Surface& gemm = surface_of(in.surfaces->gemm, in.arithmetic.dense_surface);
  const bool fp8 = in.arithmetic.dense == Dtype::kFp8 || in.arithmetic.dense == Dtype::kInt8;
  const bool fp4 = in.arithmetic.dense == Dtype::kFp4;
  const double rate = flop_s_or_wider(gpu, in.arithmetic.dense) * gemm.compute_efficiency;
  const double bandwidth = gpu.hbm_bytes_s * gemm.memory_efficiency;
  const double compute =
      factor(Param::kGemmCompute) * factor.on(Param::kGemmComputeBlackwell, factor.blackwell()) *
      factor.on(Param::kGemmComputeFp8, fp8) * factor.on(Param::kGemmComputeFp4, fp4);
  const double memory =
      factor(Param::kGemmMemory) * factor.on(Param::kGemmMemoryBlackwell, factor.blackwell()) *
      factor.on(Param::kGemmMemoryFp8, fp8) * factor.on(Param::kGemmMemoryFp4, fp4);
  const double depth = 1 + gemm.half_depth / in.layout.model->hidden;
  out.gemm_compute_ms_per_token = 2 * in.shape.dense_params / rate * depth * compute * kMs;
  out.gemm_weight_ms =
      in.shape.dense_params * in.arithmetic.dense_bytes_per_param / bandwidth * memory * kMs;
  out.gemm_io_ms_per_token = in.shape.dense_io_elements * 2 / bandwidth * memory * kMs;
  out.gemm_norm = gemm.norm;
  // The FP8 block table was taken eagerly with its quantisation; its launch is the host's, not the
  // kernel's, so launches never cost more than the plain FP8 GEMM's.
  const double launch_us =
      std::min(gemm.launch_us, surface_of(in.surfaces->gemm, "fp8").launch_us + 2);
  out.fixed_ms += in.shape.dense_launches * launch_us * kUsMs * factor(Param::kLaunch);
  const Surface& plain = surface_of(in.surfaces->gemm, "bf16");
  const double head_rate = flop_s_or_wider(gpu, Dtype::kBf16) * plain.compute_efficiency;
  out.head_compute_ms_per_row = 2 * in.shape.head_params / head_rate * kMs;
  out.head_weight_ms = 2 * in.shape.head_params / (gpu.hbm_bytes_s * plain.memory_efficiency) * kMs;
}

void add_experts(const CompileInput& in, const Factors& factor, StepModel& out) {
  if (in.shape.moe_layers <= 0) return;
  const Gpu& gpu = *in.layout.gpu;
  const Model& model = *in.layout.model;
  const Surface& moe = surface_of(in.surfaces->moe, in.arithmetic.expert_surface);
  const double rate = flop_s_or_wider(gpu, in.arithmetic.experts) * moe.compute_efficiency;
  const double layers = in.shape.moe_layers;
  out.experts = model.moe.experts;
  out.experts_per_token = model.moe.experts_per_token;
  out.routing_shape = factor(Param::kRoutingShape);
  out.moe_compute_ms_per_row =
      2 * in.shape.expert_params / rate * layers * factor(Param::kMoeCompute) * kMs;
  out.moe_rows_per_expert = moe.rows_per_expert;
  out.moe_weight_ms_per_expert = in.shape.expert_params * in.arithmetic.expert_bytes_per_param /
                                 (gpu.hbm_bytes_s * moe.memory_efficiency) * layers *
                                 factor(Param::kMoeMemory) * kMs;
  out.moe_io_ms_per_token =
      model.hidden * moe.io_bytes_per_element / gpu.hbm_bytes_s * layers * kMs;
  out.moe_norm = moe.norm;
  out.fixed_ms += layers * moe.launch_us * kUsMs * factor(Param::kLaunch);
}

void add_attention(const CompileInput& in, const Factors& factor, StepModel& out) {
  const Gpu& gpu = *in.layout.gpu;
  const Model& model = *in.layout.model;
  const Surface& decode = surface_of(in.surfaces->decode, in.arithmetic.kv_surface);
  const Surface& context = surface_of(in.surfaces->context, "bf16");
  const double bandwidth = gpu.hbm_bytes_s * decode.memory_efficiency;
  const double rate = flop_s_or_wider(gpu, Dtype::kBf16);
  const double memory = factor(Param::kAttentionMemory);
  const double compute_per_token =
      in.shape.decode_flops_per_kv_token / (rate * decode.compute_efficiency) * kMs;
  const auto per_token = [&](double elements, double layers) {
    const double read = elements * in.layout.kv->bytes_per_element / bandwidth * kMs * memory;
    const double all = std::max(1.0, in.shape.full_layers + in.shape.window_layers);
    return std::max(read, compute_per_token * layers / all);
  };
  out.kv_ms_per_token = per_token(in.shape.kv_elements_full, in.shape.full_layers);
  out.kv_window_ms_per_token = per_token(in.shape.kv_elements_window, in.shape.window_layers);
  out.window_tokens = model.attention.window_tokens;
  const double prefill = rate * context.compute_efficiency / factor(Param::kAttentionCompute);
  out.pair_ms = in.shape.pair_flops_full / prefill * kMs;
  out.pair_window_ms = in.shape.pair_flops_window / prefill * kMs;
  out.fixed_ms += model.layers * decode.launch_us * kUsMs * factor(Param::kLaunch);
}

// Two all-reduces a layer under TP; under attention DP an all-gather and a reduce-scatter around
// the experts, which together move as much as one all-reduce.
void add_collectives(const CompileInput& in, const Factors& factor, StepModel& out) {
  const Gpu& gpu = *in.layout.gpu;
  const Model& model = *in.layout.model;
  const CollectiveSurface& link = in.surfaces->all_reduce;
  const double bandwidth = std::max(gpu.link_bytes_s, 1e9) * link.bandwidth_efficiency *
                           factor(Param::kAllReduceBandwidth);
  const auto add = [&](int ranks, double per_step, double& per_token) {
    if (ranks <= 1) return;
    const double message = 2.0 * model.hidden;  // bytes per token, 16 bit
    const double traffic = 2 * message * (ranks - 1) / ranks;
    // Past the scale-up domain the network carries it.
    const bool inside = ranks <= gpu.link_domain_gpus || gpu.scale_out_bytes_s <= 0;
    const double wire = inside ? bandwidth : gpu.scale_out_bytes_s * link.bandwidth_efficiency;
    per_token += per_step * traffic / wire * kMs;
    out.fixed_ms += per_step * link.latency_on(ranks) * kUsMs * factor(Param::kAllReduceLatency);
  };
  add(in.layout.tp, 2.0 * model.layers, out.link_ms_per_token);
  add(in.layout.attn_dp, in.shape.moe_layers, out.link_ms_per_replica_token);
  if (in.layout.pp > 1) {
    // One hand-over of the residual stream per stage boundary: link or network, 10 us each.
    const double wire =
        in.layout.gpus() <= gpu.gpus_per_node ? gpu.link_bytes_s : gpu.scale_out_bytes_s;
    out.link_ms_per_token += (in.layout.pp - 1) * 2.0 * model.hidden / std::max(wire, 1e9) * kMs;
    out.fixed_ms += (in.layout.pp - 1) * 10 * kUsMs;
  }
}

}  // namespace

CompileInput prepare(const Layout& layout, const CalibrationData& data, int max_batched_tokens,
                     int max_batch) {
  CompileInput input;
  input.layout = layout;
  input.shape = shape_of(layout);
  input.arithmetic = arithmetic_of(layout);
  input.memory = memory_plan(layout, max_batched_tokens, max_batch);
  input.surfaces = &data.surfaces.of(*layout.gpu, &input.surfaces_exact);
  input.scheduler = data.scheduler(layout.engine->name);
  input.engine = factor_index(layout.engine->name);
  return input;
}

StepModel compile_step(const CompileInput& in, const ServingParameters& parameters,
                       bool slow_host) {
  const Factors factor(in, parameters);
  const Model& model = *in.layout.model;
  StepModel out;
  add_dense(in, factor, out);
  add_experts(in, factor, out);
  add_attention(in, factor, out);
  add_collectives(in, factor, out);
  const double host = factor.on(Param::kSlowHostTtft, slow_host);
  out.fixed_ms +=
      factor(Param::kStepMs) + model.layers * factor(Param::kLayerMs) *
                                   factor.on(Param::kLayerBlackwell, factor.blackwell()) *
                                   factor.on(Param::kSlowHostLayer, slow_host);
  out.request_ms = factor(Param::kRequestMs) * factor.on(Param::kSlowHostRequest, slow_host);
  out.eager_floor_ms = model.layers * factor(Param::kEagerLayerMs) * host;
  out.ttft_fixed_ms = factor(Param::kTtftMs) * host;
  out.frontend_ms_per_token = slow_host ? factor(Param::kFrontendMs) : 0;
  out.pipeline_stages = std::max(1, in.layout.pp);
  out.pipeline_bubble = kPipelineBubble;
  out.attention_ranks = std::max(1, in.layout.attn_dp);
  out.interference = factor(Param::kInterference);
  out.queue_gain = factor(Param::kQueueGain);
  out.burst_gain = factor(Param::kBurstGain);
  out.step_wait = factor(Param::kStepWait);
  out.bunch_gain = factor(Param::kBunchGain);
  out.bunch_power = factor(Param::kBunchPower);
  const double odds = factor(Param::kBunchOdds);
  out.bunch_share = odds / (1 + odds);
  out.reserved_output = in.scheduler.reserved_output;
  out.graph_tokens = in.scheduler.graph_tokens;
  out.prefill_first = in.scheduler.prefill_first;
  out.kv_capacity_tokens = in.memory.kv_capacity_tokens;
  out.max_request_tokens = in.memory.max_request_tokens;
  const SchedulerTier defaults = in.layout.engine->defaults_on(*in.layout.gpu);
  out.default_max_batch = defaults.max_batch;
  out.default_max_batched_tokens = defaults.max_batched_tokens;
  return out;
}

}  // namespace perf

StepModel compile(const Layout& layout, const Calibration& calibration) {
  const perf::CompileInput input = perf::prepare(layout, calibration.data());
  return perf::compile_step(input, calibration.data().parameters, false);
}

}  // namespace tensorpath
