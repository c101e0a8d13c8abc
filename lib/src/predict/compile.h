// From a layout to a StepModel: operator surfaces times serving parameters, summed over the layers.
// Uses: 1) the public compile(), 2) calibration, which compiles the same layout under many
// parameter sets.
#pragma once

#include "calibration_data.h"
#include "model_shape.h"

#include <tensorpath/predict.h>

namespace tensorpath::perf {

// The part of a compile that no serving parameter changes; worth keeping while fitting.
struct CompileInput {
  Layout layout;
  ModelShape shape;
  Arithmetic arithmetic;
  MemoryPlan memory;
  const GpuSurfaces* surfaces = nullptr;
  SchedulerFacts scheduler;
  int engine = -1;  // factor index
  bool surfaces_exact = false;
};
[[nodiscard]] CompileInput prepare(const Layout& layout, const CalibrationData& data,
                                   int max_batched_tokens = 0, int max_batch = 0);

// `slow_host` takes the older hosts and engine releases that one harness ran on.
[[nodiscard]] StepModel compile_step(const CompileInput& input, const ServingParameters& parameters,
                                     bool slow_host);

}  // namespace tensorpath::perf
