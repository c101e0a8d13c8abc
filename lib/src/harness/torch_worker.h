// Arms of a benchmark that are libraries': PyTorch, and the vendors' libraries reached through it.
// A worker in Python runs them and speaks the protocol of tensorpath-worker. Its code and the
// baselines' are the tool's own; the sandbox around them is the one that candidates get, with a
// view of the Python installation.
#pragma once

#include "cuda_build.h"
#include "device.h"

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/sandbox.h>

namespace tensorpath {

// torch-eager, torch-compile, torch-graph: of every operator that has a baseline in PyTorch, named
// by its definition or not.
[[nodiscard]] std::vector<std::string> pytorch_arms();

// One of those, cublaslt or cudnn.
[[nodiscard]] bool is_library_arm(std::string_view name);

// The arm whose calls `verify` judges for this one: the same function, before a compiler or a
// graph.
[[nodiscard]] std::string verified_as(std::string_view name);

// $TENSORPATH_PYTHON or the python3 of PATH, and torch-worker beside `worker`. An Error says what
// is not there.
[[nodiscard]] Expected<WorkerProgram> find_torch_worker(const std::string& worker);

// Gives a sandbox for the GPU another program to start, and what that needs.
void start_instead(const WorkerProgram& program, SandboxSpec& spec);

// Starts Python in the sandbox, which takes seconds: a fact a line of PyTorch and the GPU as it
// sees it. An Error says why it does not work.
[[nodiscard]] Expected<std::string> probe_torch(const CudaToolkit& toolkit,
                                                const VerifyOptions& options);

// Whose subject's options name a library arm. `device`: cuda; cpu for the worker's own tests.
[[nodiscard]] Expected<Built> build_torch(const Subject& subject,
                                          const std::string& device = "cuda");

}  // namespace tensorpath
