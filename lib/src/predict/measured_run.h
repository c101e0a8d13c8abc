// A benchmark as it was measured: a closed loop that starts as one burst, lengths of its own,
// means. The closed form for it; `validate` and the calibration compare it with what was measured.
#pragma once

#include <tensorpath/predict.h>

namespace tensorpath::perf {

struct MeasuredRun {
  double concurrency = 1;
  double isl_tokens = 0;         // mean
  double osl_tokens = 0;         // mean
  double osl_spread_tokens = 0;  // width of the uniform output lengths; 0: all equal
  double waves = 10;             // measured requests / concurrency, the first wave all at once
  double max_batch = 1e9;
  double max_batched_tokens = 8192;
  double batch_wait_steps = 0;  // steps the engine holds a request back to fill a batch
};

struct MeasuredMeans {
  double ttft_ms = 0;
  double tpot_ms = 0;
};
[[nodiscard]] MeasuredMeans predict_run(const StepModel& model, const MeasuredRun& run);

}  // namespace tensorpath::perf
