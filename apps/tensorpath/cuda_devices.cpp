#include "cuda_devices.h"

#include <array>
#include <cstddef>

#include <dlfcn.h>
#include <fmt/format.h>

namespace tensorpath::cli {

CudaDevices list_cuda_devices() {
  CudaDevices found;
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return found;
  found.has_driver = true;
  const auto symbol = [driver]<typename Function>(const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(driver, name));
    return function != nullptr;
  };
  int (*initialise)(unsigned) = nullptr;
  int (*driver_version)(int*) = nullptr;
  int (*device_count)(int*) = nullptr;
  int (*device_name)(char*, int, int) = nullptr;
  int (*total_memory)(std::size_t*, int) = nullptr;
  int version = 0;
  int count = 0;
  if (!symbol("cuInit", initialise) || !symbol("cuDriverGetVersion", driver_version) ||
      !symbol("cuDeviceGetCount", device_count) || !symbol("cuDeviceGetName", device_name) ||
      !symbol("cuDeviceTotalMem_v2", total_memory) || initialise(0) != 0 ||
      driver_version(&version) != 0 || device_count(&count) != 0) {
    return found;
  }
  found.starts = true;
  // 12040 is CUDA 12.4.
  found.version = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
  for (int index = 0; index < count; ++index) {
    std::array<char, 256> name{};
    std::size_t bytes = 0;
    // A CUdevice is the ordinal itself.
    if (device_name(name.data(), static_cast<int>(name.size()) - 1, index) != 0) continue;
    if (total_memory(&bytes, index) != 0) bytes = 0;
    found.devices.push_back({name.data(), static_cast<double>(bytes)});
  }
  return found;
}

}  // namespace tensorpath::cli
