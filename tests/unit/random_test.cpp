// Streams from a key: their normals are normal, out into the tail.
#include "catch.h"

#include <array>
#include <cmath>

#include <tensorpath/base/random.h>

using namespace tensorpath;

TEST_CASE("normals have the moments and the tails of the normal distribution") {
  constexpr int kDraws = 2'000'000;
  Random random(derive_key(Key{}, "normals"));
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  const std::array<double, 4> limits = {0.5, 1, 2, 3.6541528853610088};
  std::array<int, 4> beyond{};
  int positive = 0;
  double farthest = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    positive += x > 0 ? 1 : 0;
    farthest = std::max(farthest, std::fabs(x));
    for (std::size_t k = 0; k < limits.size(); ++k) beyond[k] += std::fabs(x) > limits[k] ? 1 : 0;
  }
  // Five standard errors each.
  const double root = std::sqrt(static_cast<double>(kDraws));
  CHECK(std::fabs(sum / kDraws) < 5 / root);
  CHECK(std::fabs(squares / kDraws - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::fabs(fourths / kDraws - 3) < 5 * std::sqrt(96.0) / root);
  CHECK(std::fabs(positive / static_cast<double>(kDraws) - 0.5) < 2.5 / root);
  for (std::size_t k = 0; k < limits.size(); ++k) {
    const double share = std::erfc(limits[k] / std::sqrt(2.0));
    INFO(limits[k]);
    CHECK(std::fabs(beyond[k] - share * kDraws) < 5 * std::sqrt(share * (1 - share) * kDraws));
  }
  CHECK(farthest > 4.2);
}

TEST_CASE("equal keys give equal streams, other keys others") {
  Random a(derive_key(Key{}, "a"));
  Random again(derive_key(Key{}, "a"));
  Random b(derive_key(Key{}, "b"));
  for (int i = 0; i < 5000; ++i) {
    const double x = a.normal();
    CHECK(x == again.normal());
    CHECK(x != b.normal());
  }
}
