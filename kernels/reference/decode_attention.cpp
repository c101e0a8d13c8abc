// One query per sequence against its keys and values in a paged cache.
#include <tensorpath/ops/reference.h>
#include <tensorpath/ops/softmax_mean.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void decode_attention(const Call& call) {
  const Tensor& q = call.input("q");
  const Tensor& keys = call.input("key_cache");
  const Tensor& values = call.input("value_cache");
  const Tensor& block_tables = call.input("block_tables");
  const Tensor& context_lens = call.input("context_lens");
  const Output& out = call.output("out");
  const std::int64_t q_heads = call.dim("q_heads");
  const std::int64_t kv_heads = call.dim("kv_heads");
  const std::int64_t head_dim = call.dim("head_dim");
  const std::int64_t page_size = call.dim("page_size");
  const std::int64_t pages = call.dim("pages");
  const double given = call.attribute("scale");
  const Number scale =
      constant<Number>(given != 0 ? given : 1 / std::sqrt(static_cast<double>(head_dim)));
  call.for_each(call.dim("batch") * q_heads, [&](std::int64_t place) {
    const std::int64_t sequence = place / q_heads;
    const std::int64_t kv_head = place % q_heads / (q_heads / kv_heads);
    const std::int64_t query = place * head_dim;
    SoftmaxMean<Number> mean(call, "p");
    for (std::int64_t i = 0; i < context_lens.integer(sequence); ++i) {
      const std::int64_t block = block_tables.integer(sequence * pages + i / page_size);
      const std::int64_t slot = block * page_size + i % page_size;
      const std::int64_t row = (slot * kv_heads + kv_head) * head_dim;
      mean.add(dot<Number>(call, q, query, keys, row, head_dim) * scale, row);
    }
    mean.write(values, head_dim, out, query);
  });
}

}  // namespace

TENSORPATH_REFERENCE(decode_attention)
