// Timing on the host.
#include "bench_device.h"
#include "host_environment.h"
#include "host_timed.h"
#include "worker_protocol.h"

#include <algorithm>

#include <unistd.h>

namespace tensorpath {
namespace {

constexpr double kMostSlotBytes = 256e6;  // of all slots of an arm together

class HostBench : public BenchDevice {
 public:
  explicit HostBench(Cores cores) : cores_(std::move(cores)) {}

  [[nodiscard]] const Cores& cores() const override { return cores_; }
  [[nodiscard]] Expected<std::unique_ptr<TimedSession>> start(const Subject& subject,
                                                              const Built& built) const override {
    return start_host_timed(subject, built, cores_);
  }
  // The slots' lines are flushed one by one: a single one is as cold as many.
  [[nodiscard]] SlotLimits slots(double bytes) const override {
    const double most =
        std::clamp(kMostSlotBytes / std::max(bytes, 1.0), 1.0, double{worker::kMaxSlots});
    return {1, static_cast<int>(most)};
  }
  [[nodiscard]] Json environment() const override { return host_environment(cores_); }
  void complete(Json& environment) const override { environment["load_after"] = load_average(); }
  [[nodiscard]] std::optional<Roof> roof(const std::string& directory,
                                         const KernelTask& task) const override {
    const auto ceilings = find_ceilings(directory, static_cast<int>(cores_.worker.size()));
    if (!ceilings) return std::nullopt;
    return roof_of(*ceilings, task.domain.dtype);
  }
  // The last level's; a virtual machine may have less of it than it is told.
  [[nodiscard]] double cache_bytes() const override {
    return static_cast<double>(std::max(0L, ::sysconf(_SC_LEVEL3_CACHE_SIZE)));
  }
  [[nodiscard]] Json method() const override {
    return {{"cache", "cold: the slots' lines are flushed before each sample"},
            {"clock", "the harness's, around waking the worker and its answer"}};
  }

 private:
  Cores cores_;
};

}  // namespace

Expected<std::unique_ptr<BenchDevice>> make_host_bench(const BenchOptions& options) {
  auto cores = choose_cores(options.threads);
  if (!cores) return tl::unexpected(cores.error());
  return std::make_unique<HostBench>(std::move(*cores));
}

Expected<std::unique_ptr<BenchDevice>> make_bench_device(DeviceKind kind,
                                                         const BenchOptions& options) {
  if (kind == DeviceKind::kCuda) return make_cuda_bench(options);
  return make_host_bench(options);
}

}  // namespace tensorpath
