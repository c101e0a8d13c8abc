// Scalar, byte by byte, a constexpr table of both codes of a byte less eight.
#include "task.h"

#include <array>

namespace {

struct Pair {
  std::int8_t first;
  std::int8_t second;
};

constexpr std::array<Pair, 256> make_pairs() {
  std::array<Pair, 256> pairs{};
  for (int byte = 0; byte < 256; ++byte) {
    pairs[byte] = {static_cast<std::int8_t>((byte & 0xF) - 8),
                   static_cast<std::int8_t>((byte >> 4) - 8)};
  }
  return pairs;
}
constexpr std::array<Pair, 256> kPairs = make_pairs();

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->k, [&](std::int64_t row) {
    const tp_code* codes = args->codes + row * args->n / 2;
    const tp_bf16* scales = args->scales + row / args->group * args->n;
    tp_bf16* w = args->w + row * args->w_stride;
    for (std::int64_t j = 0; j < args->n; j += 2) {
      const Pair pair = kPairs[codes[j / 2]];
      w[j] = tp_to_bf16(static_cast<float>(pair.first) * tp_to_float(scales[j]));
      w[j + 1] = tp_to_bf16(static_cast<float>(pair.second) * tp_to_float(scales[j + 1]));
    }
  });
}
