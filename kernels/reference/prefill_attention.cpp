// Every query of a sequence against its keys; with a causal mask, those up to its own position.
#include <tensorpath/ops/reference.h>
#include <tensorpath/ops/softmax_mean.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void prefill_attention(const Call& call) {
  const Tensor& q = call.input("q");
  const Tensor& k = call.input("k");
  const Tensor& v = call.input("v");
  const Output& out = call.output("out");
  const std::int64_t queries = call.dim("queries");
  const std::int64_t keys = call.dim("keys");
  const std::int64_t q_heads = call.dim("q_heads");
  const std::int64_t kv_heads = call.dim("kv_heads");
  const std::int64_t head_dim = call.dim("head_dim");
  const bool causal = call.attribute("causal") != 0;
  const double given = call.attribute("scale");
  const Number scale =
      constant<Number>(given != 0 ? given : 1 / std::sqrt(static_cast<double>(head_dim)));
  call.for_each(call.dim("batch") * queries, [&](std::int64_t place) {
    const std::int64_t sequence = place / queries;
    const std::int64_t i = place % queries;
    // The last query sees every key.
    const std::int64_t seen = causal ? keys - queries + i + 1 : keys;
    for (std::int64_t head = 0; head < q_heads; ++head) {
      const std::int64_t query = (place * q_heads + head) * head_dim;
      const std::int64_t kv_head = head / (q_heads / kv_heads);
      SoftmaxMean<Number> mean(call, "p");
      for (std::int64_t j = 0; j < seen; ++j) {
        const std::int64_t row = ((sequence * keys + j) * kv_heads + kv_head) * head_dim;
        mean.add(dot<Number>(call, q, query, k, row, head_dim) * scale, row);
      }
      mean.write(v, head_dim, out, query);
    }
  });
}

}  // namespace

TENSORPATH_REFERENCE(prefill_attention)
