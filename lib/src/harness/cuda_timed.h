#pragma once

#include "cores.h"
#include "cuda_build.h"
#include "timed_session.h"

#include <memory>

namespace tensorpath {

// What the harness's clock may see beyond the device's own time before a sample counts as
// disturbed: what an exchange costs without a candidate, with room, and 2% of the sample. Work that
// is hidden behind the end of the device's time shows here, so that it is worth nothing.
class UsualGap {
 public:
  UsualGap() = default;
  // Medians, in seconds, of exchanges with no node and with `nodes` of them.
  UsualGap(double empty, double full, int nodes);
  [[nodiscard]] double allowed(double seconds, int nodes) const;

 private:
  double empty_ = 0, per_node_ = 0;
};

// An Error is the machine's, or that what was verified does not start.
[[nodiscard]] Expected<std::unique_ptr<TimedSession>> start_cuda_timed(const CudaToolkit& toolkit,
                                                                       const Subject& subject,
                                                                       const Built& built,
                                                                       const Cores& cores);

}  // namespace tensorpath
