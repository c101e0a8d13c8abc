// The shipped models: their names resolve, their shapes add up to what their vendors publish, and
// what they refer to exists.
#include "catch.h"

#include <map>
#include <string>

#include <tensorpath/catalog.h>

using namespace tensorpath;

namespace {

Catalog shipped() {
  Expected<Catalog> catalog = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
  INFO((catalog ? std::string() : catalog.error().to_string()));
  REQUIRE(catalog);
  return std::move(*catalog);
}

struct Published {
  std::string model;
  double total_billions;
};

}  // namespace

TEST_CASE("parameter counts are the published ones") {
  const Catalog catalog = shipped();
  // Model cards and, for gpt-oss, arXiv 2508.10925, table 1. Rounded as published.
  const Published row = GENERATE(Published{"qwen2.5-3b", 3.09}, Published{"qwen2.5-7b", 7.61},
                                 Published{"qwen2.5-14b", 14.7}, Published{"qwen2.5-32b", 32.5},
                                 Published{"qwen2.5-72b", 72.7}, Published{"qwen3-8b", 8.2},
                                 Published{"qwen3-32b", 32.8}, Published{"qwen3-30b-a3b", 30.5},
                                 Published{"qwen3-235b-a22b", 235}, Published{"llama-3.1-8b", 8.03},
                                 Published{"llama-3.1-70b", 70.6}, Published{"llama-3.1-405b", 406},
                                 Published{"llama-3.2-1b", 1.24}, Published{"llama-3.2-3b", 3.21},
                                 Published{"llama-3.3-70b", 70.6}, Published{"mistral-7b", 7.25},
                                 Published{"mixtral-8x7b", 46.7}, Published{"gpt-oss-20b", 20.9},
                                 Published{"gpt-oss-120b", 116.8}, Published{"deepseek-v3", 671},
                                 Published{"deepseek-r1", 671}, Published{"kimi-k2.5", 1030});
  CAPTURE(row.model);
  const Model* model = catalog.find_model(row.model);
  REQUIRE(model != nullptr);
  CHECK(model->total_params() / 1e9 == Approx(row.total_billions).epsilon(0.01));
}

TEST_CASE("a mixture of experts reads what its vendor calls active") {
  const Catalog catalog = shipped();
  CHECK(catalog.find_model("gpt-oss-120b")->active_params() / 1e9 == Approx(5.13).epsilon(0.01));
  CHECK(catalog.find_model("gpt-oss-20b")->active_params() / 1e9 == Approx(3.61).epsilon(0.01));
  CHECK(catalog.find_model("deepseek-v3")->active_params() / 1e9 == Approx(37).epsilon(0.02));
  CHECK(catalog.find_model("kimi-k2.5")->active_params() / 1e9 == Approx(32).epsilon(0.02));
}

TEST_CASE("names that people and measurements use resolve") {
  const Catalog catalog = shipped();
  const std::map<std::string, std::string> names = {
      {"meta-llama/Llama-3.1-70B", "llama-3.1-70b"},
      {"meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"},
      {"nvidia/DeepSeek-R1-NVFP4", "deepseek-r1"},
      {"deepseek-ai/DeepSeek-R1-0528", "deepseek-r1"},
      {"nvidia/DeepSeek-V3.1-NVFP4", "deepseek-v3"},
      {"Qwen/Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"},
      {"nvidia/Qwen3-32B-NVFP4", "qwen3-32b"},
      {"Qwen/Qwen3-32B", "qwen3-32b"},
      {"openai/gpt-oss-120b", "gpt-oss-120b"},
      {"moonshotai/Kimi-K2.5", "kimi-k2.5"},
      {"Qwen/Qwen2.5-7B-Instruct-AWQ", "qwen2.5-7b"},
      {"llama3.2-3b", "llama-3.2-3b"},
      {"Qwen 2.5 7B", "qwen2.5-7b"},
  };
  for (const auto& [written, canonical] : names) {
    CAPTURE(written);
    const Model* model = catalog.find_model(written);
    REQUIRE(model != nullptr);
    CHECK(model->name == canonical);
  }
}

TEST_CASE("each model can be had in the format it was published in") {
  const Catalog catalog = shipped();
  CHECK(catalog.models().size() >= 22);
  for (const Model& model : catalog.models()) {
    CAPTURE(model.name);
    CHECK(catalog.find_format(model.native_format) != nullptr);
    CHECK(model.huggingface.find('/') != std::string::npos);
    CHECK_FALSE(model.license.empty());
    CHECK_FALSE(model.tokenizer.empty());
    for (const Checkpoint& checkpoint : model.checkpoints) {
      CAPTURE(checkpoint.repo);
      CHECK(checkpoint.repo.find('/') != std::string::npos);
      CHECK(catalog.find_model(checkpoint.repo) == &model);
    }
  }
}

TEST_CASE("only sliding-window models cap their cache") {
  const Catalog catalog = shipped();
  for (const Model& model : catalog.models()) {
    CAPTURE(model.name);
    const bool gpt_oss = model.name.rfind("gpt-oss", 0) == 0;
    CHECK((model.attention.window_tokens > 0) == gpt_oss);
    if (gpt_oss) CHECK(model.attention.windowed_layers * 2 == model.layers);
  }
}
