// A plan at one shape: sizes of its workspaces, and its launches as the worker takes them.
// Errors are the plan's: a formula that fails, a grid of nothing, a block too large.
#pragma once

#include "worker_protocol.h"

#include <string>
#include <utility>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {

struct WorkspaceSize {
  std::string name;
  std::uint64_t bytes = 0;  // may be 0
  bool zeroed = false;
};

// `limit_bytes` is for all of them together.
[[nodiscard]] Expected<std::vector<WorkspaceSize>> workspace_sizes(const LaunchPlan& plan,
                                                                   const Symbols& symbols,
                                                                   std::uint64_t limit_bytes);

struct PlanAtShape {
  const OperatorSpec& op;
  DType dtype;  // T
  const Symbols& symbols;
  const std::vector<std::pair<std::string, double>>& attributes;
  std::vector<std::string> buffers;  // names, in the order of the request
};

struct LaunchList {
  std::vector<worker::Launch> launches;  // those of `prepare` first
  std::uint32_t prepare = 0;             // how many of them
  std::vector<worker::Word> words;       // of all launches, in order
  std::vector<worker::TensorMap> maps;   // those that the launches use
};

// Launches whose condition does not hold are left out; none left is an error.
[[nodiscard]] Expected<LaunchList> evaluate_plan(const LaunchPlan& plan, const PlanAtShape& at);

}  // namespace tensorpath
