// No sort: the thresholds of top-k and top-p found bit by bit; all tokens equal to one are kept.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

// An integer in the order of the logits; NaNs have a place of their own at either end.
std::uint32_t key_of(tp_bf16 logit) {
  return (logit.bits & 0x8000U) != 0 ? 0xFFFFU ^ logit.bits : 0x8000U | logit.bits;
}

// The largest key so that `measure` of all keys from it on reaches `needed`.
template <typename Measure>
std::uint32_t threshold_of(double needed, const Measure& measure) {
  std::uint32_t threshold = 0;
  for (std::uint32_t bit = 0x8000; bit != 0; bit >>= 1) {
    if (measure(threshold | bit) >= needed) threshold |= bit;
  }
  return threshold;
}

std::int64_t draw(const tp_bf16* logits, std::int64_t vocab, std::int64_t top_k, double top_p,
                  double uniform, float* weights) {
  std::uint32_t most = 0;
  float top = tp_to_float(logits[0]);
  for (std::int64_t i = 0; i < vocab; ++i) {
    most = std::max(most, key_of(logits[i]));
    top = std::fmax(top, tp_to_float(logits[i]));
  }
  for (std::int64_t i = 0; i < vocab; ++i) weights[i] = std::exp(tp_to_float(logits[i]) - top);
  const auto count_from = [&](std::uint32_t key) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < vocab; ++i) count += key_of(logits[i]) >= key;
    return static_cast<double>(count);
  };
  const auto mass_from = [&](std::uint32_t key) {
    double mass = 0;
    for (std::int64_t i = 0; i < vocab; ++i) mass += key_of(logits[i]) >= key ? weights[i] : 0.0F;
    return mass;
  };
  const std::uint32_t by_count = threshold_of(static_cast<double>(top_k), count_from);
  const std::uint32_t by_mass = threshold_of(top_p * mass_from(by_count), [&](std::uint32_t key) {
    return mass_from(std::max(key, by_count));
  });
  // One token at the least, where nothing at all is needed.
  const std::uint32_t threshold = std::min(by_mass, most);
  const double mark = uniform * mass_from(threshold);
  std::int64_t drawn = 0;
  double below = 0;
  for (std::int64_t id = 0; id < vocab; ++id) {
    if (key_of(logits[id]) < threshold || weights[id] == 0) continue;
    drawn = id;
    below += weights[id];
    if (below > mark) break;
  }
  return drawn;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t vocab = args->vocab;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t top_k = args->top_k[row] == 0 ? vocab : args->top_k[row];
    args->token[row] = static_cast<std::int32_t>(
        draw(args->logits + row * args->logits_stride, vocab, top_k, args->top_p[row],
             args->uniform[row], static_cast<float*>(args->workspace) + row * vocab));
  });
}
