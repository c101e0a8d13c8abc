// One worker process with a cubin loaded on the GPU.
#pragma once

#include "cuda_build.h"
#include "device.h"

#include <memory>
#include <string>

namespace tensorpath {

// What a program that uses the GPU sees: the toolchain's view, the driver's libraries, device nodes
// and what the driver reads of the machine.
[[nodiscard]] SandboxSpec gpu_sandbox(const CudaToolkit& toolkit, const std::string& worker);

// The device as the worker sees it in its sandbox, a fact a line; an Error says why it does not
// work. With `sanitizer` the worker runs below compute-sanitizer.
[[nodiscard]] Expected<std::string> probe_gpu(const CudaToolkit& toolkit,
                                              const VerifyOptions& options, bool sanitizer);

[[nodiscard]] Expected<std::unique_ptr<Session>> start_cuda_session(const CudaToolkit& toolkit,
                                                                    const Subject& subject,
                                                                    const Built& built,
                                                                    Build build);

}  // namespace tensorpath
