// Has the compiler compute without end.
#include "task.h"

// Each evaluation stays below the compiler's own limits; there are many of them.
template <int kRound>
constexpr std::uint32_t burn() {
  std::uint32_t x = kRound;
  for (int outer = 0; outer < 10; ++outer) {
    for (int i = 0; i < 100000; ++i) x = x * 1664525U + 1013904223U;
  }
  return x;
}
template <int kRound>
constexpr std::uint32_t kBurnt = burn<kRound>() + kBurnt<kRound - 1>;
template <>
constexpr std::uint32_t kBurnt<0> = 0;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  static_assert(kBurnt<3> != 1);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
