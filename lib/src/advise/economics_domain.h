// The domain rule of economics.h in one place: quantities are >= 0, and what is not gives NaN.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>

namespace tensorpath::economics_domain {

inline constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

inline bool quantities(std::initializer_list<double> values) {
  for (const double value : values) {
    if (!(value >= 0)) return false;  // NaN fails too
  }
  return true;
}

// numerator / denominator of two quantities: infinite over zero, undefined for 0/0.
inline double quotient(double numerator, double denominator) {
  if (!quantities({numerator, denominator})) return kUndefined;
  if (denominator == 0) return numerator == 0 ? kUndefined : kInfinity;
  return numerator / denominator;
}

// The product of quantities. Nothing times an unbounded amount is nothing: no rate, no cost.
inline double product(std::initializer_list<double> values) {
  if (!quantities(values)) return kUndefined;
  double result = 1;
  for (const double value : values) {
    if (value == 0) return 0;
    result *= value;
  }
  return result;
}

}  // namespace tensorpath::economics_domain
