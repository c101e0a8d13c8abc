// The two kinds of number a reference computes with: Exact, a float64 value with a bound on how far
// a legal fp32 implementation may be from it, and Emulated, what a plain fp32 kernel computes.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tensorpath::reference {

// fp32, in which candidates compute between loading and storing.
inline constexpr double kUnit = 0x1p-24;             // unit roundoff
inline constexpr double kSmallestNormal = 0x1p-126;  // below it a result may be flushed to zero
inline constexpr double kLargest = 0x1.fffffep127;
inline constexpr double kAny = std::numeric_limits<double>::infinity();

// Budgets in units in the last place of fp32 (one ulp is at most 2 * kUnit relative), twice what
// CUDA's and glibc's fp32 functions are documented to reach, so that a reformulation has room.
inline constexpr double kDivideUlp = 2;  // a * (1 / b); IEEE division needs 0.5
inline constexpr double kRootUlp = 2;    // sqrt 1, rsqrt 2
inline constexpr double kExpUlp = 4;     // expf 2; exp2(x * log2(e)) adds its own term below
inline constexpr double kLogUlp = 4;     // logf 1
inline constexpr double kTanhUlp = 4;    // tanhf 2
inline constexpr double kErfUlp = 4;     // erff 2
inline constexpr double kTrigUlp = 4;    // sinf, cosf 2, on arguments that were reduced exactly

// A real number and a bound on |computed - value| over all legal implementations. An error of kAny:
// nothing is promised (an fp32 intermediate may have overflowed), any result is legal.
struct Exact {
  double value = 0;
  double error = 0;
};

// What a plain fp32 implementation computes.
struct Emulated {
  float value = 0;
};

// Too large for fp32 though every input was finite: computed, it is near the value or infinite. Of
// an unknown number (unknown()) nothing is promised, neither size nor sign.
inline bool overflowed(const Exact& a) { return a.error == kAny && std::fabs(a.value) > kLargest; }
inline Exact unknown(double value) { return {std::fabs(value) > kLargest ? 0 : value, kAny}; }
// Whether the number is known to a factor of two, and with that its sign.
inline bool is_near(double value, double error) { return error <= std::fabs(value) / 2; }
// A result past fp32's largest number. An infinity or a NaN is what it is, whatever error it
// inherits.
inline Exact unbounded(double value, double error) {
  if (!std::isfinite(value)) return error == kAny ? unknown(value) : Exact{value, 0};
  return is_near(value, error) ? Exact{value, kAny} : unknown(value);
}
// One fp32 rounding of an exact result with inherited error. Results that fp32 holds exactly do not
// round; small ones may be flushed.
inline Exact rounded(double value, double error) {
  const double magnitude = std::fabs(value);
  if (!(magnitude <= kLargest)) return unbounded(value, error);
  if (static_cast<double>(static_cast<float>(value)) != value) error += kUnit * magnitude;
  if (magnitude < kSmallestNormal && magnitude != 0) error += magnitude + 0x1p-150;
  return {value, error};
}
// The same with a budget of `ulp` units in the last place, exact or not.
inline Exact approximated(double value, double error, double ulp) {
  const double magnitude = std::fabs(value);
  if (!(magnitude <= kLargest)) return unbounded(value, error);
  error += ulp * 2 * kUnit * magnitude;
  if (magnitude < kSmallestNormal && magnitude != 0) error += magnitude + 0x1p-150;
  return {value, error};
}

// The last operation of a formula: an overflow there is the infinity that IEEE 754 gives, and no
// licence. Only where what went into it is known to better than 2^-10.
inline Exact settled(Exact a) {
  return overflowed(a) ? Exact{a.value, std::isinf(a.value) ? 0 : std::fabs(a.value) * 0x1p-10} : a;
}

// Whether it is known if the number is positive, negative, zero or NaN.
inline bool has_sign(const Exact& a) { return a.error == 0 || !(std::fabs(a.value) <= a.error); }

// A result of operands of which one overflowed or is unknown: past the largest number only where
// that is certain.
inline Exact unpromised(double value, bool certain) {
  return certain ? Exact{value, kAny} : unknown(value);
}

inline Exact operator-(Exact a) { return {-a.value, a.error}; }
inline Exact operator+(Exact a, Exact b) {
  const double value = a.value + b.value;
  if (a.error != kAny && b.error != kAny) return rounded(value, a.error + b.error);
  if (!overflowed(a)) std::swap(a, b);
  // An overflow stays one beside what is no more than half of it, and beside one of its own sign.
  const bool certain =
      overflowed(a) && (overflowed(b) ? std::signbit(a.value) == std::signbit(b.value)
                                      : is_near(a.value, std::fabs(b.value) + b.error));
  return unpromised(value, certain);
}
inline Exact operator-(Exact a, Exact b) { return a + -b; }
inline Exact operator*(Exact a, Exact b) {
  if (a.error == kAny || b.error == kAny) {
    const auto certain = [](const Exact& x) { return overflowed(x) || is_near(x.value, x.error); };
    return unpromised(a.value * b.value, certain(a) && certain(b));
  }
  // An infinite factor hides the other one's error, but for its sign.
  if (!std::isfinite(a.value) || !std::isfinite(b.value)) {
    const double value = a.value * b.value;
    return has_sign(a) && has_sign(b) ? Exact{value, 0} : unknown(value);
  }
  const auto part = [](double x, double e) { return e == 0 ? 0.0 : std::fabs(x) * e; };
  return rounded(a.value * b.value,
                 part(a.value, b.error) + part(b.value, a.error) + a.error * b.error);
}
inline Exact operator/(Exact a, Exact b) {
  const double value = a.value / b.value;
  // A divisor that may be infinite: anything between the quotient and zero.
  if (overflowed(b) && a.error != kAny) {
    return {value, std::fabs(value) + a.error / std::fabs(b.value) + 0x1p-150};
  }
  if (a.error == kAny || b.error == kAny) {
    return unpromised(value, overflowed(a) && is_near(b.value, b.error));
  }
  if (!std::isfinite(a.value)) return has_sign(b) ? Exact{value, 0} : unknown(value);
  const double room = std::fabs(b.value) - b.error;
  if (b.error > 0 && !(room > 0)) return unknown(value);
  double inherited = 0;
  if (a.error > 0 || b.error > 0) inherited = (a.error + std::fabs(value) * b.error) / room;
  if (std::isnan(inherited)) inherited = 0;
  // CUDA's div.approx gives zero for divisors past 2^126.
  if (std::fabs(b.value) > 0x1p126 && std::isfinite(value)) inherited += std::fabs(value);
  // The reciprocal of a power of two is exact.
  int exponent = 0;
  const bool exact = b.error == 0 && std::fabs(std::frexp(b.value, &exponent)) == 0.5;
  return exact ? rounded(value, inherited) : approximated(value, inherited, kDivideUlp);
}

inline Exact sqrt(Exact a) {
  const double value = std::sqrt(a.value);
  if (a.error == kAny) return {value, kAny};
  const double lower = std::sqrt(std::fmax(0.0, a.value - a.error));
  const double error =
      a.error == 0 ? 0 : std::fmax(std::sqrt(a.value + a.error) - value, value - lower);
  return approximated(value, error, kRootUlp);
}
inline Exact rsqrt(Exact a) {
  const double value = 1.0 / std::sqrt(a.value);
  if (overflowed(a)) return {value, value + kSmallestNormal};
  if (a.error == kAny) return unknown(value);
  const double room = a.value - a.error;
  if (a.error > 0 && !(room > 0)) return unknown(value);
  const double error = a.error == 0 ? 0 : 1.0 / std::sqrt(room) - value;
  return approximated(value, error, kRootUlp);
}
inline Exact exp(Exact a) {
  const double value = std::exp(a.value);
  if (overflowed(a) && a.value < 0) return {0, kSmallestNormal};
  if (a.error == kAny) return unpromised(value, overflowed(a));
  if (std::isinf(a.value) || std::isnan(a.value)) return {value, 0};
  // exp2(x * log2(e)) rounds its argument once or twice.
  const double argument = a.error + 2 * kUnit * std::fabs(a.value);
  if (value > kLargest) {
    // The power is known to a factor of two, or past the largest number at the least.
    constexpr double kTwofold = 0.69;
    constexpr double kLogLargest = 88.8;
    return unpromised(value, argument <= kTwofold || a.value - argument >= kLogLargest);
  }
  const double inherited =
      argument < 1 ? value * std::expm1(argument) : std::exp(a.value + argument) - value;
  return approximated(value, inherited, kExpUlp);
}
inline Exact log(Exact a) {
  const double value = std::log(a.value);
  if (a.error == kAny) return unknown(value);
  const double room = a.value - a.error;
  if (a.error > 0 && !(room > 0)) return unknown(value);
  return approximated(value, a.error == 0 ? 0 : a.error / room, kLogUlp);
}
inline Exact log1p(Exact a) {
  const double value = std::log1p(a.value);
  const double room = 1 + a.value - a.error;
  if (a.error == kAny || (a.error > 0 && !(room > 0))) return unknown(value);
  return approximated(value, a.error == 0 ? 0 : a.error / room, kLogUlp);
}
// tanh and erf flatten out: an error in the argument shrinks with the slope at the end of its
// interval that is nearest to zero. Far out every implementation yields one, which may be all the
// accuracy there is to 1 + tanh: there the error is what the true value lacks of one.
inline Exact tanh(Exact a) {
  const double value = std::tanh(a.value);
  if (overflowed(a)) return {value, 0};
  if (a.error == kAny) return {value, kAny};
  const double nearest = std::fmax(std::fabs(a.value) - a.error, 0);
  if (nearest >= 10) return {value, std::fmax(2 * std::exp(-2 * nearest), 1 - std::fabs(value))};
  const double slope = 1 / (std::cosh(nearest) * std::cosh(nearest));
  return approximated(value, std::fmin(slope * a.error, 2.0), kTanhUlp);
}
inline Exact erf(Exact a) {
  const double value = std::erf(a.value);
  if (overflowed(a)) return {value, 0};
  if (a.error == kAny) return {value, kAny};
  const double nearest = std::fmax(std::fabs(a.value) - a.error, 0);
  if (nearest >= 5) return {value, std::fmax(std::erfc(nearest), 1 - std::fabs(value))};
  const double slope = 1.1283791670955126 * std::exp(-nearest * nearest);
  return approximated(value, std::fmin(slope * a.error, 2.0), kErfUlp);
}
inline Exact sin(Exact a) { return {std::sin(a.value), a.error + kTrigUlp * 2 * kUnit}; }
inline Exact cos(Exact a) { return {std::cos(a.value), a.error + kTrigUlp * 2 * kUnit}; }
inline Exact abs(Exact a) { return {std::fabs(a.value), a.error}; }
// Of two numbers, a NaN wins (IEEE 754-2019 maximum; torch.maximum).
inline Exact maximum(Exact a, Exact b) {
  const double value = std::isnan(a.value) || std::isnan(b.value)
                           ? std::numeric_limits<double>::quiet_NaN()
                           : std::fmax(a.value, b.value);
  return {value, std::fmax(a.error, b.error)};
}
inline Exact minimum(Exact a, Exact b) { return -maximum(-a, -b); }

inline Emulated operator+(Emulated a, Emulated b) { return {a.value + b.value}; }
inline Emulated operator-(Emulated a, Emulated b) { return {a.value - b.value}; }
inline Emulated operator-(Emulated a) { return {-a.value}; }
inline Emulated operator*(Emulated a, Emulated b) { return {a.value * b.value}; }
inline Emulated operator/(Emulated a, Emulated b) { return {a.value / b.value}; }
inline Emulated sqrt(Emulated a) { return {std::sqrt(a.value)}; }
inline Emulated rsqrt(Emulated a) { return {1.0F / std::sqrt(a.value)}; }
inline Emulated exp(Emulated a) { return {std::exp(a.value)}; }
inline Emulated log(Emulated a) { return {std::log(a.value)}; }
inline Emulated log1p(Emulated a) { return {std::log1p(a.value)}; }
inline Emulated tanh(Emulated a) { return {std::tanh(a.value)}; }
inline Emulated erf(Emulated a) { return {std::erf(a.value)}; }
inline Emulated sin(Emulated a) { return {std::sin(a.value)}; }
inline Emulated cos(Emulated a) { return {std::cos(a.value)}; }
inline Emulated abs(Emulated a) { return {std::fabs(a.value)}; }
inline Emulated maximum(Emulated a, Emulated b) {
  return std::isnan(a.value) || std::isnan(b.value)
             ? Emulated{std::numeric_limits<float>::quiet_NaN()}
             : Emulated{std::fmax(a.value, b.value)};
}
inline Emulated minimum(Emulated a, Emulated b) { return -maximum(-a, -b); }
inline Emulated settled(Emulated a) { return a; }

// For terms in which an inherited error cancels to first order: the number without it, and it
// alone.
inline Exact without_error(Exact a) { return {a.value, 0}; }
inline Emulated without_error(Emulated a) { return a; }
inline Exact error_of(Exact a) { return {0, a.error}; }
inline Emulated error_of(Emulated /*a*/) { return {0}; }

// A constant of the formula, rounded to fp32 where that is inexact.
template <typename Number>
Number constant(double value);
template <>
inline Exact constant<Exact>(double value) {
  return rounded(value, 0);
}
template <>
inline Emulated constant<Emulated>(double value) {
  return {static_cast<float>(value)};
}

}  // namespace tensorpath::reference
