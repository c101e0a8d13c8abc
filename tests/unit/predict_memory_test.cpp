// The memory rules: what weights and KV really take, and each engine's own arithmetic.
#include "predict_fixture.h"

using namespace tensorpath;
using namespace tensorpath::test;

TEST_CASE("GQA stores ceil(n_kv / tp) heads, so that large TP duplicates") {
  const double one =
      memory_plan(layout_of("qwen3-235b-a22b", "h200_sxm", "vllm", "fp8", 1)).kv_bytes_per_token;
  const double four =
      memory_plan(layout_of("qwen3-235b-a22b", "h200_sxm", "vllm", "fp8", 4)).kv_bytes_per_token;
  const double eight =
      memory_plan(layout_of("qwen3-235b-a22b", "h200_sxm", "vllm", "fp8", 8)).kv_bytes_per_token;
  // 94 layers, 4 KV heads of 128, keys and values, 2 bytes.
  CHECK(one == Approx(94.0 * 2 * 4 * 128 * 2));
  CHECK(four == Approx(one / 4));
  CHECK(eight == Approx(four));
}

TEST_CASE("MLA keeps one latent per token whatever the TP, and attention DP splits tokens") {
  Layout layout = layout_of("deepseek-v3", "b200_sxm", "sglang", "nvfp4", 8);
  const MemoryPlan tp = memory_plan(layout);
  CHECK(tp.kv_bytes_per_token == Approx(61.0 * (512 + 64) * 2));
  layout.tp = 1;
  layout.attn_dp = 8;
  const MemoryPlan dp = memory_plan(layout);
  CHECK(dp.kv_bytes_per_token == Approx(tp.kv_bytes_per_token));
  CHECK(dp.kv_capacity_tokens == Approx(8 * dp.max_request_tokens));
  CHECK(tp.kv_capacity_tokens == Approx(tp.max_request_tokens));
  CHECK(dp.kv_capacity_tokens > 2 * tp.kv_capacity_tokens);
}

TEST_CASE("Weights carry their scales, and 16-bit embeddings stay 16 bit") {
  const double fp8 =
      memory_plan(layout_of("llama-3.1-70b", "h200_sxm", "vllm", "fp8")).weight_bytes;
  const double bf16 =
      memory_plan(layout_of("llama-3.1-70b", "h200_sxm", "vllm", "bf16")).weight_bytes;
  const double embeddings = 2.0 * 128256 * 8192 * 2;
  CHECK(bf16 == Approx(141.1e9).epsilon(0.01));
  CHECK(fp8 - embeddings == Approx((bf16 - embeddings) / 2).epsilon(0.01));
}

TEST_CASE("A pipeline stage holds its share of the layers") {
  Layout layout = layout_of("llama-3.1-70b", "h100_sxm", "vllm", "fp8", 1);
  const MemoryPlan whole = memory_plan(layout);
  layout.pp = 2;
  const MemoryPlan half = memory_plan(layout);
  CHECK(half.kv_bytes_per_token == Approx(whole.kv_bytes_per_token / 2));
  CHECK(half.weight_bytes < 0.52 * whole.weight_bytes);
}

TEST_CASE("Parts add up to the HBM, and what does not fit says so") {
  for (const char* engine : {"vllm", "tensorrt_llm", "sglang"}) {
    const Layout layout = layout_of("llama-3.1-8b", "h100_sxm", engine, "bf16");
    const MemoryPlan plan = memory_plan(layout);
    CAPTURE(engine);
    CHECK(plan.weight_bytes + plan.reserve_bytes + plan.kv_bytes == Approx(layout.gpu->hbm_bytes));
    CHECK(plan.reserve_bytes > 0);
    CHECK(plan.max_request_tokens > 100'000);
  }
  const MemoryPlan none = memory_plan(layout_of("llama-3.1-70b", "h100_sxm", "vllm", "bf16"));
  CHECK(none.kv_bytes < 0);
  CHECK(none.max_request_tokens == 0);
}
