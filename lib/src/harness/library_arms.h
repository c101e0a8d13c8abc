// What is asked of a library's arm before a benchmark relies on it: is there a library, and does
// the arm do, through the path that is timed and at the shapes that are, what the operator says?
#pragma once

#include "bench_device.h"
#include "device.h"

#include <string>

namespace tensorpath {

// It runs in a worker of its own, torch_worker.h's.
[[nodiscard]] bool is_library(const KernelTask& task, const BaselineSource& source);

// In the benchmark's sandbox: versions of the library and the GPU, in a line. An Error says why
// there is none.
[[nodiscard]] Expected<std::string> find_library(const BenchOptions& options);

// Why an arm is absent, in a line.
[[nodiscard]] std::string reason_of(const Error& error);

struct Rehearsal {
  std::string failed;  // why it cannot be timed; empty: it can
  std::string wrong;   // what is wrong with what it computes; empty: nothing
  double seconds = 0;  // of a call at the last shape: a first look, no measurement
};
// One timed call at each shape that the benchmark has, judged whole. What a compiler makes on the
// way stays in the arm's cache.
[[nodiscard]] Rehearsal rehearse(const Subject& subject, const Built& built,
                                 const BenchDevice& timed);

}  // namespace tensorpath
