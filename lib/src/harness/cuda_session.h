// One worker process with a cubin loaded on the GPU.
#pragma once

#include "cuda_build.h"
#include "device.h"

#include <memory>
#include <string>
#include <vector>

namespace tensorpath {

// Where the driver's libraries are when the loader's cache does not know them.
[[nodiscard]] std::vector<std::string> driver_directories();

// What a program that uses the GPU sees: the toolchain's view, the driver's libraries, device nodes
// and what the driver reads of the machine.
[[nodiscard]] SandboxSpec gpu_sandbox(const CudaToolkit& toolkit, const std::string& worker);

// The device as the worker sees it in its sandbox, a fact a line; an Error says why it does not
// work. With `sanitizer` the worker runs below compute-sanitizer.
[[nodiscard]] Expected<std::string> probe_gpu(const CudaToolkit& toolkit,
                                              const VerifyOptions& options, bool sanitizer);

// What a worker says of a failure that is the machine's and not the candidate's.
[[nodiscard]] bool is_the_machines(const std::string& text);
// A context takes seconds where many GPUs are, or where compute-sanitizer is in between.
inline constexpr double kGpuReadySeconds = 120;

[[nodiscard]] Expected<std::unique_ptr<Session>> start_cuda_session(const CudaToolkit& toolkit,
                                                                    const Subject& subject,
                                                                    const Built& built,
                                                                    Build build);

}  // namespace tensorpath
