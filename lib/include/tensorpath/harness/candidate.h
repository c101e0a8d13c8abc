// A candidate as it was handed in: its files, their digest, and its launch plan.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/harness/failure.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/ops/expression.h>

namespace tensorpath {

// One argument of a launch.
struct PlanArgument {
  enum class Kind : std::uint8_t {
    kTensor,
    kWorkspace,
    kTensorMap,
    kInt32,
    kInt64,
    kFloat,
    kDouble
  };
  Kind kind = Kind::kInt64;
  std::string name;  // tensor, workspace, map, or attribute (kFloat, kDouble)
  Expression value = Expression::constant(0);  // kInt32, kInt64
};

struct PlanLaunch {
  std::string kernel;
  Expression when = Expression::constant(1);
  std::vector<Expression> grid, block, cluster;  // one to three each
  Expression shared_bytes = Expression::constant(0);
  std::vector<PlanArgument> arguments;
};

struct PlanWorkspace {
  std::string name;
  Expression bytes = Expression::constant(0);
  bool zeroed = false;  // the harness zeroes it before each call, inside the timed span
};

// TMA: a tiled view of a tensor, innermost dim first.
struct PlanTensorMap {
  std::string name;
  std::string tensor;
  std::vector<Expression> dims, strides_bytes, box;
  std::string swizzle = "none";  // none, 32, 64, 128
};

struct LaunchPlan {
  std::vector<PlanWorkspace> workspaces;  // host kernels: at most one
  std::vector<PlanTensorMap> tensor_maps;
  std::vector<PlanLaunch> prepare;   // repack static inputs, before and untimed
  std::vector<PlanLaunch> launches;  // none on host
  std::vector<std::string> expects;  // out of instruction_families()
};

struct KernelCandidate {
  std::vector<std::pair<std::string, std::string>> files;  // name, contents; sorted by name
  std::string digest;                                      // SHA-256 over names and contents
  LaunchPlan plan;
  std::vector<std::string> links;  // vendors' libraries; only read_baseline() finds any

  [[nodiscard]] const std::string* find(std::string_view name) const;
};

// SHA-256 over names and contents; files sorted by name.
[[nodiscard]] std::string candidate_digest(
    const std::vector<std::pair<std::string, std::string>>& files);
// What a candidate may consist of: its source ("kernel.cpp", "kernel.cu") first.
[[nodiscard]] std::vector<std::string> candidate_file_names(DeviceKind kind);
// The source of a shipped baseline that a library runs; no candidate may bring one.
inline constexpr std::string_view kLibrarySource = "baseline.py";

// Why a candidate cannot be taken, for the report.
struct Refusal {
  Failure failure = Failure::kNone;
  std::string detail;
};

// The files of a directory: flat names, regular files, sizes bounded. An Error is a directory that
// cannot be read; what is wrong with its contents is a refusal.
[[nodiscard]] Expected<KernelCandidate> read_candidate(const std::string& directory,
                                                       const KernelTask& task, Refusal& refusal);
// The same of a baseline that is installed with the operators, which is trusted: on the host it may
// have a baseline.yaml, which says what it is linked with. `library`: a library runs it, and its
// source is kLibrarySource. Never for what somebody handed in.
[[nodiscard]] Expected<KernelCandidate> read_baseline(const std::string& directory,
                                                      const KernelTask& task, Refusal& refusal,
                                                      bool library = false);

// plan.yaml. Its formulas may use the operator's dims, strides, attributes and sizeof(T).
[[nodiscard]] Expected<LaunchPlan> read_plan(std::string_view yaml, const std::string& file,
                                             const KernelTask& task);

}  // namespace tensorpath
