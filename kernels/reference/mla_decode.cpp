// Multi-head latent attention, decoding: keys and values of all heads are one latent per position.
#include <tensorpath/ops/reference.h>
#include <tensorpath/ops/softmax_mean.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void mla_decode(const Call& call) {
  const Tensor& q_nope = call.input("q_nope");
  const Tensor& q_pe = call.input("q_pe");
  const Tensor& cache = call.input("latent_cache");
  const Tensor& block_tables = call.input("block_tables");
  const Tensor& context_lens = call.input("context_lens");
  const Output& out = call.output("out");
  const std::int64_t heads = call.dim("heads");
  const std::int64_t rank = call.dim("kv_lora_rank");
  const std::int64_t rope_dim = call.dim("rope_dim");
  const std::int64_t page_size = call.dim("page_size");
  const std::int64_t pages = call.dim("pages");
  const Number scale = constant<Number>(call.attribute("scale"));
  call.for_each(call.dim("batch") * heads, [&](std::int64_t query) {
    const std::int64_t sequence = query / heads;
    SoftmaxMean<Number> mean(call, "p");
    for (std::int64_t i = 0; i < context_lens.integer(sequence); ++i) {
      const std::int64_t block = block_tables.integer(sequence * pages + i / page_size);
      const std::int64_t row = (block * page_size + i % page_size) * (rank + rope_dim);
      const Number latent = dot<Number>(call, q_nope, query * rank, cache, row, rank);
      const Number rotary = dot<Number>(call, q_pe, query * rope_dim, cache, row + rank, rope_dim);
      mean.add((latent + rotary) * scale, row);
    }
    mean.write(cache, rank, out, query * rank);
  });
}

}  // namespace

TENSORPATH_REFERENCE(mla_decode)
