// The judge of fp8 codes: legal roundings under the scale that was written, and a right scale.
#include "catch.h"
#include "reference_example.h"

#include <cmath>
#include <limits>

#include <tensorpath/base/random.h>
#include <tensorpath/ops/dtype.h>

namespace tensorpath {
namespace {

using test::Example;
using Messages = std::vector<std::string>;

constexpr double kFloor = 4.359654017857143e-06;

Example token_of(const std::vector<double>& x, double min_scale = kFloor) {
  const auto hidden = static_cast<std::int64_t>(x.size());
  return {"quant_fp8_per_token",
          {{"tokens", 1}, {"hidden", hidden}},
          {{"min_scale", min_scale}},
          {{"x", {1, hidden}, x}}};
}

Messages judged(const Example& example, const std::vector<double>& q, double scale) {
  return example.judge(
      {{"q", {1, static_cast<std::int64_t>(q.size())}, q}, {"scale", {1}, {scale}}});
}

const std::string kBadScale = "scale[0]: not max|x| / 448 within 2 ulp";
const std::string kBadCode = "q[1]: not x / scale to nearest under the scale written";

TEST_CASE("codes are roundings to nearest, of ties either way") {
  // Codes around 16 are 2 apart.
  const Example example = token_of({448, 17.5});
  CHECK(judged(example, {448, 18}, 1) == Messages{});
  CHECK(judged(example, {448, 16}, 1) == Messages{kBadCode});
  CHECK(judged(example, {448, 20}, 1) == Messages{kBadCode});
  CHECK(judged(example, {448, std::nan("")}, 1).size() == 1);
  CHECK(judged(token_of({448, -17}), {448, -16}, 1) == Messages{});
  CHECK(judged(token_of({448, -17}), {448, -18}, 1) == Messages{});
  CHECK(judged(token_of({448, -17}), {448, 16}, 1) == Messages{kBadCode});
  // Half of the smallest code, 2^-9, and less.
  CHECK(judged(token_of({448, 0x1p-10}), {448, 0}, 1) == Messages{});
  CHECK(judged(token_of({448, 0x1p-10}), {448, 0x1p-9}, 1) == Messages{});
  CHECK(judged(token_of({448, 0x1p-11}), {448, 0x1p-9}, 1) == Messages{kBadCode});
  CHECK(judged(token_of({448, -0x1p-11}), {448, -0.0}, 1) == Messages{});
}

TEST_CASE("a scale is right within 2 ulp, and the codes follow it") {
  const Example example = token_of({448, 17.5});
  CHECK(judged(example, {448, 18}, 1 + 0x1p-22) == Messages{});
  CHECK(judged(example, {448, 18}, 1 + 0x1.8p-21) == Messages{kBadScale});
  CHECK(judged(example, {224, 9}, 2) == Messages{kBadScale});
  CHECK(judged(example, {448, 18}, 2) ==
        Messages{kBadScale, "q[0]: not x / scale to nearest under the scale written", kBadCode});
  CHECK(judged(example, {448, 18}, std::nan("")) == Messages{kBadScale});
  CHECK(judged(example, {-448, -18}, -1) == Messages{kBadScale});
  // The codes of a scale that was rounded the other way.
  const double third = 448.0 / 3;
  const auto scale = static_cast<double>(static_cast<float>(third / 448));
  CHECK(judged(token_of({static_cast<double>(static_cast<float>(third)), 1}), {448, 3}, scale) ==
        Messages{});
}

TEST_CASE("small rows meet the floor, rows of zeros need no scale without one") {
  CHECK(judged(token_of({0, -0.0}), {0, 0}, static_cast<double>(4.359654017857143e-06F)) ==
        Messages{});
  CHECK(judged(token_of({0, 0}), {0, 0}, 1) == Messages{kBadScale});
  CHECK(judged(token_of({0, 0}, 0), {0, -0.0}, 1) == Messages{});
  CHECK(judged(token_of({0, 0}, 0), {0, 0}, 0) == Messages{});
  CHECK(judged(token_of({0, 0}, 0), {0, 1}, 0) == Messages{kBadCode});
  CHECK(judged(token_of({0, 0}, 0), {0, std::nan("")}, 0).size() == 1);
  CHECK(judged(token_of({0, 0}, 0), {0, 0}, std::nan("")) == Messages{kBadScale});
}

TEST_CASE("a NaN takes its row's scale along or is left out of it") {
  const Example example = token_of({std::nan(""), 17.5, 448});
  CHECK(judged(example, {7, 7, 7}, std::nan("")) == Messages{});
  CHECK(judged(example, {-448, 18, 448}, 1) == Messages{});
  CHECK(judged(example, {std::nan(""), 18, 448}, 1) == Messages{});
  CHECK(judged(example, {448, 20, 448}, 1) == Messages{kBadCode});
  CHECK(judged(example, {7, 18, 448}, 1) ==
        Messages{"q[0]: NaN or infinity became an ordinary number"});
  CHECK(judged(example, {448, 18, 448}, 2).size() == 3);
  CHECK(judged(token_of({1, 17.5}), {7, 7}, std::nan("")) == Messages{kBadScale});
}

TEST_CASE("an infinite number makes the scale infinite and the others zero") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Example example = token_of({kInfinity, 17.5});
  CHECK(judged(example, {448, 0}, kInfinity) == Messages{});
  CHECK(judged(example, {std::nan(""), 0}, kInfinity) == Messages{});
  CHECK(judged(example, {448, 18}, kInfinity) == Messages{kBadCode});
  CHECK(judged(example, {448, 18}, 1) == Messages{kBadScale});
}

TEST_CASE("without a floor a denormal scale may be flushed") {
  const Example example = token_of({0x1p-126, 0x1p-130}, 0);
  CHECK(judged(example, {7, std::nan("")}, 0) == Messages{});
  CHECK(judged(example, {448, 28}, 0x1p-126 / 448) == Messages{});
  CHECK(judged(example, {448, 28}, 0x1p-130) == Messages{kBadScale});
}

TEST_CASE("division, a reciprocal and a factor all pass; truncation does not") {
  Random random(Key{});
  int truncated = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<double> x(static_cast<std::size_t>(random.between(1, 300)));
    const double size = std::exp2(random.between(-60, 60));
    float most = 0;
    for (double& value : x) {
      value = static_cast<double>(static_cast<float>(size * random.normal()));
      most = std::fmax(most, std::fabs(static_cast<float>(value)));
    }
    const float floor = 4.359654017857143e-06F;
    const float by_division = std::fmax(most / 448, floor);
    const float by_factor = std::fmax(most * (1.0F / 448), floor);
    std::vector<double> divided;
    std::vector<double> multiplied;
    std::vector<double> cut;
    const auto code = [](float value) {
      const double held = static_cast<double>(std::fmin(std::fmax(value, -448.0F), 448.0F));
      return decode(DType::kFp8E4M3, encode(DType::kFp8E4M3, held));
    };
    for (const double value : x) {
      divided.push_back(code(static_cast<float>(value) / by_division));
      multiplied.push_back(code(static_cast<float>(value) * (1 / by_factor)));
      cut.push_back(code(static_cast<float>(value) / by_division * 0.96F));
    }
    const Example example = token_of(x);
    CHECK(judged(example, divided, static_cast<double>(by_division)) == Messages{});
    CHECK(judged(example, multiplied, static_cast<double>(by_factor)) == Messages{});
    truncated += judged(example, cut, static_cast<double>(by_division)).empty() ? 0 : 1;
  }
  CHECK(truncated > 100);
}

}  // namespace
}  // namespace tensorpath
