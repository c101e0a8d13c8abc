// What a GPU can do at most, measured by the harness's own kernels: the roofline that a case on it
// is held against. All seconds are the device's own, by its events.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/harness/ceilings.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

// Several measurements of one thing, per second, or seconds of one.
struct Repeated {
  double median = 0;
  double best = 0;            // what a floor is made of: nothing here was faster
  double spread_percent = 0;  // from worst to best, of the median
};

struct GpuCeilings {
  std::string name, uuid, driver;  // the last two empty where NVML tells nothing
  std::string architecture, driver_interface;
  int multiprocessors = 0;
  double cache_bytes = 0;
  Repeated read_bytes_s;                   // from memory
  Repeated copy_bytes_s;                   // likewise, bytes read and bytes written together
  Repeated l2_bytes_s;                     // reads that stay in the L2 cache
  Repeated stream_launch_s, graph_node_s;  // an empty kernel after another one
  Repeated fp32_flops_s;                   // fused multiply-add, two operations each
  // By dtype, operands all zero, sums in fp32. `wgmma` is sm_90's own way, faster than mma.sync.
  std::map<std::string, Repeated> mma_sync_flops_s, wgmma_flops_s;
  Json before, after;  // clocks and what held them down, as NVML tells them; null: nothing
  WallTime measured_at{};

  // Of matrix operations; nullopt where no way that was measured is the fastest of this GPU.
  [[nodiscard]] std::optional<double> matrix_flops_s(std::string_view dtype) const;
};

// What the worker printed, a fact or a row of seconds a line; clocks and time are the caller's.
// Error: a measurement is missing, with what the worker said of it.
[[nodiscard]] Expected<GpuCeilings> read_gpu_measurements(std::string_view lines);

struct GpuCeilingOptions {
  SandboxMode sandbox = SandboxMode::kStrict;
  std::string worker;  // path of tensorpath-worker
  int gpu = 0;         // as the driver counts
  std::function<void(const std::string& step)> on_step;
};
[[nodiscard]] Expected<GpuCeilings> measure_gpu_ceilings(const GpuCeilingOptions& options,
                                                         WallTime now);

[[nodiscard]] Json to_json(const GpuCeilings& ceilings);
[[nodiscard]] Expected<GpuCeilings> read_gpu_ceilings(const Json& json, const std::string& file);
// DIRECTORY/cuda-<uuid, else the name>.json
[[nodiscard]] Status store_ceilings(const GpuCeilings& ceilings, const std::string& directory);
[[nodiscard]] std::vector<GpuCeilings> list_gpu_ceilings(const std::string& directory);

// Of an operator there: matrix products, attention and convolutions have the rate of their dtype's
// matrix units (tf32 for fp32), everything else that of fp32.
[[nodiscard]] Roof roof_of(const GpuCeilings& ceilings, const OperatorSpec& op, DType dtype);

}  // namespace tensorpath
