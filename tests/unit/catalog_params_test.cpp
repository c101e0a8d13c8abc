// Parameter counts, worked out by hand for small shapes: each term of the sum on its own.
#include "catch.h"

#include <tensorpath/catalog.h>

using namespace tensorpath;

namespace {

Model dense() {
  Model model;
  model.layers = 2;
  model.hidden = 8;
  model.ffn = 16;
  model.vocab = 100;
  model.attention.heads = 4;
  model.attention.kv_heads = 2;
  model.attention.head_dim = 2;
  return model;
}

}  // namespace

TEST_CASE("a dense model with grouped heads") {
  const Model model = dense();
  CHECK(model.embedding_params() == 2 * 100 * 8);
  CHECK(model.attention_params_per_layer() == 8 * (8 + 4 + 4) + 8 * 8);  // q, k, v; o
  CHECK(model.dense_ffn_params_per_layer() == 3 * 8 * 16);
  // Two norms a layer and the last one.
  CHECK(model.total_params() == 1600 + 2 * (192 + 384 + 16) + 8);
  CHECK(model.active_params() == model.total_params() - 100 * 8);  // an embedding row is a look-up
}

TEST_CASE("tied embeddings are stored once and read as lm_head") {
  Model model = dense();
  model.tied_embeddings = true;
  CHECK(model.embedding_params() == 100 * 8);
  CHECK(model.active_params() == model.total_params());
}

TEST_CASE("biases and plain FFNs") {
  Model model = dense();
  const double without = model.attention_params_per_layer();
  model.attention_bias = true;
  CHECK(model.attention_params_per_layer() == without + 8 + 4 + 4);
  model.gated_ffn = false;
  CHECK(model.dense_ffn_params_per_layer() == 2 * 8 * 16);
}

TEST_CASE("a mixture of experts after one dense layer") {
  Model model = dense();
  model.layers = 3;
  model.moe.experts = 10;
  model.moe.experts_per_token = 2;
  model.moe.expert_ffn = 4;
  model.moe.shared_experts = 1;
  model.moe.shared_ffn = 4;
  model.moe.first_dense_layers = 1;
  CHECK(model.moe_layers() == 2);
  CHECK(model.expert_params() == 3 * 8 * 4);
  CHECK(model.shared_expert_params_per_layer() == 3 * 8 * 4);
  const double router = 8 * 10;
  const double idle_experts = 2 * 8 * model.expert_params();  // 8 of 10, in each of 2 layers
  CHECK(model.total_params() == 1600 + 8 + 3 * (192 + 16) + 1 * 384 + 2 * (10 * 96 + 96 + router));
  CHECK(model.active_params() == model.total_params() - idle_experts - 100 * 8);
}

TEST_CASE("multi-head latent attention") {
  Model model = dense();
  model.attention.kv_lora_rank = 6;
  model.attention.rope_head_dim = 2;
  model.attention.nope_head_dim = 4;
  model.attention.v_head_dim = 3;
  const double query = 4 * (4 + 2);
  const double kv = 8 * (6 + 2) + 6 * 4 * (4 + 3);
  const double out = 4 * 3 * 8;
  CHECK(model.attention_params_per_layer() == 8 * query + kv + out);
  model.attention.q_lora_rank = 5;
  CHECK(model.attention_params_per_layer() == 8 * 5 + 5 * query + kv + out);
}
