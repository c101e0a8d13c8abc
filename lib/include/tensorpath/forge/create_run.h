// `forge create`: from what a person asks for to a run directory.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/harness/task.h>

namespace tensorpath::forge {

struct CreateRequest {
  std::string op;
  std::string dtype;
  std::string shape;       // "rows=16,hidden=4096", "rows=1..64"
  std::string attributes;  // "eps=1e-6"
  std::string captures;    // a file of shapes of a real run; gives the dims that `shape` does not
  std::string language = "cpp";
  std::string gpu = "host";
  std::string architecture;  // empty: of the GPU, or the machine's
  std::string objective = "latency";
  std::optional<int> cases;
};

// "rows=16,hidden=1..4096" into ranges. Errors name the part that makes no sense.
[[nodiscard]] Expected<std::vector<DimRange>> parse_shape(std::string_view text);
[[nodiscard]] Expected<std::vector<std::pair<std::string, double>>> parse_attributes(
    std::string_view text);

// Shapes of a real run: a JSON array (or {"shapes": [...]}) of
// {"op": "rmsnorm", "dtype": "fp16", "shape": {"rows": 16, "hidden": 4096}, "count": 1200}; those
// of other operators or types are left out. Counts become weights.
[[nodiscard]] Expected<std::vector<WeightedShape>> read_captures(const std::string& path,
                                                                 const std::string& op,
                                                                 const std::string& dtype);

[[nodiscard]] Expected<KernelTask> make_task(const CreateRequest& request,
                                             const Operators& operators);

// The task that a run was made with. Error: an operator that is not among these, or another file.
[[nodiscard]] Expected<KernelTask> task_of(const RunDirectory& run, const Operators& operators);

// Writes the run: task.yaml, the public contract and the headers that the author needs.
[[nodiscard]] Expected<RunDirectory> create_run(const KernelTask& task, const std::string& root,
                                                WallTime time);

}  // namespace tensorpath::forge
