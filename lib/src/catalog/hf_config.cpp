#include "hf_config.h"

#include "base/json_tree.h"
#include "hf_family.h"
#include "hf_quant.h"
#include "names.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::catalog {
namespace {

using Keys = std::initializer_list<std::string_view>;

// Far above any model there is; they keep products inside a double and catch swapped keys.
constexpr int kMostLayers = 10'000;
constexpr int kWidest = 10'000'000;
constexpr int kMostTokens = 1'000'000'000;

// The keys of a config.json under their various names: the text part of a multimodal config first,
// then the root, which holds what both parts share.
class ConfigKeys {
 public:
  ConfigKeys(const YamlNode& root, const YamlNode& text, Diagnostics& diagnostics)
      : root_(root, "", diagnostics), text_(text, "", diagnostics), nested_(&root != &text) {}

  [[nodiscard]] std::optional<int> integer(Keys names, int min, int max) {
    const NumberRange range{static_cast<double>(min), static_cast<double>(max), false};
    for (MapReader* map : maps()) {
      for (const std::string_view name : names) {
        if (!map->has(name)) continue;
        const auto value = map->integer(name, range);
        return value ? std::optional<int>(static_cast<int>(*value)) : std::optional<int>(min);
      }
    }
    return std::nullopt;
  }

  // Reports the first name when none is there; then and after a mistake, the least legal value.
  [[nodiscard]] int required(Keys names, std::string_view what, int max, int otherwise = 0) {
    if (const auto found = integer(names, 1, max)) return *found;
    if (otherwise > 0) return otherwise;
    text_.require(*names.begin(), what);
    return 1;
  }

  [[nodiscard]] std::optional<bool> boolean(Keys names) {
    for (MapReader* map : maps()) {
      for (const std::string_view name : names) {
        if (map->has(name)) return map->boolean(name);
      }
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string text(std::string_view name) {
    for (MapReader* map : maps()) {
      if (map->has(name)) return map->text(name).value_or("");
    }
    return {};
  }

  [[nodiscard]] const YamlNode* node(std::string_view name) {
    for (MapReader* map : maps()) {
      if (const YamlNode* found = map->node(name)) return found;
    }
    return nullptr;
  }

  [[nodiscard]] SourceLocation where(Keys names) {
    for (MapReader* map : maps()) {
      for (const std::string_view name : names) {
        if (map->has(name)) return map->where(name);
      }
    }
    return text_.where("");
  }

  [[nodiscard]] Diagnostics& diagnostics() { return text_.diagnostics(); }

 private:
  std::vector<MapReader*> maps() {
    return nested_ ? std::vector<MapReader*>{&text_, &root_} : std::vector<MapReader*>{&text_};
  }

  MapReader root_;
  MapReader text_;
  bool nested_;
};

const Keys kLayerKeys = {"num_hidden_layers", "n_layer", "n_layers", "num_layers"};
const Keys kHeadKeys = {"num_attention_heads", "n_head", "n_heads", "num_heads"};
const Keys kKvHeadKeys = {"num_key_value_heads", "num_kv_heads", "n_head_kv",
                          "multi_query_group_num"};
const Keys kHiddenKeys = {"hidden_size", "n_embd", "d_model", "model_dim"};
const Keys kFfnKeys = {"intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim"};
const Keys kContextKeys = {"max_position_embeddings",
                           "n_positions",
                           "max_sequence_length",
                           "max_seq_len",
                           "seq_length",
                           "n_ctx"};
const Keys kExpertKeys = {"num_local_experts", "num_experts", "n_routed_experts",
                          "moe_num_experts"};
const Keys kTopKKeys = {"num_experts_per_tok", "num_experts_per_token", "experts_per_token",
                        "moe_top_k", "moe_topk"};
const Keys kSharedKeys = {"n_shared_experts", "num_shared_experts", "moe_num_shared_experts"};

void read_mla(ConfigKeys& keys, Attention& attention) {
  const auto rank = keys.integer({"kv_lora_rank"}, 1, kWidest);
  if (!rank) return;
  attention.kv_lora_rank = *rank;
  attention.q_lora_rank = keys.integer({"q_lora_rank"}, 1, kWidest).value_or(0);
  attention.rope_head_dim =
      keys.required({"qk_rope_head_dim"}, "the rotary part of a head", kWidest);
  attention.nope_head_dim =
      keys.required({"qk_nope_head_dim"}, "the part of a head without rotation", kWidest);
  attention.v_head_dim = keys.required({"v_head_dim"}, "width of a value head", kWidest);
  // The latent is shared by all heads, so kv_heads decides nothing; head_dim is a query head's.
  attention.kv_heads = attention.heads;
  attention.head_dim = attention.nope_head_dim + attention.rope_head_dim;
}

int read_kv_heads(ConfigKeys& keys, const HfFamily& family, int heads) {
  const bool falcon = family.model_type == "falcon" || family.model_type.starts_with("Refined");
  const bool one_kv_head = keys.boolean({"multi_query"}).value_or(false) &&
                           !keys.boolean({"new_decoder_architecture"}).value_or(false);
  if (one_kv_head) return keys.integer({"multi_query_group_num"}, 1, kWidest).value_or(1);
  // Falcon writes num_kv_heads also where it has one per head and ignores it.
  if (falcon && !keys.boolean({"new_decoder_architecture"}).value_or(false)) return heads;
  return keys.integer(kKvHeadKeys, 1, kWidest)
      .value_or(family.kv_heads > 0 ? family.kv_heads : heads);
}

int read_head_dim(ConfigKeys& keys, const HfFamily& family, int hidden, int heads) {
  if (const auto given =
          keys.integer({"head_dim", "kv_channels", "attention_head_dim"}, 1, kWidest)) {
    return *given;
  }
  if (family.head_dim > 0) return family.head_dim;
  if (hidden % heads != 0) {
    keys.diagnostics().add(
        keys.where(kHeadKeys),
        fmt::format("hidden_size {} is no multiple of {} attention heads", hidden, heads),
        "add 'head_dim', the width of one head");
  }
  return std::max(1, hidden / heads);
}

Attention read_attention(ConfigKeys& keys, const HfFamily& family, int hidden) {
  Attention attention;
  attention.heads =
      keys.required(kHeadKeys, "the number of attention heads", kWidest, family.heads);
  read_mla(keys, attention);
  if (attention.is_mla()) return attention;
  attention.kv_heads = read_kv_heads(keys, family, attention.heads);
  if (attention.kv_heads > attention.heads || attention.heads % attention.kv_heads != 0) {
    keys.diagnostics().add(
        keys.where(kKvHeadKeys),
        fmt::format("{} attention heads cannot share {} key-value heads, expected a divisor",
                    attention.heads, attention.kv_heads));
  }
  attention.head_dim = read_head_dim(keys, family, hidden, attention.heads);
  return attention;
}

// Layers that slide by the class's own rule, without a layer_types list.
int windowed_by_family(ConfigKeys& keys, const HfFamily& family, int layers) {
  const int period =
      keys.integer({"sliding_window_pattern", "_sliding_window_pattern", "no_rope_layer_interval"},
                   1, kMostLayers)
          .value_or(std::max(1, family.window_period));
  switch (family.window) {
    case WindowPattern::kEvery:
      return layers;
    case WindowPattern::kFromMaxWindow:
      return std::max(0, layers - keys.integer({"max_window_layers"}, 0, kMostLayers).value_or(0));
    case WindowPattern::kAlternate:
      return (layers + 1) / 2;
    case WindowPattern::kAllButNth:
    case WindowPattern::kChunked:
      return layers - layers / period;
  }
  return 0;
}

// The layers that layer_types says slide; nullopt without the list.
std::optional<int> windowed_by_list(ConfigKeys& keys, int layers) {
  const YamlNode* list = keys.node("layer_types");
  if (list == nullptr || !list->is_sequence()) return std::nullopt;
  if (static_cast<int>(list->items.size()) != layers) {
    keys.diagnostics().add(list->where, fmt::format("layer_types has {} entries for {} layers",
                                                    list->items.size(), layers));
    return 0;
  }
  int windowed = 0;
  for (const YamlNode& item : list->items) {
    if (item.scalar == "sliding_attention" || item.scalar == "chunked_attention") {
      ++windowed;
    } else if (item.scalar != "full_attention") {
      keys.diagnostics().add(
          item.where,
          fmt::format("layer type '{}', expected full_attention, sliding_attention or "
                      "chunked_attention",
                      item.scalar.substr(0, 40)),
          "models with linear or recurrent layers cannot be described");
      return 0;
    }
  }
  return windowed;
}

void read_window(ConfigKeys& keys, const HfFamily& family, Model& model) {
  const bool on_by_default = family.window != WindowPattern::kFromMaxWindow;
  if (!keys.boolean({"use_sliding_window"}).value_or(on_by_default)) return;
  const auto window = keys.integer({"sliding_window", "attention_chunk_size"}, 1, kMostTokens);
  if (!window || *window >= model.max_context_tokens) return;
  model.attention.windowed_layers =
      std::min(model.layers, windowed_by_list(keys, model.layers)
                                 .value_or(windowed_by_family(keys, family, model.layers)));
  if (model.attention.windowed_layers > 0) model.attention.window_tokens = *window;
}

// Layers without experts, wherever they stand: only their number counts.
int count_dense_layers(ConfigKeys& keys, int layers) {
  const int first_dense = keys.integer({"first_k_dense_replace"}, 0, kMostLayers).value_or(0);
  const YamlNode* by_layer = keys.node("moe_layer_freq");
  const bool listed = by_layer != nullptr && by_layer->is_sequence();
  const int frequency = listed ? 1 : keys.integer({"moe_layer_freq"}, 1, kMostLayers).value_or(1);
  const int step =
      keys.integer({"decoder_sparse_step", "interleave_moe_layer_step"}, 1, kMostLayers)
          .value_or(1);
  const YamlNode* plain = keys.node("mlp_only_layers");
  int dense = 0;
  for (int layer = 0; layer < layers; ++layer) {
    const auto is_this = [&](const YamlNode& item) {
      return yaml_number(item) == static_cast<double>(layer);
    };
    const bool named = plain != nullptr && plain->is_sequence() &&
                       std::any_of(plain->items.begin(), plain->items.end(), is_this);
    const auto index = static_cast<std::size_t>(layer);
    const bool off_list =
        listed && index < by_layer->items.size() && yaml_number(by_layer->items[index]) == 0.0;
    if (layer < first_dense || layer % frequency != 0 || (layer + 1) % step != 0 || named ||
        off_list) {
      ++dense;
    }
  }
  return dense;
}

// All shared experts together; a product no model has is reported.
int width_of(ConfigKeys& keys, int experts, int expert_ffn) {
  const auto width = static_cast<std::int64_t>(experts) * expert_ffn;
  if (width <= kWidest) return static_cast<int>(width);
  keys.diagnostics().add(keys.where(kSharedKeys),
                         fmt::format("{} shared experts of width {}, expected at most {} together",
                                     experts, expert_ffn, kWidest));
  return 0;
}

Moe read_moe(ConfigKeys& keys, const HfFamily& family, const Model& model, int intermediate) {
  Moe moe;
  moe.experts = keys.integer(kExpertKeys, 0, kWidest).value_or(0);
  if (moe.experts <= 1) return {};
  moe.experts_per_token = keys.required(kTopKKeys, "experts that a token is sent to", kWidest);
  if (moe.experts_per_token > moe.experts) {
    keys.diagnostics().add(keys.where(kTopKKeys), fmt::format("{} experts per token of {} experts",
                                                              moe.experts_per_token, moe.experts));
  }
  moe.expert_ffn = keys.integer({"moe_intermediate_size", "expert_ffn_hidden_size"}, 1, kWidest)
                       .value_or(intermediate);
  if (moe.expert_ffn <= 0) {
    moe.expert_ffn = keys.required({"moe_intermediate_size"}, "width of one expert", kWidest);
  }
  const bool llama4 = family.model_type == "llama4_text";
  moe.shared_experts = keys.integer(kSharedKeys, 0, kWidest).value_or(llama4 ? 1 : 0);
  moe.shared_ffn = width_of(keys, moe.shared_experts, moe.expert_ffn);
  // Qwen2-MoE has one shared expert of a width of its own.
  if (const auto shared = keys.integer({"shared_expert_intermediate_size"}, 0, kWidest)) {
    if (*shared > 0) {
      moe.shared_experts = std::max(1, moe.shared_experts);
      moe.shared_ffn = *shared;
    }
  }
  moe.first_dense_layers = count_dense_layers(keys, model.layers);
  return moe;
}

void read_ffn(ConfigKeys& keys, const HfFamily& family, Model& model) {
  const int by_default = family.ffn_per_hidden * model.hidden;
  const int intermediate = keys.integer(kFfnKeys, 1, kWidest).value_or(by_default);
  model.gated_ffn = family.gated_ffn;
  model.moe = read_moe(keys, family, model, intermediate);
  // Llama 4 names the dense width apart from the experts'.
  model.ffn = keys.integer({"intermediate_size_mlp"}, 1, kWidest).value_or(intermediate);
  if (model.moe_layers() >= model.layers) {
    model.ffn = 0;
  } else if (model.ffn <= 0) {
    model.ffn = keys.required(kFfnKeys, "width of the feed-forward layers", kWidest);
  }
}

// Where a multimodal config keeps its language model.
const YamlNode& text_part(const YamlNode& root) {
  for (const std::string_view key :
       {"text_config", "llm_config", "language_config", "thinker_config"}) {
    const YamlNode* part = root.find(key);
    if (part == nullptr || !part->is_map()) continue;
    return key == "thinker_config" ? text_part(*part) : *part;
  }
  return root;
}

std::string read_format(ConfigKeys& keys, const HfConfigFiles& files) {
  Diagnostics& diagnostics = keys.diagnostics();
  if (const YamlNode* quantization = keys.node("quantization_config")) {
    return format_of_quantization(*quantization, diagnostics);
  }
  if (!files.quant_text.empty()) {
    const auto document = parse_json_tree(files.quant_text, files.quant_path);
    if (document) return format_of_modelopt(*document, diagnostics);
    for (const Diagnostic& found : document.error().diagnostics) {
      diagnostics.add(found.where, found.message, found.hint);
    }
    return {};
  }
  const std::string dtype = keys.text("torch_dtype");
  return format_of_dtype(dtype.empty() ? keys.text("dtype") : dtype);
}

bool refuse(ConfigKeys& keys, const HfFamily& family, const std::string& model_type) {
  if (!family.refusal.empty()) {
    keys.diagnostics().add(keys.where({"model_type"}),
                           fmt::format("model_type '{}': {}", model_type, family.refusal));
    return true;
  }
  if (keys.boolean({"is_encoder_decoder"}).value_or(false)) {
    keys.diagnostics().add(keys.where({"is_encoder_decoder"}),
                           "is_encoder_decoder is true, expected a decoder alone");
    return true;
  }
  return false;
}

void read_shapes(ConfigKeys& keys, const HfFamily& family, Model& model) {
  model.layers = keys.required(kLayerKeys, "the number of layers", kMostLayers);
  model.hidden = keys.required(kHiddenKeys, "the hidden size", kWidest);
  model.vocab = keys.required({"vocab_size", "padded_vocab_size"}, "rows of the embedding", kWidest,
                              family.vocab);
  model.max_context_tokens =
      keys.required(kContextKeys, "the longest context", kMostTokens, family.max_context_tokens);
  model.attention = read_attention(keys, family, model.hidden);
  read_ffn(keys, family, model);
  read_window(keys, family, model);
  model.tied_embeddings = keys.boolean({"tie_word_embeddings"}).value_or(family.tied_embeddings);
  model.attention_bias = keys.boolean({"attention_bias", "qkv_bias", "add_qkv_bias", "use_bias"})
                             .value_or(family.attention_bias);
  model.mtp_layers =
      keys.integer({"num_nextn_predict_layers", "mtp_num_hidden_layers"}, 0, kMostLayers)
          .value_or(0);
}

// The directory's name, as configs are all called config.json; another file's own name.
std::string name_of(const std::string& path) {
  const std::filesystem::path file(path);
  const std::string stem = file.stem().string();
  const std::string parent = file.parent_path().filename().string();
  return stem == "config" && !parent.empty() && parent != "." && parent != ".." ? parent : stem;
}

}  // namespace

Expected<Model> model_from_hf_text(const HfConfigFiles& files) {
  const Expected<YamlNode> root = parse_json_tree(files.text, files.path);
  if (!root) return tl::unexpected(root.error());
  Diagnostics diagnostics;
  if (!root->is_map()) {
    diagnostics.add(root->where,
                    fmt::format("the file holds {}, expected a JSON object", root->kind_name()));
    return tl::unexpected(diagnostics.to_error());
  }
  const YamlNode& text = text_part(*root);
  ConfigKeys keys(*root, text, diagnostics);
  const std::string model_type = keys.text("model_type");
  const HfFamily family = hf_family(model_type);
  Model model;
  if (!refuse(keys, family, model_type)) {
    read_shapes(keys, family, model);
    model.native_format = read_format(keys, files);
  }
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());

  model.name = canonical(name_of(files.path));
  model.title = name_of(files.path);
  const std::string_view tokenizer = hf_tokenizer(model_type, model.vocab);
  // Of an unknown family the tokenizer is nobody else's.
  model.tokenizer = tokenizer.empty() ? model.name : std::string(tokenizer);
  model.sources.push_back({{"*"}, "config.json given by the user", files.path, ""});
  return model;
}

}  // namespace tensorpath::catalog

namespace tensorpath {

Expected<Model> model_from_hf_config(const std::string& path) {
  const std::string config = directory_exists(path) ? path_join(path, "config.json") : path;
  // Real ones are some KiB; lists of skipped modules make a few of them some hundred KiB.
  constexpr std::size_t kLargest = 8U << 20;
  Expected<std::string> text = read_file(config, kLargest);
  if (!text) return tl::unexpected(text.error());
  catalog::HfConfigFiles files{config, std::move(*text), {}, {}};
  const std::string beside =
      path_join(std::filesystem::path(config).parent_path().string(), "hf_quant_config.json");
  if (config != "-" && file_exists(beside)) {
    Expected<std::string> quant = read_file(beside, kLargest);
    if (!quant) return tl::unexpected(quant.error());
    files.quant_path = beside;
    files.quant_text = std::move(*quant);
  }
  return catalog::model_from_hf_text(files);
}

}  // namespace tensorpath
