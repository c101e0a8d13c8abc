// What a worker tells of the GPU that it runs on.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/base/json.h>

namespace tensorpath {

struct GpuFacts {
  std::string name, architecture, driver_interface;
  std::string bus;  // PCI address
  double memory_bytes = 0;
  double cache_bytes = 0;
  int multiprocessors = 0;
};
// From the lines "key: value" of probe_gpu(); what is not told stays empty.
[[nodiscard]] GpuFacts read_gpu_facts(std::string_view lines);
[[nodiscard]] Json to_json(const GpuFacts& facts);

}  // namespace tensorpath
