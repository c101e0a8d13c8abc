// Real model families, as their config.json files spell them, become the right Model.
#include "catalog/hf_config.h"

#include "catch.h"

#include <algorithm>
#include <string>

#include <tensorpath/catalog.h>

using namespace tensorpath;

namespace {

const std::string kConfigs = TENSORPATH_SOURCE_DIR "/tests/data/hf/";

Model model_of(const std::string& name) {
  Expected<Model> model = model_from_hf_config(kConfigs + name + "/config.json");
  INFO((model ? std::string() : model.error().to_string()));
  REQUIRE(model);
  return *model;
}

// The first diagnostic of a config.json given as text.
Diagnostic mistake_in(const std::string& text, const std::string& quant = {}) {
  const Expected<Model> model =
      catalog::model_from_hf_text({"m/config.json", text, "m/hf_quant_config.json", quant});
  REQUIRE_FALSE(model);
  REQUIRE_FALSE(model.error().diagnostics.empty());
  return model.error().diagnostics.front();
}

Model parsed(const std::string& text) {
  const Expected<Model> model = catalog::model_from_hf_text({"m/config.json", text, {}, {}});
  INFO((model ? std::string() : model.error().to_string()));
  REQUIRE(model);
  return *model;
}

// A small Llama; `more` adds or replaces keys at the end.
std::string llama_with(const std::string& more) {
  return R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 8,)"
         R"("num_attention_heads": 4, "intermediate_size": 128, "vocab_size": 100,)"
         R"("max_position_embeddings": 4096)" +
         (more.empty() ? "" : "," + more) + "}";
}

}  // namespace

TEST_CASE("the catalog's models are what their config.json files say") {
  Expected<Catalog> catalog = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
  INFO((catalog ? std::string() : catalog.error().to_string()));
  REQUIRE(catalog);
  const std::string name =
      GENERATE(as<std::string>{}, "llama-3.1-8b", "llama-3.2-1b", "qwen2.5-7b", "qwen3-32b",
               "qwen3-30b-a3b", "mixtral-8x7b", "gpt-oss-20b", "deepseek-v3", "kimi-k2.5");
  CAPTURE(name);
  const Model* known = catalog->find_model(name);
  REQUIRE(known != nullptr);
  const Model read = model_of(name);
  CHECK(read.name == known->name);
  CHECK(read.native_format == known->native_format);
  CHECK(read.tokenizer == known->tokenizer);
  CHECK(read.layers == known->layers);
  CHECK(read.hidden == known->hidden);
  CHECK(read.ffn == known->ffn);
  CHECK(read.gated_ffn == known->gated_ffn);
  CHECK(read.vocab == known->vocab);
  CHECK(read.tied_embeddings == known->tied_embeddings);
  CHECK(read.attention_bias == known->attention_bias);
  CHECK(read.max_context_tokens == known->max_context_tokens);
  CHECK(read.mtp_layers == known->mtp_layers);
  CHECK(read.attention.heads == known->attention.heads);
  CHECK(read.attention.kv_heads == known->attention.kv_heads);
  CHECK(read.attention.head_dim == known->attention.head_dim);
  CHECK(read.attention.kv_lora_rank == known->attention.kv_lora_rank);
  CHECK(read.attention.q_lora_rank == known->attention.q_lora_rank);
  CHECK(read.attention.rope_head_dim == known->attention.rope_head_dim);
  CHECK(read.attention.nope_head_dim == known->attention.nope_head_dim);
  CHECK(read.attention.v_head_dim == known->attention.v_head_dim);
  CHECK(read.attention.window_tokens == known->attention.window_tokens);
  CHECK(read.attention.windowed_layers == known->attention.windowed_layers);
  CHECK(read.moe.experts == known->moe.experts);
  CHECK(read.moe.experts_per_token == known->moe.experts_per_token);
  CHECK(read.moe.shared_experts == known->moe.shared_experts);
  CHECK(read.moe.expert_ffn == known->moe.expert_ffn);
  CHECK(read.moe.shared_ffn == known->moe.shared_ffn);
  CHECK(read.moe.first_dense_layers == known->moe.first_dense_layers);
  CHECK(read.total_params() == known->total_params());
}

TEST_CASE("quantised copies say what their weights are stored in") {
  CHECK(model_of("llama-3.1-8b-awq").native_format == "awq_4");
  CHECK(model_of("llama-3.1-8b-fp8").native_format == "fp8");
  // ModelOpt puts it into a file of its own beside config.json.
  CHECK(model_of("qwen3-32b-nvfp4").native_format == "nvfp4");
  CHECK(model_of("gpt2").native_format == "fp32");
  CHECK(model_of("phi-2").native_format == "fp16");
  const auto with = [](const std::string& quantization) {
    return parsed(llama_with("\"quantization_config\": " + quantization)).native_format;
  };
  CHECK(with(R"({"quant_method": "gptq", "bits": 4})") == "gptq_4");
  CHECK(with(R"({"quant_method": "gptq", "bits": 8})") == "int8");
  CHECK(with(R"({"quant_method": "modelopt", "quant_algo": "NVFP4"})") == "nvfp4");
  CHECK(with(R"({"quant_method": "modelopt", "quantization": {"quant_algo": "FP8"}})") == "fp8");
  const std::string weights = R"({"quant_method": "compressed-tensors", "config_groups": )"
                              R"({"group_0": {"weights": {"num_bits": )";
  CHECK(with(weights + R"(8, "type": "int"}}}})") == "int8");
  CHECK(with(weights + R"(4, "type": "int"}}}})") == "gptq_4");
  CHECK(with(weights + R"(4, "type": "float", "group_size": 16}}}})") == "nvfp4");
}

TEST_CASE("layers slide as the model class says when there is no layer_types list") {
  SECTION("Mistral 0.1: all of them") {
    const Model model = model_of("mistral-7b-v0.1");
    CHECK(model.attention.window_tokens == 4096);
    CHECK(model.attention.windowed_layers == 32);
  }
  SECTION("Gemma 3: five of six, from a text config that says next to nothing") {
    const Model model = model_of("gemma-3-4b");
    CHECK(model.attention.window_tokens == 1024);
    CHECK(model.attention.windowed_layers == 29);
    CHECK(model.attention.heads == 8);
    CHECK(model.attention.kv_heads == 4);
    CHECK(model.attention.head_dim == 256);
    CHECK(model.tied_embeddings);
    CHECK(model.total_params() ==
          Approx(3.88e9).epsilon(0.01));  // the language model's share of 4.3e9
  }
  SECTION("Qwen: from max_window_layers on, and only when switched on") {
    const std::string window = R"("sliding_window": 512, "max_window_layers": 6)";
    std::string text = llama_with(window + R"(, "use_sliding_window": true)");
    text.replace(text.find("llama"), 5, "qwen2");
    CHECK(parsed(text).attention.windowed_layers == 2);
    text = llama_with(window);
    text.replace(text.find("llama"), 5, "qwen2");
    CHECK(parsed(text).attention.windowed_layers == 0);
    CHECK(parsed(text).attention.window_tokens == 0);
  }
  SECTION("a window as long as the context is none") {
    CHECK(parsed(llama_with(R"("sliding_window": 4096)")).attention.window_tokens == 0);
  }
}

TEST_CASE("layers without experts are counted") {
  const std::string moe =
      R"("num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32)";
  const auto dense_layers = [&](const std::string& more) {
    return parsed(llama_with(moe + more)).moe.first_dense_layers;
  };
  CHECK(dense_layers("") == 0);
  CHECK(dense_layers(R"(, "decoder_sparse_step": 2)") == 4);
  CHECK(dense_layers(R"(, "mlp_only_layers": [0, 5])") == 2);
  CHECK(dense_layers(R"(, "first_k_dense_replace": 3)") == 3);
  CHECK(dense_layers(R"(, "moe_layer_freq": [0, 0, 1, 1, 1, 1, 1, 1])") == 2);
  CHECK(parsed(llama_with(moe)).ffn == 0);
  CHECK(parsed(llama_with(moe + R"(, "decoder_sparse_step": 2)")).ffn == 128);
}

TEST_CASE("a shared expert may have a width of its own") {
  const Model model = parsed(
      llama_with(R"("num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 32,)"
                 R"("shared_expert_intermediate_size": 256)"));
  CHECK(model.moe.shared_experts == 1);
  CHECK(model.moe.shared_ffn == 256);
}

TEST_CASE("MLA without a query latent") {
  const Model model = model_of("deepseek-v2-lite");
  CHECK(model.attention.is_mla());
  CHECK(model.attention.q_lora_rank == 0);
  CHECK(model.moe.shared_ffn == 2816);
  CHECK(model.total_params() == Approx(15.7e9).epsilon(0.01));  // its model card
}

TEST_CASE("old spellings, plain FFNs and their defaults") {
  const Model gpt2 = model_of("gpt2");
  CHECK(gpt2.ffn == 3072);
  CHECK_FALSE(gpt2.gated_ffn);
  CHECK(gpt2.tied_embeddings);
  CHECK(gpt2.max_context_tokens == 1024);
  CHECK(gpt2.attention.kv_heads == 12);
  const Model falcon = model_of("falcon-7b");
  CHECK(falcon.attention.kv_heads == 1);
  CHECK(falcon.attention.head_dim == 64);
  CHECK(falcon.max_context_tokens == 2048);
  CHECK(falcon.total_params() ==
        Approx(6.92e9).epsilon(0.01));  // its model card: 7B, 6.92e9 tensors
  const Model phi = model_of("phi-2");
  CHECK_FALSE(phi.gated_ffn);
  CHECK(phi.total_params() == Approx(2.78e9).epsilon(0.01));
}

TEST_CASE("mistakes name the key and the place") {
  SECTION("a missing key") {
    const Diagnostic found = mistake_in(R"({"model_type": "llama", "hidden_size": 64})");
    CHECK(found.message.find("num_hidden_layers") != std::string::npos);
    CHECK(found.where.file == "m/config.json");
  }
  SECTION("a wrong type") {
    const Diagnostic found = mistake_in(llama_with("\n  \"num_key_value_heads\": \"many\""));
    CHECK(found.where.line == 2);
    CHECK(found.where.column == 26);
    CHECK(found.message.find("num_key_value_heads is 'many'") != std::string::npos);
  }
  SECTION("an absurd number") {
    const Diagnostic found = mistake_in(llama_with(R"("num_key_value_heads": -8)"));
    CHECK(found.message.find("num_key_value_heads") != std::string::npos);
  }
  SECTION("heads that cannot be shared") {
    const Diagnostic found = mistake_in(llama_with(R"("num_key_value_heads": 3)"));
    CHECK(found.message.find("4 attention heads") != std::string::npos);
  }
  SECTION("more experts per token than there are") {
    const Diagnostic found =
        mistake_in(llama_with(R"("num_local_experts": 4, "num_experts_per_tok": 8)"));
    CHECK(found.message.find("8 experts per token of 4") != std::string::npos);
  }
  SECTION("shared experts wider than any model") {
    const Diagnostic found = mistake_in(llama_with(
        R"("num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 9000000,)"
        R"("n_shared_experts": 1000)"));
    CHECK(found.message.find("1000 shared experts") != std::string::npos);
  }
  SECTION("layer_types of another length") {
    const Diagnostic found =
        mistake_in(llama_with(R"("sliding_window": 16, "layer_types": ["full_attention"])"));
    CHECK(found.message.find("1 entries for 8 layers") != std::string::npos);
  }
  SECTION("a format that the catalog has no name for") {
    const Diagnostic found =
        mistake_in(llama_with(R"("quantization_config": {"quant_method": "hqq"})"));
    CHECK(found.message.find("hqq") != std::string::npos);
    CHECK_FALSE(found.hint.empty());
  }
  SECTION("recurrent models") {
    const Diagnostic found = mistake_in(R"({"model_type": "mamba2"})");
    CHECK(found.message.find("recurrent") != std::string::npos);
  }
  SECTION("no JSON") {
    CHECK(mistake_in("{\"a\": }").where.line == 1);
    CHECK(mistake_in("[1]").message.find("expected a JSON object") != std::string::npos);
  }
  SECTION("a broken file beside it") {
    const Diagnostic found = mistake_in(llama_with(""), "{\"quantization\": {");
    CHECK(found.where.file == "m/hf_quant_config.json");
  }
}

TEST_CASE("a file that is not there") {
  const Expected<Model> model = model_from_hf_config(kConfigs + "nobody/config.json");
  REQUIRE_FALSE(model);
  CHECK(model.error().to_string().find("nobody") != std::string::npos);
}
