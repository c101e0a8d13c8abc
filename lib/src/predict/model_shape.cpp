#include "model_shape.h"

#include <algorithm>
#include <cmath>

namespace tensorpath::perf {
namespace {

constexpr double kHighPrecisionBytes = 2;  // embeddings, lm_head, norms and routers

std::string surface_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFp8:
    case Dtype::kInt8:  // no INT8 surface was measured; both have twice the 16-bit rate
      return "fp8";
    case Dtype::kFp4:
      return "nvfp4";
    default:
      return "bf16";
  }
}

// Experts published in FP8 use 128 x 128 block scales, as every MoE with a native FP8 checkpoint
// does; the MoE tables have both, and per-tensor FP8 experts run through the same kernels.
std::string expert_surface_name(const Layout& layout, bool native, double bits) {
  const bool four_bit = bits < 6;
  if (!native) return four_bit ? (layout.weight->name == "mxfp4" ? "mxfp4_16" : "int4_16") : "bf16";
  if (layout.weight->name == "mxfp4") return "mxfp4_8";
  if (four_bit) return "nvfp4";
  return bits < 12 ? "fp8_block" : "bf16";
}

double ceil_div(int a, int b) { return std::ceil(static_cast<double>(a) / std::max(1, b)); }

// MLA keeps one latent per token whatever the TP; GQA splits heads and duplicates past n_kv.
double kv_elements_per_layer(const Attention& attention, int tp) {
  if (attention.is_mla()) return attention.kv_lora_rank + attention.rope_head_dim;
  return 2 * ceil_div(attention.kv_heads, tp) * attention.head_dim;
}

double io_elements_per_layer(const Model& model, int tp, bool dense_ffn) {
  const Attention& attention = model.attention;
  const double head_dim = attention.is_mla() ? attention.v_head_dim : attention.head_dim;
  const double q = attention.heads * head_dim / tp;
  const double kv = kv_elements_per_layer(attention, tp);
  double elements = model.hidden + q + kv + q + model.hidden;
  if (dense_ffn) elements += 2.0 * model.hidden + (model.gated_ffn ? 3.0 : 2.0) * model.ffn / tp;
  return elements;
}

}  // namespace

double flop_s_or_wider(const Gpu& gpu, Dtype dtype) {
  if (gpu.has(dtype)) return gpu.flop_s(dtype);
  for (const Dtype wider : {Dtype::kBf16, Dtype::kFp16, Dtype::kFp32}) {
    if (gpu.has(wider)) return gpu.flop_s(wider);
  }
  return 1e12;  // a catalog entry without any rate; nothing sensible can be said
}

Arithmetic arithmetic_of(const Layout& layout) {
  const Format& format = *layout.weight;
  const Gpu& gpu = *layout.gpu;
  const bool native = !format.weight_only && gpu.has(format.compute) &&
                      layout.engine->path(format.name, gpu.architecture) == Engine::Path::kNative;
  const double bytes = format.bits_per_param / 8;
  Arithmetic result;
  const bool experts_only = format.covers == "experts";
  result.dense_bytes_per_param = experts_only ? kHighPrecisionBytes : bytes;
  result.expert_bytes_per_param = bytes;
  result.experts = native ? format.compute : Dtype::kBf16;
  result.dense = experts_only ? Dtype::kBf16 : result.experts;
  // MXFP4 weights meet FP8 activations on Blackwell, so arithmetic runs at the FP8 rate.
  if (native && format.name == "mxfp4" && gpu.has(Dtype::kFp8)) result.experts = Dtype::kFp8;
  result.dense_surface = surface_name(result.dense);
  result.expert_surface = expert_surface_name(layout, native, format.bits_per_param);
  result.kv_surface = layout.kv->bytes_per_element < 1.5 ? "fp8" : "bf16";
  return result;
}

ModelShape shape_of(const Layout& layout) {
  const Model& model = *layout.model;
  const Attention& attention = model.attention;
  const int tp = std::max(1, layout.tp);
  ModelShape shape;
  shape.moe_layers = model.moe.experts > 0 ? model.moe_layers() : 0;
  const double dense_layers = model.layers - shape.moe_layers;
  shape.dense_params = (model.attention_params_per_layer() * model.layers +
                        (dense_layers > 0 ? model.dense_ffn_params_per_layer() * dense_layers : 0) +
                        model.shared_expert_params_per_layer() * shape.moe_layers) /
                       tp;
  const double attention_launches = attention.is_mla() ? 5 : 2;
  shape.dense_launches = attention_launches * model.layers + 2 * dense_layers +
                         (model.moe.shared_experts > 0 ? 2 * shape.moe_layers : 0);
  shape.dense_io_elements = dense_layers * io_elements_per_layer(model, tp, true) +
                            shape.moe_layers * io_elements_per_layer(model, tp, false);
  // MoE TP x EP = TP x attention DP: each GPU holds that share of every expert's work.
  shape.expert_params =
      shape.moe_layers > 0 ? model.expert_params() / (tp * std::max(1, layout.attn_dp)) : 0;
  shape.head_params = static_cast<double>(model.vocab) * model.hidden / tp;
  shape.window_layers = attention.window_tokens > 0 ? attention.windowed_layers : 0;
  shape.full_layers = model.layers - shape.window_layers;
  const double kv_layer = kv_elements_per_layer(attention, tp);
  shape.kv_elements_full = kv_layer * shape.full_layers;
  shape.kv_elements_window = kv_layer * shape.window_layers;
  const double heads = static_cast<double>(attention.heads) / tp;
  const double decode_dim = attention.is_mla()
                                ? 2.0 * attention.kv_lora_rank + attention.rope_head_dim
                                : 2.0 * attention.head_dim;
  const double prefill_dim =
      attention.is_mla() ? attention.nope_head_dim + attention.rope_head_dim + attention.v_head_dim
                         : 2.0 * attention.head_dim;
  shape.decode_flops_per_kv_token = 2 * heads * decode_dim * model.layers;
  shape.pair_flops_full = 2 * heads * prefill_dim * shape.full_layers;
  shape.pair_flops_window = 2 * heads * prefill_dim * shape.window_layers;
  return shape;
}

double weight_bytes_per_gpu(const Layout& layout) {
  const Model& model = *layout.model;
  const ModelShape shape = shape_of(layout);
  const Arithmetic arithmetic = arithmetic_of(layout);
  const double experts = shape.moe_layers * model.moe.experts * shape.expert_params;
  const double embedding_bytes =
      layout.weight->covers == "all" ? arithmetic.dense_bytes_per_param : kHighPrecisionBytes;
  // Embedding and head sit on the first and last stage; the fuller of them has one of the two.
  double embedding = model.embedding_params() / std::max(1, layout.tp);
  if (layout.pp > 1 && !model.tied_embeddings) embedding /= 2;
  const double norms = 2.0 * model.hidden * model.layers;
  const double router = static_cast<double>(model.hidden) * model.moe.experts * shape.moe_layers;
  const double stages = std::max(1, layout.pp);
  return (shape.dense_params * arithmetic.dense_bytes_per_param +
          experts * arithmetic.expert_bytes_per_param + (norms + router) * kHighPrecisionBytes) /
             stages +
         embedding * embedding_bytes;
}

double kv_bytes_per_token_per_gpu(const Layout& layout) {
  const ModelShape shape = shape_of(layout);
  const double stages = std::max(1, layout.pp);
  // Windowed layers hold the window, not the context, where the engine pools them apart; what is
  // left per context token is then the other layers.
  const bool pooled = layout.engine->pools_windowed_kv && shape.full_layers > 0;
  const double elements = shape.kv_elements_full + (pooled ? 0 : shape.kv_elements_window);
  return elements * layout.kv->bytes_per_element / stages;
}

}  // namespace tensorpath::perf
