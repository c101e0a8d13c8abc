// Moments and quantiles of request lengths. Lengths are taken as continuous. A lognormal X is
// clamped: a draw below min counts as min, one above max as max (max 0: no upper clip), so
//   E[X^k] = a^k F(a) + M_k [Phi(z_b - k s) - Phi(z_a - k s)] + b^k (1 - F(b)),
// with M_k = exp(k m + k^2 s^2 / 2), z_x = (ln x - m) / s, m = ln p50, s = ln(p95 / p50) / z_95.
#include "normal.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include <tensorpath/workload.h>

namespace tensorpath {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// 95th percentile of the standard normal.
constexpr double kZ95 = 1.6448536269514722;

struct Lognormal {
  double m = 0;
  double s = 0;
  double lo = 0;
  double hi = kInfinity;

  [[nodiscard]] double z(double x) const {
    if (x <= 0) return -kInfinity;
    return std::isinf(x) ? kInfinity : (std::log(x) - m) / s;
  }

  [[nodiscard]] double moment(int k) const {
    const double za = z(lo);
    const double zb = z(hi);
    double sum = std::exp(k * m + 0.5 * k * k * s * s) * normal_between(za - k * s, zb - k * s);
    if (lo > 0) sum += std::pow(lo, k) * normal_between(-kInfinity, za);
    if (!std::isinf(hi)) sum += std::pow(hi, k) * normal_between(zb, kInfinity);
    return sum;
  }
};

// The clamped lognormal with its upper clip lowered to `cap`.
Lognormal lognormal_of(const LengthDist& dist, double cap) {
  Lognormal out;
  out.m = std::log(dist.p50);
  out.s = std::log(dist.p95 / dist.p50) / kZ95;
  out.lo = std::min(std::max(dist.min, 0.0), cap);
  out.hi = std::min(dist.max > 0 ? dist.max : kInfinity, cap);
  return out;
}

double clamped(double value, const LengthDist& dist) {
  return std::clamp(value, dist.min, dist.max > 0 ? std::max(dist.max, dist.min) : kInfinity);
}

// A spread this small is a point; dividing by it would be noise.
bool is_point(const LengthDist& dist) { return dist.p95 <= dist.p50 * (1 + 1e-9); }

}  // namespace

double LengthDist::mean() const { return mean_capped(kInfinity); }

double LengthDist::mean_capped(double cap) const {
  switch (kind) {
    case Kind::kFixed:
      return std::min(value, cap);
    case Kind::kUniform:
      if (max <= min || cap <= min) return std::min(min, cap);
      if (cap >= max) return 0.5 * (min + max);
      // Below the cap its own mean, above it the cap.
      return (0.5 * (cap * cap - min * min) + cap * (max - cap)) / (max - min);
    case Kind::kLognormal:
      if (is_point(*this)) return std::min(clamped(p50, *this), cap);
      if (cap <= 0) return 0;
      return lognormal_of(*this, cap).moment(1);
    case Kind::kTrace:
      break;
  }
  if (sample.empty()) return 0;
  return std::accumulate(sample.begin(), sample.end(), 0.0,
                         [&](double sum, double x) { return sum + std::min(x, cap); }) /
         static_cast<double>(sample.size());
}

double LengthDist::variance() const {
  switch (kind) {
    case Kind::kFixed:
      return 0;
    case Kind::kUniform:
      return (max - min) * (max - min) / 12;
    case Kind::kLognormal: {
      if (is_point(*this)) return 0;
      const double first = mean();
      return std::max(0.0, lognormal_of(*this, kInfinity).moment(2) - first * first);
    }
    case Kind::kTrace:
      break;
  }
  if (sample.empty()) return 0;
  const double first = mean();
  return std::accumulate(sample.begin(), sample.end(), 0.0,
                         [&](double sum, double x) { return sum + (x - first) * (x - first); }) /
         static_cast<double>(sample.size());
}

double LengthDist::quantile(double p) const {
  p = std::clamp(p, 0.0, 1.0);
  switch (kind) {
    case Kind::kFixed:
      return value;
    case Kind::kUniform:
      return min + p * (max - min);
    case Kind::kLognormal:
      if (is_point(*this)) return clamped(p50, *this);
      if (p == 0) return clamped(0, *this);
      if (p == 1) return max_value();
      return clamped(p50 * std::exp(std::log(p95 / p50) / kZ95 * normal_quantile(p)), *this);
    case Kind::kTrace:
      break;
  }
  if (sample.empty()) return 0;
  // Linear between the order statistics (Hyndman and Fan, type 7).
  const double at = p * static_cast<double>(sample.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sample.size() - 1);
  return sample[below] + (at - static_cast<double>(below)) * (sample[above] - sample[below]);
}

double LengthDist::max_value() const {
  switch (kind) {
    case Kind::kFixed:
      return value;
    case Kind::kUniform:
      return max;
    case Kind::kLognormal:
      // Without an upper clip: the length that one request in a thousand exceeds.
      return max > 0 ? std::max(max, min) : quantile(0.999);
    case Kind::kTrace:
      break;
  }
  return sample.empty() ? 0 : sample.back();
}

std::string LengthDist::to_string() const {
  switch (kind) {
    case Kind::kFixed:
      return fmt::format("fixed {}", value);
    case Kind::kUniform:
      return fmt::format("uniform {}..{}", min, max);
    case Kind::kLognormal: {
      std::string out = fmt::format("lognormal p50 {} p95 {}", p50, p95);
      if (max > 0) out += fmt::format(" in {}..{}", min, max);
      return out;
    }
    case Kind::kTrace:
      break;
  }
  return fmt::format("trace {} ({} lengths)", trace_path, sample.size());
}

}  // namespace tensorpath
