// Sorts the row, cuts it by top-k and top-p in that order, then walks the tokens kept by their ids.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::logits)>>;

// Ascending integers for descending floats; NaNs have a place of their own at either end.
std::uint64_t key_of(float logit, std::int64_t id) {
  const auto bits = std::bit_cast<std::uint32_t>(logit);
  const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(~ascending) << 32 | static_cast<std::uint64_t>(id);
}

std::int64_t draw(const T* logits, std::int64_t vocab, std::int64_t top_k, double top_p,
                  double uniform, std::uint64_t* keys, unsigned char* kept) {
  for (std::int64_t i = 0; i < vocab; ++i) keys[i] = key_of(tp_to_float(logits[i]), i);
  std::sort(keys, keys + vocab);
  const auto id_at = [&](std::int64_t rank) {
    return static_cast<std::int64_t>(keys[rank] & 0xFFFFFFFFU);
  };
  const float top = tp_to_float(logits[id_at(0)]);
  const auto weight_of = [&](std::int64_t id) { return std::exp(tp_to_float(logits[id]) - top); };
  double total = 0;
  for (std::int64_t rank = 0; rank < top_k; ++rank) total += weight_of(id_at(rank));
  std::fill_n(kept, vocab, static_cast<unsigned char>(0));
  double mass = 0;
  for (std::int64_t rank = 0; rank < top_k && (rank == 0 || mass < top_p * total); ++rank) {
    kept[id_at(rank)] = 1;
    mass += weight_of(id_at(rank));
  }
  std::int64_t drawn = id_at(0);
  double below = 0;
  for (std::int64_t id = 0; id < vocab; ++id) {
    const float weight = kept[id] != 0 ? weight_of(id) : 0.0F;
    if (weight == 0) continue;
    drawn = id;
    below += weight;
    if (below > uniform * mass) break;
  }
  return drawn;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t vocab = args->vocab;
  auto* keys = static_cast<std::uint64_t*>(args->workspace);
  auto* kept = reinterpret_cast<unsigned char*>(keys + args->rows * vocab);
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t top_k = args->top_k[row] == 0 ? vocab : args->top_k[row];
    args->token[row] = static_cast<std::int32_t>(
        draw(args->logits + row * args->logits_stride, vocab, top_k, args->top_p[row],
             args->uniform[row], keys + row * vocab, kept + row * vocab));
  });
}
