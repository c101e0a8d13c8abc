// A model cut to one GPU of a layout: what is stored, what is read, what is computed per token.
// Bytes are per GPU over all layers of a pipeline (divide by pp for one stage); FLOPs likewise.
// Sources: GQA Ainslie 2023 (arXiv:2305.13245); MLA DeepSeek-V2 (arXiv:2405.04434), decode with the
// absorbed projections.
#pragma once

#include <tensorpath/predict.h>

namespace tensorpath::perf {

// What the layout's engine computes with on that GPU.
struct Arithmetic {
  Dtype dense = Dtype::kBf16;    // type of the dense layers' matrix units
  Dtype experts = Dtype::kBf16;  // of the routed experts
  double dense_bytes_per_param = 2;
  double expert_bytes_per_param = 2;
  std::string dense_surface;   // key into GpuSurfaces::gemm
  std::string expert_surface;  // key into GpuSurfaces::moe
  std::string kv_surface;      // key into GpuSurfaces::decode
};
[[nodiscard]] Arithmetic arithmetic_of(const Layout& layout);

struct ModelShape {
  double dense_params = 0;       // attention, dense FFN and shared experts, per GPU, all layers
  double dense_launches = 0;     // GEMM kernels per step, all layers
  double dense_io_elements = 0;  // activations in and out of them, per token
  double expert_params = 0;      // one routed expert, per GPU, one layer
  double moe_layers = 0;
  double head_params = 0;                // lm_head, per GPU
  double kv_elements_full = 0;           // per cached token and GPU, layers that see everything
  double kv_elements_window = 0;         // sliding-window layers
  double decode_flops_per_kv_token = 0;  // all layers, as if all saw everything
  double pair_flops_full = 0;            // prefill, per query-key pair and GPU
  double pair_flops_window = 0;
  double full_layers = 0;
  double window_layers = 0;
};
[[nodiscard]] ModelShape shape_of(const Layout& layout);

// Weights on the fullest GPU, true bytes with scales: what the format does not cover (embeddings,
// lm_head, norms, routers) stays 16 bit.
[[nodiscard]] double weight_bytes_per_gpu(const Layout& layout);
// KV bytes per token on one GPU (of one pipeline stage, the fullest).
[[nodiscard]] double kv_bytes_per_token_per_gpu(const Layout& layout);

// FLOP/s of the matrix units; where the GPU has none for the type, the best 16- or 32-bit rate.
[[nodiscard]] double flop_s_or_wider(const Gpu& gpu, Dtype dtype);

}  // namespace tensorpath::perf
