// What the machine can do at most, measured: the roofline that kernels are held against.
// Measured by kernels of kernels/ceilings in the benchmark's own way, so that both see the same
// cores, pool and clock.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

// Of a device, for one operator: the least time that work was measured to need.
struct Roof {
  Json ceilings;       // all that was measured
  double call_s = 0;   // of a call that does nothing
  double bytes_s = 0;  // the best of reading and copying
  double flops_s = 0;  // of the units that the operator may use; 0: their rate was not measured

  // `cached`: bytes that were written and need not have left the cache.
  [[nodiscard]] double floor_seconds(double bytes, double flops, double cached = 0) const;
};

struct HostCeilings {
  std::string processor;     // its own name
  std::string isa_level;     // of the code that was used
  int threads = 1;           // on cores of their own
  double read_bytes_s = 0;   // cold, from memory
  double copy_bytes_s = 0;   // likewise, bytes read and bytes written together
  double cache_bytes_s = 0;  // hot reads of cache_bytes
  double cache_bytes = 0;
  double fp32_flops_s = 0;  // fused multiply-add, two operations each
  double empty_call_s = 0;  // waking a worker and hearing from it
  WallTime measured_at{};
};
[[nodiscard]] Roof roof_of(const HostCeilings& ceilings, DType dtype);

// Some seconds. `kernels` is the directory with read/, copy/ and fma/. Errors are the machine's.
struct CeilingOptions {
  SandboxMode sandbox = SandboxMode::kStrict;
  std::string worker;   // path of tensorpath-worker
  std::string scratch;  // directory for build products; empty: a temporary one
  int threads = 0;      // each on a core of its own; 0: the cores but one, at most 4
  std::function<void(const std::string& step)> on_step;
};
[[nodiscard]] Expected<HostCeilings> measure_host_ceilings(const Operators& operators,
                                                           const std::string& kernels,
                                                           const CeilingOptions& options,
                                                           WallTime now);

[[nodiscard]] Json to_json(const HostCeilings& ceilings);
[[nodiscard]] Expected<HostCeilings> read_host_ceilings(const Json& json, const std::string& file);

// $XDG_DATA_HOME/tensorpath/devices, else ~/.local/share/tensorpath/devices; empty where neither is
// known. One file for each number of threads.
[[nodiscard]] std::string ceilings_directory();
[[nodiscard]] Status store_ceilings(const HostCeilings& ceilings, const std::string& directory);
// Those of this processor and so many threads; nullopt when they were not measured here.
[[nodiscard]] std::optional<HostCeilings> find_ceilings(const std::string& directory, int threads);

// All of this processor, by threads.
[[nodiscard]] std::vector<HostCeilings> list_ceilings(const std::string& directory);
// The processor's own name.
[[nodiscard]] std::string host_processor();

}  // namespace tensorpath
