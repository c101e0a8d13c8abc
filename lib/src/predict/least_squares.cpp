#include "least_squares.h"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

namespace tensorpath::perf {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// Parameters are logarithms or of order one; this step is far above rounding and far below the
// width of the valley.
constexpr double kDifferenceStep = 1e-5;

struct Problem {
  const Residuals& residuals;
  std::size_t residual_count;
  std::size_t data_count;
  const LeastSquaresOptions& options;

  VectorXd evaluate(const std::vector<double>& x) const {
    VectorXd out(static_cast<Index>(residual_count));
    residuals(x, std::span<double>(out.data(), residual_count));
    for (Index i = 0; i < out.size(); ++i) {
      if (!std::isfinite(out[i])) out[i] = 1e6;
    }
    return out;
  }

  double cost(const VectorXd& r) const {
    const double scale2 = options.robust_scale * options.robust_scale;
    double sum = 0;
    for (Index i = 0; i < r.size(); ++i) {
      const double square = r[i] * r[i];
      const bool robust = scale2 > 0 && static_cast<std::size_t>(i) < data_count;
      sum += robust ? scale2 * std::log1p(square / scale2) : square;
    }
    return sum;
  }

  VectorXd weights(const VectorXd& r) const {
    VectorXd w = VectorXd::Ones(r.size());
    const double scale2 = options.robust_scale * options.robust_scale;
    if (scale2 <= 0) return w;
    for (std::size_t i = 0; i < data_count; ++i) {
      const auto row = static_cast<Index>(i);
      w[row] = 1 / (1 + r[row] * r[row] / scale2);
    }
    return w;
  }

  MatrixXd jacobian(const std::vector<double>& x, const VectorXd& r) const {
    MatrixXd result(r.size(), static_cast<Index>(x.size()));
    std::vector<double> moved = x;
    for (std::size_t j = 0; j < x.size(); ++j) {
      // Step inwards at an upper bound.
      const bool at_upper = !options.upper.empty() && x[j] + kDifferenceStep > options.upper[j];
      const double step = at_upper ? -kDifferenceStep : kDifferenceStep;
      moved[j] = x[j] + step;
      result.col(static_cast<Index>(j)) = (evaluate(moved) - r) / step;
      moved[j] = x[j];
    }
    return result;
  }

  void clamp(std::vector<double>& x) const {
    for (std::size_t j = 0; j < x.size(); ++j) {
      if (!options.lower.empty()) x[j] = std::max(x[j], options.lower[j]);
      if (!options.upper.empty()) x[j] = std::min(x[j], options.upper[j]);
    }
  }
};

}  // namespace

LeastSquaresResult minimise(const Residuals& residuals, std::vector<double> start,
                            std::size_t residual_count, std::size_t data_count,
                            const LeastSquaresOptions& options) {
  const Problem problem{residuals, residual_count, data_count, options};
  LeastSquaresResult result;
  result.x = std::move(start);
  problem.clamp(result.x);
  VectorXd r = problem.evaluate(result.x);
  result.cost = problem.cost(r);
  double damping = 1e-2;
  for (; result.iterations < options.max_iterations; ++result.iterations) {
    const MatrixXd j = problem.jacobian(result.x, r);
    const VectorXd w = problem.weights(r);
    const MatrixXd normal = j.transpose() * w.asDiagonal() * j;
    const VectorXd gradient = j.transpose() * w.cwiseProduct(r);
    bool improved = false;
    double gain = 0;
    // Damping grows until a step helps; ten tries span ten decades.
    for (int attempt = 0; attempt < 10 && !improved; ++attempt) {
      MatrixXd damped = normal;
      damped.diagonal() += damping * (normal.diagonal().array() + 1e-12).matrix();
      const VectorXd step = damped.ldlt().solve(-gradient);
      std::vector<double> next = result.x;
      for (std::size_t k = 0; k < next.size(); ++k) next[k] += step[static_cast<Index>(k)];
      problem.clamp(next);
      const VectorXd next_r = problem.evaluate(next);
      const double next_cost = problem.cost(next_r);
      if (next_cost < result.cost) {
        gain = (result.cost - next_cost) / result.cost;
        result.x = std::move(next);
        r = next_r;
        result.cost = next_cost;
        damping = std::max(damping / 5, 1e-9);
        improved = true;
      } else {
        damping *= 10;
      }
    }
    if (!improved || gain < options.tolerance) break;
  }
  return result;
}

}  // namespace tensorpath::perf
