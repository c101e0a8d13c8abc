// Fits the serving parameters to measured runs, and to all but one group of them.
// Loss: Cauchy on log(predicted / measured) of TPOT and, at a third of its weight, TTFT, quadratic
// priors on the parameters' logarithms; a group of n rows weighs sqrt(n), so that large sweeps do
// not drown small ones. Deterministic.
#pragma once

#include "predict/compile.h"
#include "predict/measured_run.h"

#include <functional>
#include <string>
#include <vector>

namespace tensorpath::validation {

struct FitRow {
  std::size_t input = 0;  // index into FitProblem::inputs
  bool slow_host = false;
  perf::MeasuredRun run;
  double ttft_ms = 0, tpot_ms = 0;
  int group = 0;
};

struct FitProblem {
  std::vector<perf::CompileInput> inputs;  // distinct layouts
  std::vector<FitRow> rows;
  int group_count = 0;
};

[[nodiscard]] std::vector<perf::MeasuredMeans> predict_rows(
    const FitProblem& problem, const perf::ServingParameters& parameters);

// Rows to leave out of a fit, by position; empty leaves none out.
using RowMask = std::vector<bool>;

// From the priors, so that no fit knows of rows it must not see.
[[nodiscard]] perf::ServingParameters fit(const FitProblem& problem, const RowMask& left_out);

// Each row by a fit that did not see any row with the same key. Errors on new groups, with the
// (model, GPU, engine) as key; on new engines, with the engine.
[[nodiscard]] std::vector<perf::MeasuredMeans> leave_out(const FitProblem& problem,
                                                         const std::vector<std::string>& keys);

// Likewise by GPU, and the left-out GPU has no operator surfaces either: it borrows them as a GPU
// without measurements does.
[[nodiscard]] std::vector<perf::MeasuredMeans> leave_gpu_out(const FitProblem& problem,
                                                             const perf::CalibrationData& data);

}  // namespace tensorpath::validation
