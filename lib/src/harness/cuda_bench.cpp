// Timing on a GPU.
#include "bench_device.h"
#include "cuda_session.h"
#include "cuda_timed.h"
#include "gpu_facts.h"
#include "host_environment.h"
#include "nvml.h"
#include "worker_protocol.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include <tensorpath/harness/gpu_ceilings.h>

namespace tensorpath {
namespace {

// All slots of a sample together, in sizes of the cache: whatever a flush leaves is gone by the
// time that a slot is come to again.
constexpr double kCaches = 3;
constexpr double kMostSlotBytes = 2e9;  // likewise, of one arm
// How long a process that ended may still be seen on the device.
constexpr auto kGone = std::chrono::seconds(3);
constexpr auto kLookAgain = std::chrono::milliseconds(100);

class CudaBench : public BenchDevice {
 public:
  CudaBench(CudaToolkit toolkit, GpuFacts facts, Cores cores, Expected<Nvml> nvml)
      : toolkit_(std::move(toolkit)),
        facts_(std::move(facts)),
        cores_(std::move(cores)),
        nvml_(std::move(nvml)) {}

  [[nodiscard]] const Cores& cores() const override { return cores_; }
  [[nodiscard]] Expected<std::unique_ptr<TimedSession>> start(const Subject& subject,
                                                              const Built& built) const override {
    return start_cuda_timed(toolkit_, subject, built, cores_);
  }

  [[nodiscard]] SlotLimits slots(double bytes) const override {
    const double one = std::max(bytes, 1.0);
    const double most = std::clamp(kMostSlotBytes / one, 1.0, double{worker::kMaxSlots});
    const double least = std::ceil(kCaches * facts_.cache_bytes / one);
    return {static_cast<int>(std::clamp(least, 1.0, most)), static_cast<int>(most)};
  }

  [[nodiscard]] Status begin_round() override {
    if (!nvml_) return {};
    const auto start = std::chrono::steady_clock::now();
    auto others = nvml_->processes();
    // The last round's own may not be gone yet.
    while (others && others->count > 0 && std::chrono::steady_clock::now() - start < kGone) {
      std::this_thread::sleep_for(kLookAgain);
      others = nvml_->processes();
    }
    if (others && others->count > 0) {
      return fail(
          ExitCode::kEnvironment,
          fmt::format("{} other {} on this GPU, process {} for one: nothing is timed beside "
                      "others",
                      others->count, others->count == 1 ? "program computes" : "programs compute",
                      others->one),
          "wait for it to end, or choose another GPU with CUDA_VISIBLE_DEVICES");
    }
    before_ = to_json(nvml_->state());
    return {};
  }

  void end_round() override {
    if (nvml_) rounds_.push_back({{"before", before_}, {"after", to_json(nvml_->state())}});
  }

  [[nodiscard]] bool throttled() const override { return nvml_ && nvml_->throttled(); }

  [[nodiscard]] Json environment() const override {
    Json gpu = to_json(facts_);
    if (nvml_) {
      gpu.update(nvml_->identity());
    } else {
      gpu["not_told"] =
          fmt::format("clocks, throttling and other processes: {}", nvml_.error().to_string());
    }
    Json environment = host_environment(cores_);
    environment["gpu"] = gpu;
    return environment;
  }

  void complete(Json& environment) const override {
    environment["load_after"] = load_average();
    environment["gpu"]["rounds"] = rounds_;
  }

  [[nodiscard]] std::optional<Roof> roof(const std::string& directory,
                                         const KernelTask& task) const override {
    const Json identity = nvml_ ? nvml_->identity() : Json::object();
    const Json uuid = identity.value("uuid", Json());
    for (const GpuCeilings& one : list_gpu_ceilings(directory)) {
      // Where nobody tells GPUs apart, equal ones are one.
      const bool ours = uuid.is_string() ? one.uuid == uuid : one.uuid.empty();
      if (ours && one.name == facts_.name) return roof_of(one, *task.op, task.domain.dtype);
    }
    return std::nullopt;
  }

  [[nodiscard]] double cache_bytes() const override { return facts_.cache_bytes; }

  [[nodiscard]] const DataSheet* data_sheet(const std::vector<DataSheet>& sheets) const override {
    const auto found = std::find_if(sheets.begin(), sheets.end(), [&](const DataSheet& sheet) {
      return sheet.is_of(facts_.architecture, facts_.multiprocessors, facts_.memory_bytes);
    });
    return found == sheets.end() ? nullptr : &*found;
  }

  [[nodiscard]] Json method() const override {
    return {{"cache",
             "cold: persisting lines reset, twice the L2 cache read through, then each slot once "
             "in random order"},
            {"clock",
             "the device's events, as first and last node of one graph of all calls, held "
             "against the harness's clock"}};
  }

 private:
  CudaToolkit toolkit_;
  GpuFacts facts_;
  Cores cores_;
  Expected<Nvml> nvml_;
  Json before_;
  Json rounds_ = Json::array();
};

}  // namespace

Expected<std::unique_ptr<BenchDevice>> make_cuda_bench(const BenchOptions& options) {
  auto toolkit = find_cuda_toolkit();
  if (!toolkit) return tl::unexpected(toolkit.error());
  // One for the clock, one for the worker, whose launches are all that the host does.
  auto cores = choose_cores(1);
  if (!cores) return tl::unexpected(cores.error());
  VerifyOptions probe;
  probe.sandbox = options.sandbox;
  probe.worker = options.worker;
  const auto told = probe_gpu(*toolkit, probe, false);
  if (!told) return tl::unexpected(told.error());
  GpuFacts facts = read_gpu_facts(*told);
  auto nvml = Nvml::open(driver_directories(), facts.bus);
  return std::make_unique<CudaBench>(std::move(*toolkit), std::move(facts), std::move(*cores),
                                     std::move(nvml));
}

}  // namespace tensorpath
