// The shipped engines: which formats run where, what they set aside, and what they do unasked.
#include "catch.h"

#include <algorithm>
#include <string>

#include <tensorpath/catalog.h>

using namespace tensorpath;
using Path = Engine::Path;

namespace {

Catalog shipped() {
  Expected<Catalog> catalog = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
  INFO((catalog ? std::string() : catalog.error().to_string()));
  REQUIRE(catalog);
  return std::move(*catalog);
}

const Engine& engine(const Catalog& catalog, const std::string& name) {
  const Engine* found = catalog.find_engine(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return *found;
}

SchedulerTier defaults(const Catalog& catalog, const std::string& name, const std::string& gpu) {
  const Gpu* device = catalog.find_gpu(gpu);
  INFO(gpu);
  REQUIRE(device != nullptr);
  return engine(catalog, name).defaults_on(*device);
}

}  // namespace

TEST_CASE("FP8 weights run as weights only on Ampere, which has no FP8 units") {
  const Catalog catalog = shipped();
  for (const std::string name : {"vllm", "sglang"}) {
    CAPTURE(name);
    CHECK(engine(catalog, name).path("fp8", "sm_80") == Path::kWeightOnly);
    CHECK(engine(catalog, name).path("fp8", "sm_89") == Path::kNative);
    CHECK(engine(catalog, name).path("fp8", "gfx942") == Path::kNative);
  }
  CHECK(engine(catalog, "tensorrt_llm").path("fp8", "sm_80") == Path::kNone);
  CHECK(engine(catalog, "tensorrt_llm").path("fp8", "sm_90") == Path::kNative);
}

TEST_CASE("FP4 is native from Blackwell on") {
  const Catalog catalog = shipped();
  for (const std::string architecture : {"sm_100", "sm_103", "sm_120"}) {
    CAPTURE(architecture);
    CHECK(engine(catalog, "vllm").path("nvfp4", architecture) == Path::kNative);
    CHECK(engine(catalog, "tensorrt_llm").path("nvfp4", architecture) == Path::kNative);
  }
  CHECK(engine(catalog, "vllm").path("nvfp4", "sm_90") == Path::kWeightOnly);
  CHECK(engine(catalog, "tensorrt_llm").path("nvfp4", "sm_90") == Path::kNone);
  CHECK(engine(catalog, "vllm").path("mxfp4", "sm_90") == Path::kWeightOnly);
}

TEST_CASE("INT8 ended with Hopper") {
  const Catalog catalog = shipped();
  CHECK(engine(catalog, "vllm").path("int8", "sm_90") == Path::kNative);
  CHECK(engine(catalog, "vllm").path("int8", "sm_100") == Path::kNone);
  CHECK(engine(catalog, "sglang").path("int8", "sm_120") == Path::kNone);
}

TEST_CASE("every GPU has an engine that runs bf16 weights and cache on it") {
  const Catalog catalog = shipped();
  for (const Gpu& gpu : catalog.gpus()) {
    CAPTURE(gpu.name, gpu.architecture);
    const bool served =
        std::any_of(catalog.engines().begin(), catalog.engines().end(), [&](const Engine& each) {
          return each.path("bf16", gpu.architecture) == Path::kNative &&
                 each.kv_path("bf16", gpu.architecture) == Path::kNative;
        });
    CHECK(served);
  }
  CHECK(engine(catalog, "llama_cpp").path("gguf_q4_k_m", "x86_64") == Path::kWeightOnly);
}

TEST_CASE("what an engine does unasked depends on the GPU") {
  const Catalog catalog = shipped();
  CHECK(defaults(catalog, "vllm", "h100_sxm").max_batch == 1024);
  CHECK(defaults(catalog, "vllm", "h100_sxm").max_batched_tokens == 8192);
  // 80 GB, but vLLM leaves A100s out by name.
  CHECK(defaults(catalog, "vllm", "a100_80gb_sxm").max_batched_tokens == 2048);
  CHECK(defaults(catalog, "vllm", "l40s").max_batch == 256);
  CHECK(defaults(catalog, "vllm", "l40s").memory_fraction == 0.92);
  CHECK(defaults(catalog, "sglang", "b200").max_batched_tokens == 16384);
  CHECK(defaults(catalog, "sglang", "rtx_4090").memory_fraction <
        defaults(catalog, "sglang", "h200").memory_fraction);
  CHECK(defaults(catalog, "llama_cpp", "rtx_4090").max_batch == 4);
}

TEST_CASE("SGLang's fractions are its own rule") {
  const Catalog catalog = shipped();
  const Engine& sglang = engine(catalog, "sglang");
  for (const Gpu& gpu : catalog.gpus()) {
    if (sglang.path("bf16", gpu.architecture) == Path::kNone) continue;
    CAPTURE(gpu.name);
    const SchedulerTier tier = sglang.defaults_on(gpu);
    // In MiB, at tp 1: metadata, activations of a prefill chunk, one GPU's share, prefill graphs
    // and the decode graphs, which end at 512 requests on the largest GPUs and at 32 on the
    // smallest.
    const double total = gpu.hbm_bytes / (1024.0 * 1024.0);
    const double fixed = 512 + 1.5 * tier.max_batched_tokens + 128 + 8 * 50;
    const auto fraction = [&](double graph_requests) {
      const double reserved = fixed + 2 * graph_requests;
      return 1 - (total > 60 * 1024 ? std::max(reserved, 10.0 * 1024) : reserved) / total;
    };
    // One number stands for the sizes of a tier: two percent of room to either side.
    CHECK(tier.memory_fraction <= fraction(8) + 0.02);
    CHECK(tier.memory_fraction >= fraction(512) - 0.02);
  }
}

TEST_CASE("each engine names one release, and an image of it") {
  const Catalog catalog = shipped();
  CHECK(catalog.engines().size() == 4);
  for (const Engine& each : catalog.engines()) {
    CAPTURE(each.name);
    CHECK(each.image.find(each.release) != std::string::npos);
  }
}

TEST_CASE("vLLM is simpler to operate than TensorRT-LLM") {
  const Catalog catalog = shipped();
  CHECK(engine(catalog, "vllm").simplicity > engine(catalog, "tensorrt_llm").simplicity);
}
