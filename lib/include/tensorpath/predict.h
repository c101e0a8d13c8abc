// What a plan would do: operator cost -> engine step -> serving level.
// Uses: 1) screen a million candidates a second, 2) explain one of them operator by operator,
// 3) replay how a benchmark measured, to say how wrong the numbers are (`validate`).
// Times are ms, sizes bytes, lengths tokens, rates per second of ONE replica.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/units.h>
#include <tensorpath/catalog.h>

namespace tensorpath {

// What one replica is made of. GPUs per replica = pp * tp * attn_dp; MoE TP = tp * attn_dp / ep.
struct Layout {
  const Gpu* gpu = nullptr;
  const Model* model = nullptr;
  const Engine* engine = nullptr;
  const Format* weight = nullptr;
  const KvFormat* kv = nullptr;
  int tp = 1;  // of attention
  int pp = 1;
  int ep = 1;
  int attn_dp = 1;

  [[nodiscard]] int gpus() const { return pp * tp * attn_dp; }
};

namespace perf {
struct CalibrationData;  // lib/src/predict/calibration_data.h
}

// Fitted numbers (data/calibration/*.yaml): operator efficiencies, engine overheads, held-out
// residuals for the bands. Loaded once and shared; copying is cheap.
class Calibration {
 public:
  // The first directory that has calibration/ops.yaml and calibration/serving.yaml wins, file by
  // file. Errors name file, line and column.
  [[nodiscard]] static Expected<Calibration> load(const std::vector<std::string>& data_directories);

  explicit Calibration(std::shared_ptr<const perf::CalibrationData> data)
      : data_(std::move(data)) {}
  [[nodiscard]] const perf::CalibrationData& data() const { return *data_; }

 private:
  std::shared_ptr<const perf::CalibrationData> data_;
};

// How the memory of one GPU of the replica is spent, by the engine's own rule (DESIGN, "Memory").
struct MemoryPlan {
  double weight_bytes = 0;   // per GPU, the fullest one
  double reserve_bytes = 0;  // runtime, activations, graphs and what the rule leaves unused
  double kv_bytes = 0;       // per GPU, left for the KV cache; negative when weights do not fit
  double kv_bytes_per_token = 0;  // per GPU
  double kv_capacity_tokens = 0;  // of the replica (all attention-DP ranks together)
  double max_request_tokens = 0;  // the longest single request that fits
};
// 0 takes the engine's default.
[[nodiscard]] MemoryPlan memory_plan(const Layout& layout, int max_batched_tokens = 0,
                                     int max_batch = 0);

// One efficiency-limited operator class of a step: time = norm(compute, memory) + fixed, where norm
// is (a^q + b^q)^(1/q): q = 1 serialises the two, a large q overlaps them perfectly.
struct StepModel {
  // Dense projections and feed-forward layers, all layers together.
  double gemm_compute_ms_per_token = 0;
  double gemm_weight_ms = 0;
  double gemm_io_ms_per_token = 0;
  int gemm_norm = 4;
  // lm_head, 16-bit: rows are the tokens that get sampled.
  double head_compute_ms_per_row = 0;
  double head_weight_ms = 0;
  // Routed experts, all layers together. Distinct experts hit by n tokens under skewed routing:
  // E (1 - (1 + n k / (E s))^-s), the gamma-Poisson mixture with shape s.
  double experts = 0;
  double experts_per_token = 0;
  double routing_shape = 1;
  double moe_compute_ms_per_row = 0;  // a row is one token in one expert
  double moe_rows_per_expert = 0;     // tile padding
  double moe_weight_ms_per_expert = 0;
  double moe_io_ms_per_token = 0;
  int moe_norm = 1;
  // Attention: decode reads the KV cache, prefill computes query-key pairs.
  double kv_ms_per_token = 0;         // layers that see everything
  double kv_window_ms_per_token = 0;  // sliding-window layers
  double window_tokens = 0;
  double pair_ms = 0;  // per query-key pair, layers that see everything
  double pair_window_ms = 0;
  // Collectives, and everything that does not scale with tokens.
  double link_ms_per_token = 0;          // per token of one attention rank
  double link_ms_per_replica_token = 0;  // per token of all ranks together
  double fixed_ms = 0;                   // launches, norms, collectives' latency, the engine's step
  double eager_floor_ms = 0;             // of a step with prefill that is launched kernel by kernel
  double graph_tokens = 0;               // steps up to so many tokens are captured in graphs
  double request_ms = 0;                 // per decoding request: scheduling, sampling, detokenising
  double frontend_ms_per_token = 0;      // slow hosts only: streaming one output token
  double attention_ranks = 1;            // attention-DP ranks
  double pipeline_stages = 1;
  double pipeline_bubble = 0;  // time lost per further stage, as a share
  // Serving level.
  double ttft_fixed_ms = 0;  // network, tokenising, the first scheduling
  double step_wait = 0.5;    // decode steps a new request waits for its first
  double interference = 1;   // share of other requests' prefill that a decoding request sees
  double queue_gain = 1;     // of the prefill queue's mean wait
  double burst_gain = 1;     // of a burst's mean wait
  double bunch_gain = 0.5;   // fixed lengths keep requests in step: bunch size = gain * n^power
  double bunch_power = 0.6;
  double bunch_share = 0.2;    // share of the in-flight requests prefilled in one step when bunched
  double reserved_output = 1;  // share of the output a request books KV for when admitted
  bool prefill_first = false;  // decoding stops while prompts are computed
  double kv_capacity_tokens = 0;
  double max_request_tokens = 0;
  int default_max_batch = 256;
  int default_max_batched_tokens = 8192;
};
// Pointers in the layout must be set; the result keeps none of them.
[[nodiscard]] StepModel compile(const Layout& layout, const Calibration& calibration);

// The work of one engine step of a replica.
struct StepLoad {
  double prefill_tokens = 0;  // new prompt tokens in this step
  double prefill_context_tokens =
      0;  // mean tokens already cached before them (prefix, earlier chunks)
  double decode_requests = 0;
  double decode_kv_tokens = 0;  // sum over the decoding requests
  double prefill_requests = 1;  // prompts the prefill tokens belong to
};
[[nodiscard]] double step_ms(const StepModel& model, const StepLoad& load);

enum class Bottleneck : std::uint8_t {
  kCompute,
  kHbmBandwidth,
  kKvCapacity,
  kCollectives,
  kScheduler,
  kCpuTools
};
[[nodiscard]] std::string_view to_string(Bottleneck bottleneck);

// The load on ONE replica.
struct Operating {
  double concurrency = 0;  // > 0: closed loop
  double rate_rps = 0;     // else open
  double arrival_cv = 1;   // of the gaps; 1 is Poisson
  double isl_mean = 0, isl_p50 = 0, isl_p95 = 0,
         isl_cv = 0;  // tokens; cv = standard deviation / mean
  double osl_mean = 0, osl_p50 = 0, osl_p95 = 0, osl_cv = 0;
  double prefix_hit_rate = 0;  // share of prompt tokens served from the cache
  int max_batch = 256;
  int max_batched_tokens = 8192;
  bool chunked_prefill = true;
  double accepted_tokens_per_step = 1;  // speculative decoding: mean tokens a step yields
  double draft_tokens = 0;              // proposed and verified in each step, per request
  double draft_cost_share = 0;          // time of the draft model as a share of a decode step
};

struct LatencyStat {
  double mean = 0, p50 = 0, p95 = 0;
};

struct Prediction {
  LatencyStat ttft_ms, tpot_ms, e2e_ms;
  double output_tok_s = 0;  // of the replica
  double request_rps = 0;   // completed
  double in_flight = 0;     // decoding or prefilling, mean
  double kv_tokens = 0;     // in use, mean
  double busy_share = 0;    // of the time the engine is in a step; open load: utilisation
  double capacity_rps = 0;  // the open rate at which it saturates
  bool saturated = false;   // an open load past capacity: latencies are infinite
  Bottleneck bottleneck = Bottleneck::kHbmBandwidth;
};

// The closed form, under a microsecond and without allocation. Formulas:
// lib/src/predict/steady.cpp.
[[nodiscard]] Prediction predict(const StepModel& model, const Operating& operating);

// Layer 3 as an interface: the closed form is one implementation, a simulation of continuous
// batching is another. Only finalists go through it; screening calls predict().
class ServingModel {
 public:
  virtual ~ServingModel() = default;
  [[nodiscard]] virtual Prediction serve(const StepModel& model,
                                         const Operating& operating) const = 0;
};
[[nodiscard]] const ServingModel& closed_form();

// One operator of a step: what it costs and what bounds it.
struct OperatorShare {
  std::string name;       // "qkv_proj", "attention_decode", "moe_experts", "all_reduce", "engine"
  double calls = 0;       // per step
  double prefill_ms = 0;  // per step of the mix, caused by prefill tokens
  double decode_ms = 0;   // likewise decode
  double share = 0;       // of the step's time
  std::string bound_by;   // compute | hbm | link | launch | cpu
};
[[nodiscard]] std::vector<OperatorShare> breakdown(const Layout& layout,
                                                   const Calibration& calibration,
                                                   const StepLoad& load);

// How far the truth may be from a prediction, from groups that were left out of the fit. Ratios of
// truth to prediction: the truth lies in [lo, hi] * prediction with probability `level`.
struct Accuracy {
  Provenance provenance = Provenance::kModeled;
  double level = 0.8;
  double ttft_lo = 1, ttft_hi = 1;
  double tpot_lo = 1, tpot_hi = 1;
  std::string basis;  // "held-out rows of vllm on h200_sxm, n = 180"
};
[[nodiscard]] Accuracy accuracy(const Layout& layout, const Calibration& calibration);

}  // namespace tensorpath
