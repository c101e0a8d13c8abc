// What the maker of a device says that it can do at most: less time than that takes no honest
// kernel.
#pragma once

#include <map>
#include <string>

#include <tensorpath/ops/dtype.h>

namespace tensorpath {

struct DataSheet {
  std::string name;  // of the catalog
  std::string architecture;
  int multiprocessors = 0;
  double memory_bytes = 0;
  double bytes_s = 0;                     // of memory
  std::map<std::string, double> flops_s;  // dense, by type: "bf16", "fp8"

  // Is that device this one? Names differ from what drivers say; figures hardly do.
  [[nodiscard]] bool is_of(const std::string& device_architecture, int device_multiprocessors,
                           double device_memory_bytes) const;
  // Seconds that so many bytes of memory and operations take at least. Operations count at the
  // highest rate of a type as wide or wider, in whatever unit has it; sums of narrower products can
  // make wider ones. 0: the sheet does not say.
  [[nodiscard]] double floor_seconds(double bytes, double flops, DType dtype) const;
};

}  // namespace tensorpath
