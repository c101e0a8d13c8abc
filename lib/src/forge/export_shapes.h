// Shapes for the test that comes with an export: some inside of the kernel's domain, some of the
// operator but outside of it.
#pragma once

#include <vector>

#include <tensorpath/harness/task.h>
#include <tensorpath/ops/cases.h>

namespace tensorpath::forge {

struct ExampleShape {
  Symbols dims;
  bool inside = false;
};

// Small enough for the fallback to compute in a moment; none twice. `tuned` comes first where it
// is.
[[nodiscard]] std::vector<ExampleShape> example_shapes(const KernelTask& task,
                                                       const Symbols& tuned);

}  // namespace tensorpath::forge
