// Parameter counts from a model's shapes. They are what a checkpoint's tensors add up to, but for
// multi-token-prediction layers, which published totals leave out (DeepSeek V3: 671e9 of 685e9).
#include <tensorpath/catalog.h>

namespace tensorpath {
namespace {

double ffn_matrices(const Model& model) { return model.gated_ffn ? 3 : 2; }

// Before attention and before the FFN.
double norm_params_per_layer(const Model& model) { return 2.0 * model.hidden; }

double router_params(const Model& model) {
  return static_cast<double>(model.hidden) * model.moe.experts;
}

double lm_head_params(const Model& model) {
  return static_cast<double>(model.vocab) * model.hidden;
}

double mla_params(const Model& model) {
  const Attention& a = model.attention;
  const double hidden = model.hidden;
  const double query = static_cast<double>(a.heads) * (a.nope_head_dim + a.rope_head_dim);
  const double q = a.q_lora_rank > 0 ? a.q_lora_rank * (hidden + query) : hidden * query;
  const double kv_down = hidden * (a.kv_lora_rank + a.rope_head_dim);
  const double kv_up =
      static_cast<double>(a.kv_lora_rank) * a.heads * (a.nope_head_dim + a.v_head_dim);
  const double out = static_cast<double>(a.heads) * a.v_head_dim * hidden;
  return q + kv_down + kv_up + out;
}

}  // namespace

double Model::embedding_params() const { return lm_head_params(*this) * (tied_embeddings ? 1 : 2); }

double Model::attention_params_per_layer() const {
  if (attention.is_mla()) {
    return mla_params(*this);
  }
  const double query = static_cast<double>(attention.heads) * attention.head_dim;
  const double key = static_cast<double>(attention.kv_heads) * attention.head_dim;
  const double bias = attention_bias ? query + 2 * key : 0;
  return hidden * (2 * query + 2 * key) + bias;
}

double Model::dense_ffn_params_per_layer() const {
  return ffn_matrices(*this) * hidden * static_cast<double>(ffn);
}

double Model::expert_params() const {
  return ffn_matrices(*this) * hidden * static_cast<double>(moe.expert_ffn);
}

double Model::shared_expert_params_per_layer() const {
  return ffn_matrices(*this) * hidden * static_cast<double>(moe.shared_ffn);
}

int Model::moe_layers() const { return moe.experts > 0 ? layers - moe.first_dense_layers : 0; }

double Model::total_params() const {
  const double every_layer = attention_params_per_layer() + norm_params_per_layer(*this);
  const double moe_layer =
      moe.experts * expert_params() + shared_expert_params_per_layer() + router_params(*this);
  return embedding_params() + hidden + layers * every_layer +
         (layers - moe_layers()) * dense_ffn_params_per_layer() + moe_layers() * moe_layer;
}

double Model::active_params() const {
  const double every_layer = attention_params_per_layer() + norm_params_per_layer(*this);
  const double moe_layer = moe.experts_per_token * expert_params() +
                           shared_expert_params_per_layer() + router_params(*this);
  return lm_head_params(*this) + hidden + layers * every_layer +
         (layers - moe_layers()) * dense_ffn_params_per_layer() + moe_layers() * moe_layer;
}

}  // namespace tensorpath
