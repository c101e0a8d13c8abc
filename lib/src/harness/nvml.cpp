#include "nvml.h"

#include <array>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

constexpr const char* kName = "libnvidia-ml.so.1";
constexpr int kSuccess = 0, kInsufficientSize = 7;  // nvmlReturn_t
constexpr int kClockSm = 1, kClockMemory = 2;       // nvmlClockType_t
constexpr int kOnGpu = 0;                           // nvmlTemperatureSensors_t
// nvmlProcessInfo_t begins with the process's number; its size differs between drivers.
constexpr unsigned kMostProcesses = 64;
constexpr std::size_t kProcessBytes = 64;

struct Reason {
  std::uint64_t bit;
  const char* name;
  bool throttles;
};
constexpr std::array<Reason, 9> kReasons = {{{0x1, "idle", false},
                                             {0x2, "clocks_setting", false},
                                             {0x4, "power_cap", true},
                                             {0x8, "hardware_slowdown", true},
                                             {0x10, "sync_boost", true},
                                             {0x20, "thermal", true},
                                             {0x40, "hardware_thermal", true},
                                             {0x80, "power_brake", true},
                                             {0x100, "display_clock_setting", false}}};

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

struct Nvml::Library {
  int (*nvmlInit_v2)() = nullptr;
  int (*nvmlSystemGetDriverVersion)(char*, unsigned) = nullptr;
  int (*nvmlDeviceGetHandleByPciBusId_v2)(const char*, void**) = nullptr;
  int (*nvmlDeviceGetUUID)(void*, char*, unsigned) = nullptr;
  int (*nvmlDeviceGetName)(void*, char*, unsigned) = nullptr;
  // What follows may be absent from a library, or not be told by a device.
  int (*nvmlDeviceGetMigMode)(void*, unsigned*, unsigned*) = nullptr;
  int (*nvmlDeviceGetEccMode)(void*, int*, int*) = nullptr;
  int (*nvmlDeviceGetClockInfo)(void*, int, unsigned*) = nullptr;
  int (*nvmlDeviceGetTemperature)(void*, int, unsigned*) = nullptr;
  int (*nvmlDeviceGetPowerUsage)(void*, unsigned*) = nullptr;
  int (*nvmlDeviceGetCurrentClocksEventReasons)(void*, unsigned long long*) = nullptr;
  int (*nvmlDeviceGetComputeRunningProcesses_v3)(void*, unsigned*, void*) = nullptr;

  // Empty, or what is missing.
  std::string load(void* library);
  template <typename Function, typename... Arguments>
  static bool ask(Function* function, Arguments... arguments) {
    return function != nullptr && function(arguments...) == kSuccess;
  }
};

std::string Nvml::Library::load(void* library) {
  const auto find = [&]<typename Function>(const char* name, Function& out) {
    out = reinterpret_cast<Function>(::dlsym(library, name));
    return out != nullptr;
  };
  (void)find("nvmlDeviceGetMigMode", nvmlDeviceGetMigMode);
  (void)find("nvmlDeviceGetEccMode", nvmlDeviceGetEccMode);
  (void)find("nvmlDeviceGetClockInfo", nvmlDeviceGetClockInfo);
  (void)find("nvmlDeviceGetTemperature", nvmlDeviceGetTemperature);
  (void)find("nvmlDeviceGetPowerUsage", nvmlDeviceGetPowerUsage);
  // The name before the drivers of 2023.
  if (!find("nvmlDeviceGetCurrentClocksEventReasons", nvmlDeviceGetCurrentClocksEventReasons)) {
    (void)find("nvmlDeviceGetCurrentClocksThrottleReasons", nvmlDeviceGetCurrentClocksEventReasons);
  }
  (void)find("nvmlDeviceGetComputeRunningProcesses_v3", nvmlDeviceGetComputeRunningProcesses_v3);
  const bool whole = find("nvmlInit_v2", nvmlInit_v2) &&
                     find("nvmlSystemGetDriverVersion", nvmlSystemGetDriverVersion) &&
                     find("nvmlDeviceGetHandleByPciBusId_v2", nvmlDeviceGetHandleByPciBusId_v2) &&
                     find("nvmlDeviceGetUUID", nvmlDeviceGetUUID) &&
                     find("nvmlDeviceGetName", nvmlDeviceGetName);
  return whole ? std::string() : fmt::format("{} is too old", kName);
}

bool is_throttled(const GpuState& state) {
  for (const Reason& reason : kReasons) {
    if (reason.throttles && (state.slowed_by.value_or(0) & reason.bit) != 0) return true;
  }
  return false;
}

Json to_json(const GpuState& state) {
  Json reasons = nullptr;
  if (state.slowed_by) {
    reasons = Json::array();
    for (const Reason& reason : kReasons) {
      if ((*state.slowed_by & reason.bit) != 0) reasons.push_back(reason.name);
    }
  }
  return {{"sm_mhz", or_null(state.sm_mhz)},
          {"memory_mhz", or_null(state.memory_mhz)},
          {"temperature_c", or_null(state.temperature_c)},
          {"power_w", state.power_w ? json_number(*state.power_w) : Json(nullptr)},
          {"clocks_held_by", reasons}};
}

Expected<Nvml> Nvml::open(const std::vector<std::string>& directories, const std::string& bus) {
  void* loaded = nullptr;
  for (const std::string& directory : directories) {
    const std::string path = path_join(directory, kName);
    if (loaded == nullptr && file_exists(path)) {
      loaded = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
  }
  if (loaded == nullptr) loaded = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (loaded == nullptr) return fail(ExitCode::kEnvironment, fmt::format("no {}", kName));
  auto library = std::make_shared<Library>();
  if (const std::string missing = library->load(loaded); !missing.empty()) {
    return fail(ExitCode::kEnvironment, missing);
  }
  if (const int result = library->nvmlInit_v2(); result != kSuccess) {
    return fail(ExitCode::kEnvironment, fmt::format("{} does not start: {}", kName, result));
  }
  void* device = nullptr;
  if (library->nvmlDeviceGetHandleByPciBusId_v2(bus.c_str(), &device) != kSuccess) {
    return fail(ExitCode::kEnvironment, fmt::format("{} knows no device at {}", kName, bus));
  }
  return Nvml(std::move(library), device);
}

Json Nvml::identity() const {
  const auto text = [](auto function, auto... device) {
    char out[96] = {};
    return Library::ask(function, device..., out, unsigned{sizeof out}) ? Json(std::string(out))
                                                                        : Json(nullptr);
  };
  unsigned mig = 0;
  unsigned mig_pending = 0;
  int ecc = 0;
  int ecc_pending = 0;
  const bool has_mig = Library::ask(library_->nvmlDeviceGetMigMode, device_, &mig, &mig_pending);
  const bool has_ecc = Library::ask(library_->nvmlDeviceGetEccMode, device_, &ecc, &ecc_pending);
  return {{"uuid", text(library_->nvmlDeviceGetUUID, device_)},
          {"name", text(library_->nvmlDeviceGetName, device_)},
          {"driver", text(library_->nvmlSystemGetDriverVersion)},
          {"mig", has_mig ? Json(mig != 0) : Json(nullptr)},
          {"ecc", has_ecc ? Json(ecc != 0) : Json(nullptr)}};
}

std::optional<std::uint64_t> Nvml::reasons() const {
  unsigned long long bits = 0;
  if (!Library::ask(library_->nvmlDeviceGetCurrentClocksEventReasons, device_, &bits)) {
    return std::nullopt;
  }
  return bits;
}

GpuState Nvml::state() const {
  GpuState state;
  unsigned value = 0;
  if (Library::ask(library_->nvmlDeviceGetClockInfo, device_, kClockSm, &value)) {
    state.sm_mhz = static_cast<int>(value);
  }
  if (Library::ask(library_->nvmlDeviceGetClockInfo, device_, kClockMemory, &value)) {
    state.memory_mhz = static_cast<int>(value);
  }
  if (Library::ask(library_->nvmlDeviceGetTemperature, device_, kOnGpu, &value)) {
    state.temperature_c = static_cast<int>(value);
  }
  if (Library::ask(library_->nvmlDeviceGetPowerUsage, device_, &value)) {
    state.power_w = 1e-3 * value;
  }
  state.slowed_by = reasons();
  return state;
}

bool Nvml::throttled() const {
  GpuState state;
  state.slowed_by = reasons();
  return is_throttled(state);
}

std::optional<Nvml::Processes> Nvml::processes() const {
  if (library_->nvmlDeviceGetComputeRunningProcesses_v3 == nullptr) return std::nullopt;
  alignas(8) unsigned char infos[kMostProcesses * kProcessBytes] = {};
  unsigned count = kMostProcesses;
  const int result =
      library_->nvmlDeviceGetComputeRunningProcesses_v3(device_, &count, static_cast<void*>(infos));
  if (result != kSuccess && result != kInsufficientSize) return std::nullopt;
  Processes found{count, 0};
  __builtin_memcpy(&found.one, infos, sizeof found.one);
  return found;
}

}  // namespace tensorpath
