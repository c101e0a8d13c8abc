// What a Hugging Face model class assumes when its config.json does not say: transformers writes
// only what differs from the class's defaults in nested configs, and older files say less.
#pragma once

#include <string>
#include <string_view>

namespace tensorpath::catalog {

// How sliding layers are spread when there is no layer_types list.
enum class WindowPattern {
  kEvery,          // all layers, when sliding_window is set
  kFromMaxWindow,  // layers from max_window_layers on, and only with use_sliding_window
  kAlternate,      // every other layer, the first one slides
  kAllButNth,      // every sliding_window_pattern-th layer sees everything
  kChunked,        // attention_chunk_size, but for every no_rope_layer_interval-th layer
};

// Zero and empty: the class has no default worth having, so the key must be there.
struct HfFamily {
  std::string_view model_type;
  bool tied_embeddings = false;
  bool gated_ffn = true;
  bool attention_bias = false;
  int head_dim = 0;
  int heads = 0;
  int kv_heads = 0;  // 0: as many as heads
  int vocab = 0;
  int max_context_tokens = 0;
  int ffn_per_hidden = 0;  // FFN width over hidden size when no key gives it
  WindowPattern window = WindowPattern::kEvery;
  int window_period = 0;
  std::string_view refusal;  // why this class cannot be described; empty when it can
};

// The entry of a model_type, or one with the defaults of a Llama.
[[nodiscard]] HfFamily hf_family(std::string_view model_type);

// Models that count tokens alike share a name; empty when the family is not known.
[[nodiscard]] std::string_view hf_tokenizer(std::string_view model_type, int vocab);

}  // namespace tensorpath::catalog
