// Layers 1 and 2: what a step costs, and which way it moves.
#include "predict/step_time.h"
#include "predict_fixture.h"

#include <cmath>

using namespace tensorpath;
using namespace tensorpath::test;

namespace {

StepLoad decode(double requests, double context) {
  StepLoad load;
  load.decode_requests = requests;
  load.decode_kv_tokens = requests * context;
  return load;
}

StepLoad prompt(double tokens) {
  StepLoad load;
  load.prefill_tokens = tokens;
  return load;
}

}  // namespace

TEST_CASE("A step takes longer with more of anything") {
  const StepModel model = compiled(layout_of("llama-3.1-70b", "h200_sxm", "vllm", "fp8", 2));
  CHECK(step_ms(model, decode(8, 1000)) > step_ms(model, decode(1, 1000)));
  CHECK(step_ms(model, decode(8, 8000)) > step_ms(model, decode(8, 1000)));
  CHECK(step_ms(model, prompt(4096)) > step_ms(model, prompt(1024)));
  StepLoad cached = prompt(1024);
  cached.prefill_context_tokens = 16000;
  CHECK(step_ms(model, cached) > step_ms(model, prompt(1024)));
}

TEST_CASE("Decode is never faster than reading the weights, prefill than the peak") {
  for (const char* gpu : {"a100_80gb_sxm", "h100_sxm", "h200_sxm", "b200_sxm", "l40s"}) {
    const Layout layout = layout_of("llama-3.1-8b", gpu, "vllm", "bf16");
    const StepModel model = compiled(layout);
    CAPTURE(gpu);
    const double read_ms = 2 * layout.model->active_params() / layout.gpu->hbm_bytes_s * 1e3;
    CHECK(step_ms(model, decode(1, 128)) > read_ms);
    CHECK(step_ms(model, decode(1, 128)) < 4 * read_ms);
    const double compute_ms = 2 * 8192 * 7e9 / layout.gpu->flop_s(Dtype::kBf16) * 1e3;
    CHECK(step_ms(model, prompt(8192)) > compute_ms);
    CHECK(step_ms(model, prompt(8192)) < 4 * compute_ms);
  }
}

TEST_CASE("Distinct experts: k for one token, all in the limit, never more") {
  const StepModel model = compiled(layout_of("qwen3-235b-a22b", "h200_sxm", "vllm", "fp8", 4));
  CHECK(perf::experts_hit(model, 1) == Approx(8).margin(0.5));
  double last = 0;
  for (double tokens = 1; tokens < 1e6; tokens *= 2) {
    const double hit = perf::experts_hit(model, tokens);
    CHECK(hit >= last);
    CHECK(hit <= 128);
    CHECK(hit <= tokens * 8 + 1e-9);
    last = hit;
  }
  CHECK(last > 0.8 * 128);
}

TEST_CASE("A sliding window caps what decode reads") {
  const StepModel model = compiled(layout_of("gpt-oss-120b", "h200_sxm", "vllm", "mxfp4"));
  const double at_1k = step_ms(model, decode(32, 1024));
  const double at_2k = step_ms(model, decode(32, 2048));
  const double at_4k = step_ms(model, decode(32, 4096));
  CHECK(at_4k - at_2k == Approx(2 * (at_2k - at_1k)).epsilon(1e-6));
  CHECK(model.kv_window_ms_per_token > 0);
  CHECK(model.window_tokens == 128);
}

TEST_CASE("FP8 on a GPU without FP8 units runs at the 16-bit rate but reads half the bytes") {
  const StepModel fp8 = compiled(layout_of("llama-3.1-8b", "a100_80gb_sxm", "vllm", "fp8"));
  const StepModel bf16 = compiled(layout_of("llama-3.1-8b", "a100_80gb_sxm", "vllm", "bf16"));
  CHECK(fp8.gemm_compute_ms_per_token == Approx(bf16.gemm_compute_ms_per_token));
  CHECK(fp8.gemm_weight_ms == Approx(bf16.gemm_weight_ms / 2).epsilon(0.02));
}

TEST_CASE("The breakdown adds up to the step") {
  const Layout layout = layout_of("deepseek-v3", "b200_sxm", "sglang", "nvfp4", 8);
  StepLoad load = decode(64, 4000);
  load.prefill_tokens = 2048;
  double sum = 0, shares = 0;
  for (const OperatorShare& op : breakdown(layout, predict_calibration(), load)) {
    CAPTURE(op.name);
    CHECK(op.prefill_ms >= 0);
    CHECK(op.decode_ms >= 0);
    CHECK_FALSE(op.bound_by.empty());
    sum += op.prefill_ms + op.decode_ms;
    shares += op.share;
  }
  CHECK(sum == Approx(step_ms(compiled(layout), load)).epsilon(1e-9));
  CHECK(shares == Approx(1).epsilon(1e-9));
}

TEST_CASE("The fast norm is the p-norm") {
  for (const int q : {1, 2, 4, 8}) {
    CAPTURE(q);
    const double expected = std::pow(std::pow(3.0, q) + std::pow(2.0, q), 1.0 / q);
    CHECK(perf::fast_norm(3, 2, q) == Approx(expected).epsilon(1e-12));
  }
}
