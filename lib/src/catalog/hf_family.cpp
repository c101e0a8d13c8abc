#include "hf_family.h"

#include <algorithm>
#include <array>

namespace tensorpath::catalog {
namespace {

constexpr std::string_view kStateSpace =
    "it mixes attention with recurrent or linear layers, which this release cannot describe";
constexpr std::string_view kEncoder =
    "it is no decoder that generates text token by token, which is all this tool plans for";

constexpr HfFamily dense(std::string_view model_type) {
  HfFamily family;
  family.model_type = model_type;
  return family;
}

constexpr HfFamily qwen2(std::string_view model_type) {
  HfFamily family = dense(model_type);
  family.attention_bias = true;
  family.window = WindowPattern::kFromMaxWindow;
  return family;
}

constexpr HfFamily qwen3(std::string_view model_type) {
  HfFamily family = dense(model_type);
  family.head_dim = 128;
  family.window = WindowPattern::kFromMaxWindow;
  return family;
}

constexpr HfFamily gemma(std::string_view model_type, WindowPattern window, int period) {
  HfFamily family = dense(model_type);
  family.tied_embeddings = true;
  family.head_dim = 256;
  family.vocab = 256000;
  family.max_context_tokens = 8192;
  family.window = window;
  family.window_period = period;
  return family;
}

// Nested text configs of Gemma 3 leave out heads, vocabulary and context.
constexpr HfFamily gemma3(std::string_view model_type) {
  HfFamily family = gemma(model_type, WindowPattern::kAllButNth, 6);
  family.heads = 8;
  family.kv_heads = 4;
  family.vocab = 262208;
  family.max_context_tokens = 131072;
  return family;
}

// Two matrices and a bias everywhere, as GPT-2 had it.
constexpr HfFamily plain(std::string_view model_type, bool tied, bool bias, int context,
                         int ffn_per_hidden) {
  HfFamily family = dense(model_type);
  family.gated_ffn = false;
  family.tied_embeddings = tied;
  family.attention_bias = bias;
  family.max_context_tokens = context;
  family.ffn_per_hidden = ffn_per_hidden;
  return family;
}

constexpr HfFamily windowed(std::string_view model_type, WindowPattern window, int period,
                            bool tied) {
  HfFamily family = dense(model_type);
  family.window = window;
  family.window_period = period;
  family.tied_embeddings = tied;
  return family;
}

constexpr HfFamily biased(HfFamily family) {
  family.attention_bias = true;
  return family;
}

constexpr HfFamily refused(std::string_view model_type, std::string_view why) {
  HfFamily family = dense(model_type);
  family.refusal = why;
  return family;
}

// Defaults of the configuration classes in transformers 4.57.
constexpr std::array kFamilies = {
    qwen2("qwen2"),
    qwen2("qwen2_moe"),
    qwen2("qwen2_vl"),
    qwen2("qwen2_vl_text"),
    qwen2("qwen2_5_vl"),
    qwen2("qwen2_5_vl_text"),
    qwen3("qwen3"),
    qwen3("qwen3_moe"),
    qwen3("qwen3_vl_text"),
    qwen3("qwen3_vl_moe_text"),
    gemma("gemma", WindowPattern::kEvery, 0),
    gemma("gemma2", WindowPattern::kAlternate, 2),
    gemma3("gemma3"),
    gemma3("gemma3_text"),
    biased(windowed("gpt_oss", WindowPattern::kAlternate, 2, false)),
    windowed("cohere", WindowPattern::kEvery, 0, true),
    windowed("cohere2", WindowPattern::kAllButNth, 4, true),
    windowed("llama4_text", WindowPattern::kChunked, 4, false),
    plain("gpt2", true, true, 1024, 4),
    plain("gpt_bigcode", true, true, 1024, 4),
    plain("gpt_neo", true, false, 2048, 4),
    plain("gptj", false, false, 2048, 4),
    plain("codegen", false, false, 2048, 4),
    plain("gpt_neox", false, true, 2048, 4),
    plain("opt", true, true, 2048, 0),
    plain("bloom", true, true, 2048, 4),
    plain("falcon", true, false, 2048, 4),
    plain("RefinedWeb", true, false, 2048, 4),
    plain("RefinedWebModel", true, false, 2048, 4),
    plain("mpt", true, false, 2048, 4),
    plain("phi", false, true, 2048, 0),
    plain("starcoder2", true, true, 0, 0),
    plain("nemotron", false, false, 4096, 0),
    refused("mamba", kStateSpace),
    refused("mamba2", kStateSpace),
    refused("jamba", kStateSpace),
    refused("bamba", kStateSpace),
    refused("zamba", kStateSpace),
    refused("zamba2", kStateSpace),
    refused("falcon_h1", kStateSpace),
    refused("falcon_mamba", kStateSpace),
    refused("granitemoehybrid", kStateSpace),
    refused("nemotron_h", kStateSpace),
    refused("qwen3_next", kStateSpace),
    refused("kimi_linear", kStateSpace),
    refused("rwkv", kStateSpace),
    refused("recurrent_gemma", kStateSpace),
    refused("lfm2", kStateSpace),
    refused("minimax", kStateSpace),
    refused("bert", kEncoder),
    refused("roberta", kEncoder),
    refused("xlm-roberta", kEncoder),
    refused("distilbert", kEncoder),
    refused("modernbert", kEncoder),
    refused("vit", kEncoder),
    refused("clip", kEncoder),
    refused("t5", kEncoder),
    refused("bart", kEncoder),
    refused("whisper", kEncoder),
};

struct TokenizerFamily {
  std::string_view model_type_prefix;
  int vocab;
  std::string_view name;
};

constexpr std::array kTokenizers = {
    TokenizerFamily{"llama", 128256, "llama-3"},
    TokenizerFamily{"llama", 32000, "llama-2"},
    TokenizerFamily{"mixtral", 32000, "llama-2"},
    TokenizerFamily{"mistral", 32768, "mistral-v3"},
    TokenizerFamily{"qwen", 151936, "qwen2"},
    TokenizerFamily{"qwen", 152064, "qwen2"},
    TokenizerFamily{"gpt_oss", 201088, "o200k_harmony"},
    TokenizerFamily{"deepseek_v3", 129280, "deepseek-v3"},
    TokenizerFamily{"kimi", 163840, "kimi-k2"},
    TokenizerFamily{"deepseek_v3", 163840, "kimi-k2"},
};

}  // namespace

HfFamily hf_family(std::string_view model_type) {
  const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const HfFamily& family) {
    return family.model_type == model_type;
  });
  return found != kFamilies.end() ? *found : HfFamily{};
}

std::string_view hf_tokenizer(std::string_view model_type, int vocab) {
  const auto found =
      std::find_if(kTokenizers.begin(), kTokenizers.end(), [&](const TokenizerFamily& tokenizer) {
        return model_type.starts_with(tokenizer.model_type_prefix) && tokenizer.vocab == vocab;
      });
  return found != kTokenizers.end() ? found->name : std::string_view{};
}

}  // namespace tensorpath::catalog
