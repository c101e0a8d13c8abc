// From CUDA source to a cubin: finding the toolkit, and nvcc in a sandbox of its own. Only device
// code is made (-cubin), so that nothing of a candidate ever runs on the host.
#pragma once

#include "device.h"

#include <string>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

struct CudaToolkit {
  std::string root;  // links resolved
  std::string nvcc;
  std::string sanitizer;  // compute-sanitizer; empty: none
};

// In $CUDA_HOME, $CUDA_PATH, /usr/local/cuda and the directories of PATH.
[[nodiscard]] Expected<CudaToolkit> find_cuda_toolkit();

// The view of a program of the toolkit: toolchain_view() and the toolkit where it lies elsewhere.
[[nodiscard]] std::vector<ViewEntry> toolkit_view(const CudaToolkit& toolkit);

// "sm_90" -> "sm_90a": with the instructions that only this architecture has, where there are such.
[[nodiscard]] std::string full_architecture(const std::string& architecture);

[[nodiscard]] Refusal scan_cuda_source(const Subject& subject);
[[nodiscard]] Expected<Built> build_cubin(const CudaToolkit& toolkit, const Subject& subject,
                                          Build build);

}  // namespace tensorpath
