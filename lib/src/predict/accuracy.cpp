// The band of a prediction: quantiles of log(truth / prediction) over held-out rows. For a known
// engine on a known GPU those of groups left out; on a new GPU those of GPUs left out, their
// operators too; for a new engine those of engines left out.
#include "calibration_data.h"

#include <cmath>

#include <tensorpath/predict.h>

namespace tensorpath {
namespace {

// Outer deciles of fewer rows say little.
constexpr int kEnoughRows = 20;

const perf::ResidualClass* nearest(const perf::CalibrationData& data, const std::string& engine,
                                   const std::string& gpu) {
  const auto find = [&](const std::string& e, const std::string& g) {
    for (const perf::ResidualClass& residual : data.residuals) {
      if (residual.engine == e && residual.gpu == g && residual.rows >= kEnoughRows) {
        return &residual;
      }
    }
    return static_cast<const perf::ResidualClass*>(nullptr);
  };
  if (const auto* found = find(engine, gpu); found != nullptr) return found;
  if (const auto* found = find(engine, ""); found != nullptr) return found;
  if (const auto* found = find("", gpu); found != nullptr) return found;
  return find("", "");
}

}  // namespace

Accuracy accuracy(const Layout& layout, const Calibration& calibration) {
  const perf::CalibrationData& data = calibration.data();
  Accuracy result;
  result.level = data.level;
  const perf::ResidualClass* residual = nearest(data, layout.engine->name, layout.gpu->name);
  if (residual == nullptr) {
    // Nothing was ever held out: a factor of two, and no claim to be calibrated.
    result.ttft_lo = result.tpot_lo = 0.5;
    result.ttft_hi = result.tpot_hi = 2;
    result.basis = "no held-out rows";
    return result;
  }
  result.ttft_lo = std::exp(residual->ttft_lo);
  result.ttft_hi = std::exp(residual->ttft_hi);
  result.tpot_lo = std::exp(residual->tpot_lo);
  result.tpot_hi = std::exp(residual->tpot_hi);
  std::string what = "GPUs and engines left out";
  if (!residual->engine.empty() && !residual->gpu.empty()) {
    what = "groups left out, " + residual->engine + " on " + residual->gpu;
  } else if (!residual->engine.empty()) {
    what = "GPUs left out, " + residual->engine;
  } else if (!residual->gpu.empty()) {
    what = "engines left out, on " + residual->gpu;
  }
  result.basis = what + ", n = " + std::to_string(residual->rows);
  // Calibrated where the engine and the GPU were both in the fit, with the GPU's own operators.
  bool exact = false;
  (void)data.surfaces.of(*layout.gpu, &exact);
  bool engine_seen = false, gpu_seen = false;
  for (const perf::SeenGroup& group : data.groups) {
    engine_seen = engine_seen || group.engine == layout.engine->name;
    gpu_seen = gpu_seen || group.gpu == layout.gpu->name;
  }
  const bool single_host = layout.pp == 1 && layout.attn_dp == 1;
  result.provenance = exact && engine_seen && gpu_seen && single_host ? Provenance::kCalibrated
                                                                      : Provenance::kModeled;
  return result;
}

}  // namespace tensorpath
