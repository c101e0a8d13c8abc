// What the driver's management library tells of a GPU: the part of NVML that a measurement needs,
// declared by hand and loaded when it is there. It is only asked; nothing is ever set.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>

namespace tensorpath {

// Each where the device tells it.
struct GpuState {
  std::optional<int> sm_mhz, memory_mhz, temperature_c;
  std::optional<double> power_w;
  std::optional<std::uint64_t> slowed_by;  // clocks event reasons, as NVML's bits
};
// Power, heat or a brake holds the clocks down. An idle clock and a clock that somebody set are no
// throttling: they are the same for both sides of a pair.
[[nodiscard]] bool is_throttled(const GpuState& state);
[[nodiscard]] Json to_json(const GpuState& state);

class Nvml {
 public:
  // Looks in `directories`, then where the loader does. `bus` is the device's PCI address. An Error
  // says what is missing.
  [[nodiscard]] static Expected<Nvml> open(const std::vector<std::string>& directories,
                                           const std::string& bus);

  // UUID, name, driver, MIG, ECC; null where it is not told.
  [[nodiscard]] Json identity() const;
  [[nodiscard]] GpuState state() const;
  // The reasons alone; cheap enough for every sample.
  [[nodiscard]] bool throttled() const;
  // Processes with a context for computing on the device, and one of them.
  struct Processes {
    unsigned count = 0;
    unsigned one = 0;
  };
  [[nodiscard]] std::optional<Processes> processes() const;

 private:
  struct Library;
  Nvml(std::shared_ptr<const Library> library, void* device)
      : library_(std::move(library)), device_(device) {}
  [[nodiscard]] std::optional<std::uint64_t> reasons() const;

  std::shared_ptr<const Library> library_;
  void* device_;
};

}  // namespace tensorpath
