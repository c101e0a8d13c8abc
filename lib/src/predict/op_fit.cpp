#include "op_fit.h"

#include "least_squares.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tensorpath::perf {
namespace {

constexpr std::size_t kFolds = 5;
// Below this many rows a surface would fit noise.
constexpr std::size_t kFewestRows = 60;

// Parameters as logarithms: compute and memory efficiency, launch, then two of the kind's own.
struct Bounds {
  std::array<double, 5> start, lower, upper;
};

Bounds bounds_of(OpKind kind) {
  Bounds b{{0.5, 0.7, 5e-3, 10, 100}, {0.03, 0.1, 1e-4, 1e-3, 1e-3}, {1, 1, 0.5, 400, 4000}};
  if (kind == OpKind::kMoe) {
    b.start[3] = 10;   // rows per expert
    b.upper[3] = 128;  // the largest tile of the kernels
    b.start[4] = 30;   // bytes per token and element
    b.upper[4] = 200;
    b.start[2] = 3e-2;
  }
  return b;
}

double evaluate(OpKind kind, const OpSample& s, const std::array<double, 5>& p, int q) {
  double compute = s.compute_ms / p[0];
  double memory = s.memory_ms / p[1];
  double extra = p[2];
  switch (kind) {
    case OpKind::kGemm:
      compute *= (1 + p[3] / s.tiles) * (1 + p[4] / s.depth);
      break;
    case OpKind::kMoe:
      compute += s.expert_row_ms * p[3] / p[0];
      extra += s.io_element_ms * p[4];
      break;
    case OpKind::kDecode:
      memory *= 1 + p[3] / s.tiles;
      break;
    case OpKind::kContext:
      break;
  }
  return norm(compute, memory, q) + extra;
}

std::array<double, 5> exponentials(std::span<const double> logs) {
  std::array<double, 5> p{};
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = std::exp(logs[i]);
  return p;
}

LeastSquaresResult fit_rows(OpKind kind, const std::vector<const OpSample*>& rows, int q,
                            int iterations) {
  const Bounds bounds = bounds_of(kind);
  LeastSquaresOptions options;
  options.max_iterations = iterations;
  options.robust_scale = 0.15;  // a tenth off is noise, a half is another kernel
  std::vector<double> start;
  for (std::size_t i = 0; i < 5; ++i) {
    start.push_back(std::log(bounds.start[i]));
    options.lower.push_back(std::log(bounds.lower[i]));
    options.upper.push_back(std::log(bounds.upper[i]));
  }
  const auto residuals = [&](std::span<const double> x, std::span<double> out) {
    const auto p = exponentials(x);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out[i] = std::log(evaluate(kind, *rows[i], p, q) / rows[i]->measured_ms);
    }
  };
  return minimise(residuals, start, rows.size(), rows.size(), options);
}

std::pair<double, double> median_and_p90(std::vector<double> errors) {
  if (errors.empty()) return {0, 0};
  std::sort(errors.begin(), errors.end());
  const auto at = [&](double q) {
    return errors[static_cast<std::size_t>(q * static_cast<double>(errors.size() - 1))];
  };
  return {at(0.5), at(0.9)};
}

double error_of(OpKind kind, const OpSample& sample, const std::vector<double>& x, int q) {
  return std::abs(evaluate(kind, sample, exponentials(x), q) / sample.measured_ms - 1);
}

}  // namespace

Surface fit_surface(OpKind kind, const std::vector<OpSample>& samples) {
  std::vector<const OpSample*> all;
  all.reserve(samples.size());
  for (const OpSample& sample : samples) all.push_back(&sample);
  LeastSquaresResult best;
  Surface surface;
  for (const int q : {1, 2, 4, 8}) {
    LeastSquaresResult trial = fit_rows(kind, all, q, 30);
    if (best.x.empty() || trial.cost < best.cost) {
      best = std::move(trial);
      surface.norm = q;
    }
  }
  const auto p = exponentials(best.x);
  surface.compute_efficiency = p[0];
  surface.memory_efficiency = p[1];
  surface.launch_us = p[2] * 1e3;
  if (kind == OpKind::kGemm || kind == OpKind::kDecode) surface.half_tiles = p[3];
  if (kind == OpKind::kGemm) surface.half_depth = p[4];
  if (kind == OpKind::kMoe) {
    surface.rows_per_expert = p[3];
    surface.io_bytes_per_element = p[4];
  }
  std::vector<double> seen, held_out;
  for (const OpSample& sample : samples) {
    seen.push_back(error_of(kind, sample, best.x, surface.norm));
  }
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    std::vector<const OpSample*> rest;
    for (const OpSample& sample : samples) {
      if (sample.shape % kFolds != fold) rest.push_back(&sample);
    }
    if (rest.size() < kFewestRows / 2 || rest.size() == samples.size()) continue;
    const LeastSquaresResult trial = fit_rows(kind, rest, surface.norm, 15);
    for (const OpSample& sample : samples) {
      if (sample.shape % kFolds == fold) {
        held_out.push_back(error_of(kind, sample, trial.x, surface.norm));
      }
    }
  }
  surface.error.rows = static_cast<int>(samples.size());
  std::tie(surface.error.median, surface.error.p90) = median_and_p90(seen);
  std::tie(surface.error.held_out_median, surface.error.held_out_p90) = median_and_p90(held_out);
  return surface;
}

}  // namespace tensorpath::perf
