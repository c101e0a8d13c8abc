// What timing needs of a kind of device beside what device.h has: sessions, cores, the size of a
// sample, and what a measurement there depends on. host_bench.cpp and cuda_bench.cpp are the two
// there are; bench.cpp knows neither.
#pragma once

#include "cores.h"
#include "device.h"
#include "timed_session.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/harness/bench.h>

namespace tensorpath {

struct SlotLimits {
  int least = 1;  // where that makes no long sample
  int most = 1;
};

class BenchDevice {
 public:
  virtual ~BenchDevice() = default;
  [[nodiscard]] virtual const Cores& cores() const = 0;
  [[nodiscard]] virtual Expected<std::unique_ptr<TimedSession>> start(const Subject& subject,
                                                                      const Built& built) const = 0;
  // Of a sample whose calls have buffers of so many bytes.
  [[nodiscard]] virtual SlotLimits slots(double bytes) const = 0;
  // Before a round's sessions start. An Error: nothing can be timed here now.
  [[nodiscard]] virtual Status begin_round() { return {}; }
  virtual void end_round() {}
  // Right after a sample: the device ran slower than it can.
  [[nodiscard]] virtual bool throttled() const { return false; }
  // What a measurement depends on; asked at the beginning and completed at the end.
  [[nodiscard]] virtual Json environment() const = 0;
  virtual void complete(Json& environment) const = 0;
  // What was measured of this device, for the task's operator; nullopt: nothing.
  [[nodiscard]] virtual std::optional<Roof> roof(const std::string& directory,
                                                 const KernelTask& task) const = 0;
  // What calls write so much may not have reached memory by their end.
  [[nodiscard]] virtual double cache_bytes() const = 0;
  // The one of this device; null: none of them is.
  [[nodiscard]] virtual const DataSheet* data_sheet(const std::vector<DataSheet>& sheets) const {
    (void)sheets;
    return nullptr;
  }
  // How the cache is made cold and whose clock it is, in words.
  [[nodiscard]] virtual Json method() const = 0;
};

[[nodiscard]] Expected<std::unique_ptr<BenchDevice>> make_bench_device(DeviceKind kind,
                                                                       const BenchOptions& options);
[[nodiscard]] Expected<std::unique_ptr<BenchDevice>> make_host_bench(const BenchOptions& options);
[[nodiscard]] Expected<std::unique_ptr<BenchDevice>> make_cuda_bench(const BenchOptions& options);

}  // namespace tensorpath
