// Layer 3: the steady state keeps the laws that any queue keeps.
#include "predict_fixture.h"

#include <cmath>

using namespace tensorpath;
using namespace tensorpath::test;

namespace {

StepModel model_70b() {
  return compiled(layout_of("llama-3.1-70b", "h200_sxm", "vllm", "fp8", 2, "fp8"));
}

}  // namespace

TEST_CASE("Little's law holds in the closed loop") {
  const StepModel model = model_70b();
  for (const double concurrency : {1.0, 4.0, 32.0, 128.0}) {
    const Prediction p = predict(model, closed_loop(concurrency, 1024, 512));
    CAPTURE(concurrency);
    CHECK(p.request_rps * p.e2e_ms.mean / 1e3 == Approx(concurrency).epsilon(0.1));
    CHECK(p.output_tok_s == Approx(p.request_rps * 512));
  }
}

TEST_CASE("More load is never faster, and throughput grows with concurrency") {
  const StepModel model = model_70b();
  Prediction last = predict(model, closed_loop(1, 1024, 512));
  for (double concurrency = 2; concurrency <= 256; concurrency *= 2) {
    const Prediction p = predict(model, closed_loop(concurrency, 1024, 512));
    CAPTURE(concurrency);
    CHECK(p.tpot_ms.mean >= last.tpot_ms.mean);
    CHECK(p.ttft_ms.mean >= last.ttft_ms.mean);
    CHECK(p.output_tok_s >= last.output_tok_s);
    last = p;
  }
}

TEST_CASE("An open load meets the closed one that has its requests in flight") {
  const StepModel model = model_70b();
  const Prediction closed = predict(model, closed_loop(24, 1024, 512));
  const Prediction open = predict(model, open_load(closed.request_rps, 1024, 512));
  CHECK_FALSE(open.saturated);
  CHECK(open.tpot_ms.mean == Approx(closed.tpot_ms.mean).epsilon(0.1));
  CHECK(open.in_flight == Approx(24).epsilon(0.15));
}

TEST_CASE("An open load saturates at its capacity and not before") {
  const StepModel model = model_70b();
  const double capacity = predict(model, open_load(0.1, 1024, 512)).capacity_rps;
  REQUIRE(capacity > 1);
  double last_ttft = 0;
  for (const double share : {0.1, 0.5, 0.8, 0.95, 0.999}) {
    const Prediction p = predict(model, open_load(share * capacity, 1024, 512));
    CAPTURE(share);
    CHECK_FALSE(p.saturated);
    CHECK(p.busy_share == Approx(share));
    CHECK(std::isfinite(p.ttft_ms.p95));
    CHECK(p.ttft_ms.mean > last_ttft);
    CHECK(p.ttft_ms.p50 <= p.ttft_ms.p95);
    CHECK(p.e2e_ms.p50 <= p.e2e_ms.p95);
    last_ttft = p.ttft_ms.mean;
  }
  const Prediction over = predict(model, open_load(1.01 * capacity, 1024, 512));
  CHECK(over.saturated);
  CHECK(std::isinf(over.ttft_ms.mean));
  CHECK(over.request_rps == Approx(capacity).epsilon(0.01));
}

TEST_CASE("Bursty arrivals wait longer, cached prefixes shorter") {
  const StepModel model = model_70b();
  Operating op = open_load(2, 4096, 256);
  const Prediction poisson = predict(model, op);
  op.arrival_cv = 3;
  CHECK(predict(model, op).ttft_ms.mean > poisson.ttft_ms.mean);
  op.arrival_cv = 1;
  op.prefix_hit_rate = 0.8;
  CHECK(predict(model, op).ttft_ms.mean < poisson.ttft_ms.mean);
}

TEST_CASE("A batch cap and KV make requests queue") {
  const StepModel model = model_70b();
  Operating op = closed_loop(64, 1024, 512);
  op.max_batch = 16;
  const Prediction capped = predict(model, op);
  CHECK(capped.in_flight == Approx(16));
  CHECK(capped.ttft_ms.mean > 2 * capped.tpot_ms.mean * 511);
  StepModel small = model;
  small.kv_capacity_tokens = 16 * (1024 + small.reserved_output * 512);
  op.max_batch = 1024;
  const Prediction starved = predict(small, op);
  CHECK(starved.in_flight == Approx(16));
  CHECK(starved.bottleneck == Bottleneck::kKvCapacity);
}

TEST_CASE("Speculation yields more tokens a step and costs more a step") {
  const StepModel model = model_70b();
  Operating op = closed_loop(4, 1024, 512);
  const double plain = predict(model, op).tpot_ms.mean;
  op.draft_tokens = 3;
  op.draft_cost_share = 0.1;
  op.accepted_tokens_per_step = 2.5;
  CHECK(predict(model, op).tpot_ms.mean < plain);
  op.accepted_tokens_per_step = 1;
  CHECK(predict(model, op).tpot_ms.mean > plain);
}

TEST_CASE("The interface and the function are one model") {
  const StepModel model = model_70b();
  const Operating op = open_load(3, 2000, 300);
  CHECK(closed_form().serve(model, op).ttft_ms.p95 == predict(model, op).ttft_ms.p95);
}

TEST_CASE("Extreme loads stay finite") {
  const StepModel model = compiled(layout_of("gpt-oss-120b", "h200_sxm", "vllm", "mxfp4"));
  for (const double isl : {1.0, 100000.0}) {
    for (const double osl : {1.0, 30000.0}) {
      for (const double concurrency : {1.0, 5000.0}) {
        const Prediction p = predict(model, closed_loop(concurrency, isl, osl));
        CAPTURE(isl, osl, concurrency);
        CHECK(std::isfinite(p.ttft_ms.mean));
        CHECK(p.ttft_ms.mean > 0);
        CHECK(p.tpot_ms.mean > 0);
        CHECK(std::isfinite(p.e2e_ms.p95));
      }
    }
  }
}

TEST_CASE("Little's law holds under an open load, mixtures of experts included") {
  for (const char* name : {"llama-3.1-8b", "qwen3-30b-a3b", "gpt-oss-120b", "deepseek-v3"}) {
    const Model& model = *must(predict_catalog().model(name));
    const StepModel step =
        compiled(layout_of(name, "b200_sxm", "sglang", model.native_format, 8, "fp8"));
    const double capacity = predict(step, open_load(1e-3, 1500, 1500)).capacity_rps;
    double last_tpot = 0;
    for (const double share : {0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95}) {
      const Prediction p = predict(step, open_load(share * capacity, 1500, 1500));
      CAPTURE(name, share);
      CHECK(p.in_flight == Approx(p.request_rps * p.e2e_ms.mean / 1e3).epsilon(0.05));
      CHECK(p.tpot_ms.mean >= last_tpot * 0.999);
      last_tpot = p.tpot_ms.mean;
    }
  }
}

TEST_CASE("Little's law holds in a closed loop of short answers") {
  const StepModel step = compiled(layout_of("llama-3.1-8b", "h100_sxm", "vllm", "bf16"));
  for (const double osl : {1.0, 4.0, 32.0}) {
    for (const double concurrency : {1.0, 2.0, 8.0, 64.0}) {
      const Prediction p = predict(step, closed_loop(concurrency, 128, osl));
      CAPTURE(osl, concurrency);
      CHECK(p.request_rps * p.e2e_ms.mean / 1e3 == Approx(concurrency).epsilon(0.1));
    }
  }
}

TEST_CASE("A token budget under the load saturates") {
  const StepModel step = compiled(layout_of("llama-3.1-8b", "h100_sxm", "vllm", "bf16"));
  Operating op = open_load(6, 2000, 400);
  op.max_batched_tokens = 16;
  CHECK(predict(step, op).saturated);
  op.max_batched_tokens = 8192;
  CHECK_FALSE(predict(step, op).saturated);
}

TEST_CASE("Pipelining loses to as many replicas") {
  Layout layout = layout_of("llama-3.1-8b", "l40s", "vllm", "fp8");
  const StepModel one = compiled(layout);
  layout.pp = 4;
  const StepModel four = compiled(layout);
  CHECK(predict(four, open_load(1e-3, 700, 200)).capacity_rps <
        4 * predict(one, open_load(1e-3, 700, 200)).capacity_rps);
}
