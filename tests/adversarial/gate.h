// The gate of promotion on trial: kernels that spin for a known time, against baselines that spin
// longer by a known factor.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops.h>

namespace tensorpath::selftest {

struct GateRow {
  double factor = 1;  // baseline's length over the candidate's
  int runs = 0;
  int fast = 0, slow = 0, same = 0, ambiguous = 0;
  int promoted = 0;        // the timing would carry a promotion
  double worst_error = 0;  // |measured / factor - 1|, largest
  std::vector<std::string> problems;
};

// Benchmarks a kernel `runs` times against one of each factor, `jobs` at a time, each on two cores
// of its own. `device` is "host", or the architecture of a GPU ("sm_90"), on which one job runs at
// a time.
[[nodiscard]] Expected<std::vector<GateRow>> calibrate_gate(int runs, int jobs,
                                                            const std::string& device,
                                                            const std::string& worker,
                                                            const Operators& operators);

}  // namespace tensorpath::selftest
