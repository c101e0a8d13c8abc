// A table of 128 logarithms, made by the compiler, and a short series around each, in double.
#include "task.h"

#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace {

constexpr int kSteps = 128;
constexpr double kLn2 = 0.69314718055994530942;

struct Step {
  double inverse;
  double logarithm;
};

// Of the middle of each step of [1, 2), but of the ends of the first and the last one: so near 1,
// from either side, the logarithm is that of a small distance and not a difference.
constexpr std::array<Step, kSteps> make_table() {
  std::array<Step, kSteps> table{};
  for (int i = 0; i < kSteps; ++i) {
    const double middle = 1 + (i + 0.5) / kSteps;
    table[i] = {1 / middle, __builtin_log(middle)};
  }
  table[0] = {1, 0};
  table[kSteps - 1] = {0.5, kLn2};
  return table;
}
constexpr std::array<Step, kSteps> kTable = make_table();

float log_of(float x) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (std::isnan(x) || x < 0) return std::numeric_limits<float>::quiet_NaN();
  if (x == 0) return -kInfinity;
  if (x == kInfinity) return x;
  int exponent = 0;
  if (x < std::numeric_limits<float>::min()) {
    x *= 0x1p24F;
    exponent = -24;
  }
  const auto bits = std::bit_cast<std::uint32_t>(x);
  exponent += static_cast<int>(bits >> 23) - 127;
  const double fraction = std::bit_cast<float>((bits & 0x7FFFFFU) | 0x3F800000U);
  const Step& step = kTable[(bits >> 16) & 0x7FU];
  const double r = fraction * step.inverse - 1;
  const double series = r * (1 - r * (1.0 / 2 - r * (1.0 / 3 - r * (1.0 / 4 - r / 5))));
  return static_cast<float>(exponent * kLn2 + step.logarithm + series);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t first = row * args->hidden;
    for (std::int64_t i = first; i < first + args->hidden; ++i) args->y[i] = log_of(args->x[i]);
  });
}
