// What a cubin says of itself: its kernels with their parameters, what they need of the device, and
// what a candidate must not have: memory that outlives a call, and calls of the device's runtime.
#pragma once

#include "defences.h"
#include "elf.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/verify.h>

namespace tensorpath {

struct CubinKernel {
  std::string name;
  std::vector<std::uint32_t> parameter_bytes;  // of each parameter, in order
  bool parameters_known = false;               // the object lists them
};

// Kernels in the order of the object's symbols.
[[nodiscard]] std::vector<CubinKernel> kernels_of(const ElfObject& object, std::string_view bytes);

// State, imports, and kernels of the plan that are missing or take other arguments. `ptx` is what
// the cubin was assembled from.
[[nodiscard]] Refusal scan_cubin(std::string_view bytes, std::string_view ptx,
                                 const LaunchPlan& plan, const Defences& defences);

// Out of what `nvcc --resource-usage` prints.
[[nodiscard]] std::vector<KernelResources> read_resource_usage(std::string_view text);

}  // namespace tensorpath
