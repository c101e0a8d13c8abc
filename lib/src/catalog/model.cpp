// data/models/*.yaml: the shapes of one model.
#include "read.h"

#include <fmt/format.h>

namespace tensorpath::catalog {
namespace {

Attention read_attention(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "attention", diagnostics);
  Attention attention;
  attention.heads = required_int(map, "heads", "query heads");
  attention.kv_lora_rank = optional_int(map, "kv_lora_rank", 0);
  attention.q_lora_rank = optional_int(map, "q_lora_rank", 0);
  if (attention.is_mla()) {
    attention.rope_head_dim = required_int(map, "rope_head_dim", "the part beside the latent");
    attention.nope_head_dim = required_int(map, "nope_head_dim", "the part without positions");
    attention.v_head_dim = required_int(map, "v_head_dim", "size of a value head");
    attention.kv_heads = optional_int(map, "kv_heads", attention.heads, 1);
    attention.head_dim =
        optional_int(map, "head_dim", attention.rope_head_dim + attention.nope_head_dim, 1);
  } else {
    attention.kv_heads = required_int(map, "kv_heads", "key and value heads");
    attention.head_dim = required_int(map, "head_dim", "size of one head");
  }
  attention.window_tokens = optional_int(map, "window_tokens", 0);
  attention.windowed_layers = optional_int(map, "windowed_layers", 0);
  map.finish();
  if (attention.heads % attention.kv_heads != 0) {
    diagnostics.add(map.where("kv_heads"), fmt::format("{} heads do not divide into {} kv_heads",
                                                       attention.heads, attention.kv_heads));
  }
  if ((attention.window_tokens > 0) != (attention.windowed_layers > 0)) {
    diagnostics.add(node.where, "a sliding window needs both 'window_tokens' and 'windowed_layers'",
                    "write how many of the layers slide, or leave both out");
  }
  return attention;
}

// Their product, the width of all shared experts, has to fit an int.
constexpr int kMaxSharedExperts = 1000;
constexpr int kMaxExpertFfn = 1'000'000;

Moe read_moe(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "moe", diagnostics);
  Moe moe;
  moe.experts = required_int(map, "experts", "routed experts in a layer");
  moe.experts_per_token = required_int(map, "experts_per_token", "experts a token is sent to");
  moe.shared_experts = optional_int(map, "shared_experts", 0, 0, kMaxSharedExperts);
  moe.expert_ffn =
      required_int(map, "expert_ffn", "intermediate size of one expert", 1, kMaxExpertFfn);
  moe.shared_ffn = optional_int(map, "shared_ffn", moe.shared_experts * moe.expert_ffn);
  moe.first_dense_layers = optional_int(map, "first_dense_layers", 0);
  map.finish();
  if (moe.experts_per_token > moe.experts) {
    diagnostics.add(
        map.where("experts_per_token"),
        fmt::format("{} experts per token of {} experts", moe.experts_per_token, moe.experts));
  }
  return moe;
}

std::vector<Checkpoint> read_checkpoints(MapReader& map, Reading& reading) {
  std::vector<Checkpoint> checkpoints;
  int index = 0;
  for (const YamlNode& item : list_of_maps(map, "checkpoints")) {
    MapReader row(item, fmt::format("checkpoints[{}]", index++), reading.diagnostics);
    Checkpoint checkpoint;
    checkpoint.format = required_text(row, "format", "a name of data/formats");
    checkpoint.repo = required_text(row, "repo", "a Hugging Face id");
    checkpoint.gated = row.boolean("gated").value_or(false);
    checkpoint.note = row.text("note").value_or("");
    row.finish();
    if (!checkpoint.format.empty()) {
      reading.references.push_back(
          {Reference::Kind::kFormat, checkpoint.format, row.where("format")});
    }
    checkpoints.push_back(std::move(checkpoint));
  }
  return checkpoints;
}

void read_shapes(MapReader& map, Model& model) {
  model.layers = required_int(map, "layers", "transformer layers");
  model.hidden = required_int(map, "hidden", "hidden size");
  model.gated_ffn = map.boolean("gated_ffn").value_or(true);
  model.vocab = required_int(map, "vocab", "rows of the embedding");
  map.require("tied_embeddings", "whether lm_head is the embedding");
  model.tied_embeddings = map.boolean("tied_embeddings").value_or(false);
  model.attention_bias = map.boolean("attention_bias").value_or(false);
  model.max_context_tokens = required_int(map, "max_context_tokens", "longest supported context");
  model.mtp_layers = optional_int(map, "mtp_layers", 0);
  if (const YamlNode* attention =
          required_map(map, "attention", "{heads, kv_heads, head_dim, ...}")) {
    model.attention = read_attention(*attention, map.diagnostics());
  }
  const YamlNode* moe = map.node("moe");
  if (moe != nullptr && !moe->is_null()) {
    moe = required_map(map, "moe", "{experts, experts_per_token, expert_ffn, ...}");
    model.moe = moe == nullptr ? Moe{} : read_moe(*moe, map.diagnostics());
  }
  model.ffn = optional_int(map, "ffn", 0);
}

void check_shapes(MapReader& map, const Model& model) {
  Diagnostics& diagnostics = map.diagnostics();
  if (model.attention.windowed_layers > model.layers) {
    diagnostics.add(map.where("attention"),
                    fmt::format("{} windowed layers of {} layers", model.attention.windowed_layers,
                                model.layers));
  }
  if (model.moe.first_dense_layers > model.layers) {
    diagnostics.add(map.where("moe"), fmt::format("{} dense layers of {} layers",
                                                  model.moe.first_dense_layers, model.layers));
  }
  if (model.ffn == 0 && model.moe_layers() < model.layers) {
    diagnostics.add(map.where("ffn"), "'ffn' is missing and some layers are dense",
                    "write the intermediate size of the dense FFN");
  }
}

}  // namespace

Model read_model(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  Model model;
  read_schema(map, kModelSchema);
  model.name = read_name(map);
  model.title = required_text(map, "title", "the name that people read");
  model.aliases = map.text_list("aliases");
  model.huggingface = required_text(map, "huggingface", "the id of the original weights");
  model.native_format = required_text(map, "native_format", "the format of the original weights");
  if (!model.native_format.empty()) {
    reading.references.push_back(
        {Reference::Kind::kFormat, model.native_format, map.where("native_format")});
  }
  model.tokenizer = required_text(map, "tokenizer", "models that share it count tokens alike");
  model.license = required_text(map, "license", "the license of the weights");
  model.gated = map.boolean("gated").value_or(false);
  read_shapes(map, model);
  check_shapes(map, model);
  model.checkpoints = read_checkpoints(map, reading);
  model.sources = read_sources(document, map);
  map.finish();
  return model;
}

}  // namespace tensorpath::catalog
