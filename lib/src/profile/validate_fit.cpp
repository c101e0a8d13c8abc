#include "validate_fit.h"

#include "predict/least_squares.h"

#include <cmath>
#include <map>
#include <set>

namespace tensorpath::validation {
namespace {

// One unit of residual: a tenth off is what measurements of this kind scatter by.
constexpr double kScale = 0.1;
// Cauchy scale in those units: past 20% a row counts less and less.
constexpr double kRobustScale = 2;
// TTFT scatters about three times as much as TPOT.
constexpr double kTtftWeight = 0.35;
// Fits settle in 20 to 60.
constexpr int kIterations = 100;

// Step models of every (layout, host) that rows use, compiled once per parameter set.
class Models {
 public:
  Models(const FitProblem& problem, const perf::ServingParameters& parameters)
      : fast_(problem.inputs.size()), slow_(problem.inputs.size()) {
    std::vector<char> need_fast(problem.inputs.size()), need_slow(problem.inputs.size());
    for (const FitRow& row : problem.rows) {
      (row.slow_host ? need_slow : need_fast)[row.input] = 1;
    }
    for (std::size_t i = 0; i < problem.inputs.size(); ++i) {
      if (need_fast[i]) fast_[i] = perf::compile_step(problem.inputs[i], parameters, false);
      if (need_slow[i]) slow_[i] = perf::compile_step(problem.inputs[i], parameters, true);
    }
  }

  [[nodiscard]] const StepModel& of(const FitRow& row) const {
    return (row.slow_host ? slow_ : fast_)[row.input];
  }

 private:
  std::vector<StepModel> fast_, slow_;
};

}  // namespace

std::vector<perf::MeasuredMeans> predict_rows(const FitProblem& problem,
                                              const perf::ServingParameters& parameters) {
  const Models models(problem, parameters);
  std::vector<perf::MeasuredMeans> result;
  result.reserve(problem.rows.size());
  for (const FitRow& row : problem.rows) {
    result.push_back(perf::predict_run(models.of(row), row.run));
  }
  return result;
}

perf::ServingParameters fit(const FitProblem& problem, const RowMask& left_out) {
  FitProblem used;
  used.inputs = problem.inputs;
  std::map<int, double> rows_in_group;
  for (std::size_t i = 0; i < problem.rows.size(); ++i) {
    if (!left_out.empty() && left_out[i]) continue;
    used.rows.push_back(problem.rows[i]);
    rows_in_group[problem.rows[i].group] += 1;
  }
  const perf::ServingParameters start;
  if (used.rows.empty()) return start;
  std::vector<double> weight;
  double sum = 0;
  for (const FitRow& row : used.rows) {
    weight.push_back(1 / std::sqrt(rows_in_group[row.group]));
    sum += weight.back();
  }
  for (double& w : weight) w = std::sqrt(w * static_cast<double>(used.rows.size()) / sum);
  const std::vector<double> first = perf::pack(start);
  const std::size_t n = used.rows.size();
  const auto residuals = [&](std::span<const double> x, std::span<double> out) {
    const auto predicted = predict_rows(used, perf::unpack(x));
    for (std::size_t i = 0; i < n; ++i) {
      const FitRow& row = used.rows[i];
      const double w = weight[i] / kScale;
      out[i] = w * std::log(predicted[i].tpot_ms / row.tpot_ms);
      out[n + i] = w * kTtftWeight * std::log(predicted[i].ttft_ms / row.ttft_ms);
    }
    perf::prior_residuals(x, out.subspan(2 * n));
  };
  perf::LeastSquaresOptions options;
  options.max_iterations = kIterations;
  options.robust_scale = kRobustScale;
  options.tolerance = 1e-6;
  const auto fitted = perf::minimise(residuals, first, 2 * n + first.size(), 2 * n, options);
  return perf::unpack(fitted.x);
}

std::vector<perf::MeasuredMeans> leave_out(const FitProblem& problem,
                                           const std::vector<std::string>& keys) {
  const std::size_t n = problem.rows.size();
  std::vector<perf::MeasuredMeans> result(n);
  for (const std::string& key : std::set<std::string>(keys.begin(), keys.end())) {
    RowMask left_out(n);
    for (std::size_t i = 0; i < n; ++i) left_out[i] = keys[i] == key;
    const auto predicted = predict_rows(problem, fit(problem, left_out));
    for (std::size_t i = 0; i < n; ++i) {
      if (left_out[i]) result[i] = predicted[i];
    }
  }
  return result;
}

std::vector<perf::MeasuredMeans> leave_gpu_out(const FitProblem& problem,
                                               const perf::CalibrationData& data) {
  const std::size_t n = problem.rows.size();
  const auto gpu_of = [&](std::size_t i) {
    return problem.inputs[problem.rows[i].input].layout.gpu->name;
  };
  std::set<std::string> gpus;
  for (std::size_t i = 0; i < n; ++i) gpus.insert(gpu_of(i));
  std::vector<perf::MeasuredMeans> result(n);
  for (const std::string& gpu : gpus) {
    perf::OpSurfaces others = data.surfaces;
    std::erase_if(others.gpus, [&](const perf::GpuSurfaces& one) { return one.gpu == gpu; });
    if (others.gpus.empty()) others = data.surfaces;
    FitProblem borrowed = problem;
    for (perf::CompileInput& input : borrowed.inputs) {
      input.surfaces = &others.of(*input.layout.gpu, &input.surfaces_exact);
    }
    RowMask left_out(n);
    for (std::size_t i = 0; i < n; ++i) left_out[i] = gpu_of(i) == gpu;
    const auto predicted = predict_rows(borrowed, fit(borrowed, left_out));
    for (std::size_t i = 0; i < n; ++i) {
      if (left_out[i]) result[i] = predicted[i];
    }
  }
  return result;
}

}  // namespace tensorpath::validation
