// scale = max(max|x| / 448, min_scale) of each row, q = x / scale.
#include <algorithm>

#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr double kLargestCode = 448;
constexpr double kScaleUlp = 2;

// max|x| of a row's numbers; NaN is left out.
double magnitude_of(const Tensor& x, std::int64_t row) {
  double most = 0;
  for (std::int64_t i = row * x.dim(1); i < (row + 1) * x.dim(1); ++i) {
    most = std::fmax(most, std::fabs(x[i]));
  }
  return most;
}

template <typename Number>
void quant_fp8_per_token(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& q = call.output("q");
  const Output& scales = call.output("scale");
  const Number largest = constant<Number>(kLargestCode);
  const Number floor = constant<Number>(call.attribute("min_scale"));
  for (std::int64_t row = 0; row < x.dim(0); ++row) {
    const Number scale = maximum(constant<Number>(magnitude_of(x, row)) / largest, floor);
    scales.set(row, scale);
    for (std::int64_t i = row * x.dim(1); i < (row + 1) * x.dim(1); ++i) {
      const Number value = x.at<Number>(i);
      q.set(i, scale.value == 0 ? value : maximum(minimum(value / scale, largest), -largest));
    }
  }
}

// The nearest number of e4m3, ties to even; beyond the largest the largest.
double nearest_code(double value) {
  const int exponent = std::max(value == 0 ? -6 : std::ilogb(value), -6);
  const double step = std::ldexp(1.0, exponent - 3);
  return std::clamp(std::nearbyint(value / step) * step, -kLargestCode, kLargestCode);
}

// 0 where `code` is a legal rounding of x / scale, else how much further off it is than those are.
double excess_of(double code, double x, double scale) {
  const double quotient = x / scale;
  const double slack = kDivideUlp * 2 * kUnit * std::fabs(quotient);
  // A denormal x may be read as zero.
  const double toward_zero = std::fabs(x) < kSmallestNormal ? std::fabs(quotient) : slack;
  const bool negative = quotient < 0;
  const double low = nearest_code(quotient - (negative ? slack : toward_zero));
  const double high = nearest_code(quotient + (negative ? toward_zero : slack));
  if (code >= low && code <= high) return 0;
  const double room = std::max(std::fabs(low - quotient), std::fabs(high - quotient));
  return room > 0 ? std::fabs(code - quotient) / room : kAny;
}

// How far a scale is from legal, in units of what is allowed: at most 1 where it is.
double scale_excess_of(double scale, double expected) {
  if (expected == 0) return scale >= 0 && std::isfinite(scale) ? 0 : kAny;
  if (std::isinf(expected)) return scale == expected ? 0 : kAny;
  const int exponent = std::max(std::ilogb(expected), -126);
  const double allowed = kScaleUlp * std::ldexp(1.0, exponent - 23);
  if (expected < kSmallestNormal && scale == 0) return 0;
  const double excess = std::fabs(scale - expected) / allowed;
  return std::isnan(excess) ? kAny : excess;
}

void judge_code(double code, double x, double scale, std::int64_t i, Judgement& judgement) {
  if (!std::isfinite(x)) {
    // What division and clamping make of it, whichever operand of a maximum wins.
    if (std::isnan(code) || std::fabs(code) == kLargestCode) return;
    return judgement.reject("q", i, "NaN or infinity became an ordinary number", kAny);
  }
  if (std::isnan(code)) return judgement.reject("q", i, "a finite number became NaN", kAny);
  const double excess = excess_of(code, x, scale);
  if (excess > 0) {
    judgement.reject("q", i, "not x / scale to nearest under the scale written", excess);
  }
}

void judge(const Call& call, const Tensor* written, Judgement& judgement) {
  const Tensor& x = call.input("x");
  for (std::int64_t row = 0; row < x.dim(0); ++row) {
    const std::int64_t begin = row * x.dim(1);
    const std::int64_t end = begin + x.dim(1);
    const double scale = written[1][row];
    const bool nan = std::any_of(x.values + begin, x.values + end, [](double v) { return v != v; });
    if (nan && std::isnan(scale)) continue;
    const double expected =
        std::fmax(magnitude_of(x, row) / kLargestCode, call.attribute("min_scale"));
    const double excess = scale_excess_of(scale, expected);
    if (excess > 1) judgement.reject("scale", row, "not max|x| / 448 within 2 ulp", excess);
    // Zeros stay zeros under any scale; under a denormal one, and its reciprocal, all may happen.
    const bool zeros = expected == 0;
    if (!zeros && !(scale >= kSmallestNormal)) continue;
    for (std::int64_t i = begin; i < end; ++i) {
      judge_code(written[0][i], x[i], zeros ? 1 : scale, i, judgement);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE_WITH_JUDGE(quant_fp8_per_token, judge)
