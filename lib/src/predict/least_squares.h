// Non-linear least squares for the calibrations: Levenberg-Marquardt with a numeric Jacobian.
// Robust (Cauchy) on the data residuals, quadratic on the priors, deterministic, no globals.
// Sources: Marquardt 1963; Cauchy loss as iteratively re-weighted least squares (Huber 1981).
#pragma once

#include <functional>
#include <span>
#include <vector>

namespace tensorpath::perf {

struct LeastSquaresOptions {
  int max_iterations = 40;
  double tolerance = 1e-6;    // stop when the cost falls by less than this share
  double robust_scale = 0;    // residuals beyond it lose weight; 0 is plain least squares
  std::vector<double> lower;  // per parameter; empty is unbounded
  std::vector<double> upper;
};

struct LeastSquaresResult {
  std::vector<double> x;
  double cost = 0;
  int iterations = 0;
};

// Fills `out` with the residuals at x. The first `data_count` of them are robustified, the rest
// (priors) are not.
using Residuals = std::function<void(std::span<const double> x, std::span<double> out)>;

[[nodiscard]] LeastSquaresResult minimise(const Residuals& residuals, std::vector<double> start,
                                          std::size_t residual_count, std::size_t data_count,
                                          const LeastSquaresOptions& options = {});

}  // namespace tensorpath::perf
