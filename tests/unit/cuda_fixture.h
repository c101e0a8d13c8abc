// Candidates for the stand-in of the CUDA driver: what a kernel does follows from its name.
#pragma once

#include "build_file.h"
#include "harness/cuda_build.h"
#include "scratch.h"

#include <cstdlib>

#include <tensorpath/harness.h>

namespace tensorpath::test {

inline constexpr int kRows = 3;
inline constexpr int kColumns = 40;

// A candidate for any operator whose plan launches one of the stand-in's kernels.
struct OnStandIn {
  OnStandIn(const std::string& op, const std::string& plan_text,
            const std::vector<DimRange>& dims = {}) {
    const std::string source = TENSORPATH_SOURCE_DIR;
    operators = Operators::load({source + "/kernels/ops"}).value();
    task.op = operators.find(op).value();
    task.device = DeviceKind::kCuda;
    task.architecture = "sm_90";
    auto domain = make_domain(*task.op, task.op->dtypes.front(), dims, {});
    INFO((domain ? "" : domain.error().to_string()));
    REQUIRE(domain);
    task.domain = *domain;
    const auto plan = read_plan(plan_text, "plan.yaml", task);
    INFO((plan ? "" : plan.error().to_string()));
    REQUIRE(plan);
    candidate.plan = *plan;
    options.sandbox = SandboxMode::kBestEffort;
    options.worker = build_file("bin/tensorpath-worker");
    // Any image will do: the stand-in looks at names only.
    built.path = source + "/tests/fuzz/corpus/elf/plain.cubin";
    toolkit.root = "/usr/local";
    ::setenv("LD_LIBRARY_PATH", build_file("tests/stand_in").c_str(), 1);
  }
  [[nodiscard]] Subject subject() const { return {task, candidate, options, defences, {}}; }

  Operators operators;
  KernelTask task;
  KernelCandidate candidate;
  VerifyOptions options;
  Defences defences;
  Built built;
  CudaToolkit toolkit;
};

// A candidate for abs whose plan launches one of the stand-in's kernels.
struct Abs : OnStandIn {
  explicit Abs(const std::string& kernel, const std::string& launch = "grid: [rows], block: [64]",
               const std::string& before = "", const std::string& first = "x")
      : OnStandIn("abs", before + "launches:\n  - {kernel: " + kernel + ", " + launch +
                             ", args: [" + first + ", y, \"i32 rows\", \"i32 hidden\"]}\n") {}
};

}  // namespace tensorpath::test
