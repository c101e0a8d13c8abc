#include "regime.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <tensorpath/base/parallel.h>

namespace tensorpath {
namespace {

constexpr std::array<std::string_view, 10> kNames = {"normal", "offset", "tiny",  "denormal",
                                                     "huge",   "mixed",  "zeros", "outlier",
                                                     "probe",  "special"};

double sign_of(Random& random) { return random.chance(0.5) ? -1.0 : 1.0; }

double largest_of(const Drawing& drawing) {
  const double largest = largest_finite(drawing.dtype);
  return drawing.limit > 0 ? std::min(drawing.limit, largest) : largest;
}

// Integers whose sums are exact in fp32 in any order, yet need more bits than fp16, bf16 or TF32
// keep: mostly positive, so that partial sums grow. With fp32 inputs one operand takes odd 12-bit
// integers, which TF32 rounds, thinned out so that the longest sum still fits into 24 bits.
double probe(const Drawing& drawing, Random& random) {
  if (drawing.dtype != DType::kFp32) {
    const auto magnitude = static_cast<double>(random.between(0, 8));
    return random.chance(0.2) ? -magnitude : magnitude;
  }
  if (!drawing.wide) return static_cast<double>(random.between(1, 2));
  const double density = std::min(1.0, 1500.0 / static_cast<double>(drawing.reduction));
  if (!random.chance(density)) return 0;
  return static_cast<double>(2 * random.between(1024, 2047) + 1);
}

double one_value(const Drawing& drawing, Random& random) {
  const double smallest = smallest_normal(drawing.dtype);
  const double largest = largest_of(drawing);
  switch (drawing.regime) {
    case Regime::kOffset:
      return std::min(64.0, largest / 4) + random.normal();
    case Regime::kTiny:
      return sign_of(random) * smallest * (1 + 15 * random.uniform());
    case Regime::kDenormal:
      return sign_of(random) * smallest * random.uniform();
    case Regime::kHuge:
      return sign_of(random) * largest * (0.25 + 0.75 * random.uniform());
    case Regime::kMixed: {
      const double low = std::log2(smallest);
      return sign_of(random) * std::exp2(low + (std::log2(largest) - low) * random.uniform());
    }
    case Regime::kZeros:
      return random.chance(0.1) ? 1.0 : 0.0 * sign_of(random);
    case Regime::kProbe:
      return probe(drawing, random);
    default:
      return random.normal();
  }
}

// Of each kind in turn: chance alone leaves a candidate unasked about NaN every now and then.
double special_value(std::int64_t turn) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr std::array<double, 3> kSpecials = {std::numeric_limits<double>::quiet_NaN(), kInfinity,
                                               -kInfinity};
  return kSpecials[static_cast<std::size_t>(turn) % kSpecials.size()];
}

}  // namespace

std::string_view name_of(Regime regime) { return kNames[static_cast<std::size_t>(regime)]; }

std::vector<std::string> regime_names() { return {kNames.begin(), kNames.end()}; }

void draw_values(const Drawing& drawing, const Key& key, std::int64_t columns,
                 std::vector<double>& values) {
  const auto size = std::ssize(values);
  parallel_for((size + kPart - 1) / kPart, [&](std::int64_t part) {
    Random own(derive_key(key, fmt::format("part {}", part)));
    const std::int64_t end = std::min(size, (part + 1) * kPart);
    for (std::int64_t i = part * kPart; i < end; ++i) {
      values[static_cast<std::size_t>(i)] = one_value(drawing, own);
    }
  });
  // A few rows only: the others must come out right beside them.
  Random random(derive_key(key, "rows"));
  const auto rows = static_cast<std::int64_t>(values.size()) / std::max<std::int64_t>(columns, 1);
  for (std::int64_t row = 0; row < rows; ++row) {
    const bool touched = drawing.regime == Regime::kOutlier ||
                         (drawing.regime == Regime::kSpecial && (row < 3 || random.chance(0.25)));
    if (!touched) continue;
    double& value =
        values[static_cast<std::size_t>(row * columns + random.between(0, columns - 1))];
    value = drawing.regime == Regime::kOutlier
                ? std::min(1000.0, largest_of(drawing)) * sign_of(random)
                : special_value(drawing.turn + (row < 3 ? row : random.between(0, 2)));
  }
}

}  // namespace tensorpath
