// LengthDist: moments and quantiles against numerical integration and closed forms.
#include "catch.h"
#include "workload/normal.h"

#include <algorithm>
#include <cmath>

#include <tensorpath/workload.h>

using namespace tensorpath;

namespace {

LengthDist lognormal(double p50, double p95, double min, double max) {
  LengthDist dist;
  dist.kind = LengthDist::Kind::kLognormal;
  dist.p50 = p50;
  dist.p95 = p95;
  dist.min = min;
  dist.max = max;
  return dist;
}

LengthDist uniform(double min, double max) {
  LengthDist dist;
  dist.kind = LengthDist::Kind::kUniform;
  dist.min = min;
  dist.max = max;
  return dist;
}

LengthDist trace(std::vector<double> sorted) {
  LengthDist dist;
  dist.kind = LengthDist::Kind::kTrace;
  dist.sample = std::move(sorted);
  return dist;
}

// Mean and variance of quantile(U), U uniform: what the moments must agree with.
std::pair<double, double> by_quantiles(const LengthDist& dist) {
  constexpr int kSteps = 200'000;
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double x = dist.quantile((i + 0.5) / kSteps);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kSteps;
  return {mean, squares / kSteps - mean * mean};
}

}  // namespace

TEST_CASE("the normal quantile inverts the distribution to double precision") {
  CHECK(normal_quantile(0.975) == Approx(1.959963984540054).epsilon(1e-14));
  CHECK(normal_quantile(0.5) == Approx(0.0).margin(1e-15));
  CHECK(normal_quantile(1e-10) == Approx(-6.361340902404056).epsilon(1e-12));
  for (const double p : {1e-12, 1e-6, 0.01, 0.3, 0.9, 0.999}) {
    INFO(p);
    CHECK(normal_between(-INFINITY, normal_quantile(p)) == Approx(p).epsilon(1e-12));
  }
}

TEST_CASE("an unclipped lognormal has the textbook moments") {
  const LengthDist dist = lognormal(1000, 4000, 0, 0);
  const double s = std::log(4.0) / 1.6448536269514722;
  CHECK(dist.mean() == Approx(1000 * std::exp(s * s / 2)));
  CHECK(dist.variance() == Approx(1e6 * std::exp(s * s) * (std::exp(s * s) - 1)));
  CHECK(dist.quantile(0.5) == Approx(1000));
  CHECK(dist.quantile(0.95) == Approx(4000));
}

TEST_CASE("a clipped lognormal has the moments of its clamped draws") {
  for (const LengthDist& dist :
       {lognormal(1200, 6000, 900, 12000), lognormal(575, 3100, 16, 8000),
        lognormal(100, 100000, 1, 200), lognormal(40, 390, 1, 1024), lognormal(10, 11, 12, 20)}) {
    INFO(dist.to_string());
    const auto [mean, variance] = by_quantiles(dist);
    CHECK(dist.mean() == Approx(mean).epsilon(1e-4));
    CHECK(dist.variance() == Approx(variance).epsilon(1e-3).margin(1e-6));
    CHECK(dist.quantile(0) == dist.min);
    CHECK(dist.quantile(1) == dist.max);
    CHECK(dist.max_value() == dist.max);
  }
}

TEST_CASE("a lognormal without spread is a point, also under its clip") {
  CHECK(lognormal(500, 500, 1, 1000).mean() == 500);
  CHECK(lognormal(500, 500, 1, 1000).variance() == 0);
  CHECK(lognormal(500, 500, 1, 300).quantile(0.2) == 300);
}

TEST_CASE("uniform lengths are taken as continuous") {
  const LengthDist dist = uniform(100, 500);
  CHECK(dist.mean() == 300);
  CHECK(dist.variance() == Approx(400.0 * 400 / 12));
  CHECK(dist.quantile(0.25) == 200);
  CHECK(dist.max_value() == 500);
}

TEST_CASE("a capped mean is the mean of the smaller of length and cap") {
  for (const double cap : {0.0, 50.0, 100.0, 450.0, 900.0, 5000.0, 1e9}) {
    for (const LengthDist& dist :
         {lognormal(1200, 6000, 900, 12000), uniform(100, 500), trace({10, 20, 600, 9000})}) {
      double sum = 0;
      constexpr int kSteps = 100'000;
      const bool is_trace = dist.kind == LengthDist::Kind::kTrace;
      for (int i = 0; i < kSteps; ++i) {
        const double u = (i + 0.5) / kSteps;
        const double x = is_trace ? dist.sample[static_cast<std::size_t>(u * 4)] : dist.quantile(u);
        sum += std::min(x, cap);
      }
      INFO(dist.to_string() << " capped at " << cap);
      CHECK(dist.mean_capped(cap) == Approx(sum / kSteps).epsilon(1e-3).margin(1e-9));
    }
  }
}

TEST_CASE("a trace gives the moments of its sample") {
  const LengthDist dist = trace({10, 20, 30, 40});
  CHECK(dist.mean() == 25);
  CHECK(dist.variance() == 125);
  CHECK(dist.quantile(0.5) == 25);
  CHECK(dist.quantile(0) == 10);
  CHECK(dist.quantile(1) == 40);
  CHECK(dist.max_value() == 40);
}

TEST_CASE("a quantile outside of [0, 1] is the nearest end") {
  CHECK(uniform(1, 2).quantile(-1) == 1);
  CHECK(uniform(1, 2).quantile(2) == 2);
}
