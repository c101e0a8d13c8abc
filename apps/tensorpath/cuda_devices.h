// The CUDA devices of this machine, as the driver itself names them.
#pragma once

#include <string>
#include <vector>

namespace tensorpath::cli {

struct CudaDevice {
  std::string name;
  double memory_bytes = 0;
};

struct CudaDevices {
  bool has_driver = false;
  bool starts = false;
  std::string version;  // of the interface: "13.0"
  std::vector<CudaDevice> devices;
};

// Loads the driver for this only.
[[nodiscard]] CudaDevices list_cuda_devices();

}  // namespace tensorpath::cli
