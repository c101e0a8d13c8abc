#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <tensorpath/harness/data_sheet.h>

namespace tensorpath {

bool DataSheet::is_of(const std::string& device_architecture, int device_multiprocessors,
                      double device_memory_bytes) const {
  constexpr double kReserved = 0.05;  // of the memory, that a driver keeps
  return architecture == device_architecture && multiprocessors == device_multiprocessors &&
         std::abs(memory_bytes - device_memory_bytes) <= kReserved * memory_bytes;
}

double DataSheet::floor_seconds(double bytes, double flops, DType dtype) const {
  constexpr std::array<std::string_view, 4> kWide = {"fp64", "fp32", "bf16", "fp16"};
  const bool wide = dtype == DType::kFp32 || dtype == DType::kFp16 || dtype == DType::kBf16;
  double rate = 0;
  for (const auto& [type, flops_of_type] : flops_s) {
    const bool counts = !wide || std::find(kWide.begin(), kWide.end(), type) != kWide.end();
    if (counts) rate = std::max(rate, flops_of_type);
  }
  const double moving = bytes_s > 0 ? bytes / bytes_s : 0;
  return std::max(moving, rate > 0 ? flops / rate : 0);
}

}  // namespace tensorpath
