// What validate writes: the calibration file with its errors, its rows and its bands.
#pragma once

#include "predict/parameters.h"

#include <functional>
#include <string>
#include <vector>

#include <tensorpath/validate.h>

namespace tensorpath::validation {

// Rows predicted without their group, without their GPU, without their engine: how far off a
// prediction is for a new model, on a new GPU, with a new engine.
struct HeldOut {
  std::vector<ValidatedRow> groups;
  std::vector<ValidatedRow> gpus;
  std::vector<ValidatedRow> engines;
};

// Text of a data/calibration/serving.yaml. `digests` are the rows of each group.
[[nodiscard]] std::string calibration_text(const ValidationReport& report,
                                           const perf::ServingParameters& parameters,
                                           const HeldOut& held_out,
                                           const std::vector<std::vector<std::string>>& digests);

// Errors of rows that `wanted` holds for.
[[nodiscard]] RunErrors errors_of(const std::vector<ValidatedRow>& rows,
                                  const std::function<bool(const ValidatedRow&)>& wanted = {});

}  // namespace tensorpath::validation
