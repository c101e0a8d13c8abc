// scale = max(max|x| / 448, min_scale) of each row, q = x / scale.
#include <algorithm>

#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr double kLargestCode = 448;
constexpr double kScaleUlp = 2;

double magnitude_of(const Tensor& x, std::int64_t row) {
  double most = 0;
  for (std::int64_t i = row * x.dim(1); i < (row + 1) * x.dim(1); ++i) {
    const double magnitude = std::fabs(x[i]);
    if (!std::isfinite(magnitude)) return magnitude;
    most = std::max(most, magnitude);
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

void judge(const Call& call, const Tensor* written, Judgement& judgement) {
  const Tensor& x = call.input("x");
  const Tensor& q = written[0];
  const Tensor& scales = written[1];
  const double floor = call.attribute("min_scale");
  for (std::int64_t row = 0; row < x.dim(0); ++row) {
    const double expected = std::fmax(magnitude_of(x, row) / kLargestCode, floor);
    const double scale = scales[row];
    // Infinite, NaN, or so small that it may be flushed and its reciprocal overflow.
    if (!(expected == 0 || expected >= kSmallestNormal) || !std::isfinite(magnitude_of(x, row)))
      continue;
    const double allowed =
        expected == 0 ? kLargest : kScaleUlp * std::ldexp(1.0, std::ilogb(expected) - 23);
    const double off = std::fabs(scale - expected);
    if (!(off <= allowed) || scale < 0) {
      judgement.reject("scale", row, "not max|x| / 448 within 2 ulp",
                       std::isfinite(off) && expected > 0 ? off / allowed : kAny);
    }
    for (std::int64_t i = row * x.dim(1); i < (row + 1) * x.dim(1); ++i) {
      if (expected == 0) {
        if (!(q[i] == 0)) judgement.reject("q", i, "a zero became something else", kAny);
      } else if (std::isnan(q[i])) {
        judgement.reject("q", i, "a finite number became NaN", kAny);
      } else if (scale >= kSmallestNormal && std::isfinite(scale)) {
        const double excess = excess_of(q[i], x[i], scale);
        if (excess > 0) {
          judgement.reject("q", i, "not x / scale to nearest under the scale written", excess);
        }
      }
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE_WITH_JUDGE(quant_fp8_per_token, judge)
