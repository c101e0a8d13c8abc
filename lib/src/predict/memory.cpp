// Each engine's own rule from HBM to KV tokens (DESIGN, "Memory"):
//   vLLM          utilisation x total - weights - runtime - activations - graphs
//   TensorRT-LLM  fraction x (total - weights - runtime - activations - graphs)
//   SGLang        fraction x total - weights; the rest of the total serves everything else
//   llama.cpp     total - weights - runtime - activations; the whole context is set aside up front
#include "model_shape.h"

#include <algorithm>

#include <tensorpath/predict.h>

namespace tensorpath {
namespace {

// Peak activations of a step: residual stream twice, the widest projection in and out, 16 bit; and
// 32-bit logits of the tokens that are sampled.
double activation_bytes(const Layout& layout, double batched_tokens, double batch) {
  const Model& model = *layout.model;
  const double tp = std::max(1, layout.tp);
  double widest = 3.0 * model.ffn / tp;
  if (model.moe.experts > 0) {
    widest = std::max(widest, 3.0 * model.moe.experts_per_token * model.moe.expert_ffn / tp);
  }
  const double logits = std::min(batch, batched_tokens) * model.vocab / tp * 4;
  return batched_tokens * (4.0 * model.hidden + widest) * 2 + logits;
}

}  // namespace

MemoryPlan memory_plan(const Layout& layout, int max_batched_tokens, int max_batch) {
  const Engine& engine = *layout.engine;
  const SchedulerTier defaults = engine.defaults_on(*layout.gpu);
  const double batched = max_batched_tokens > 0 ? max_batched_tokens : defaults.max_batched_tokens;
  // Logits are made for decoding requests; no default sizes them past what is commonly captured.
  const double batch = max_batch > 0 ? max_batch : std::min(defaults.max_batch, 512);
  const double total = layout.gpu->hbm_bytes;
  const double fraction = defaults.memory_fraction;
  const double activations = activation_bytes(layout, batched, batch);
  MemoryPlan plan;
  plan.weight_bytes = perf::weight_bytes_per_gpu(layout);
  const double runtime = engine.memory.runtime_bytes;
  const double graphs = engine.memory.graph_bytes;
  if (engine.memory.kind == "free_fraction") {
    plan.kv_bytes = fraction * (total - plan.weight_bytes - runtime - activations - graphs);
  } else if (engine.memory.kind == "static_fraction") {
    plan.kv_bytes = fraction * total - plan.weight_bytes;
  } else {  // utilisation and whole_context: what is left of the share that the rule allows
    plan.kv_bytes = fraction * total - plan.weight_bytes - runtime - activations - graphs;
  }
  plan.reserve_bytes = total - plan.weight_bytes - plan.kv_bytes;
  plan.kv_bytes_per_token = perf::kv_bytes_per_token_per_gpu(layout);
  if (plan.kv_bytes > 0 && plan.kv_bytes_per_token > 0) {
    const double rank_tokens = plan.kv_bytes / plan.kv_bytes_per_token;
    plan.max_request_tokens = rank_tokens;
    plan.kv_capacity_tokens = rank_tokens * std::max(1, layout.attn_dp);
  }
  return plan;
}

}  // namespace tensorpath
