// A task: which operator, where it must hold, on which device, and under which limits. It is what
// `forge create` writes (task.yaml) and every gate reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {

// Where candidates run. hip, triton and sim join here: an enumerator, a name and a Device.
enum class DeviceKind : std::uint8_t { kHost, kCuda };
[[nodiscard]] std::string_view name_of(DeviceKind kind);
[[nodiscard]] std::string_view language_of(DeviceKind kind);  // "cpp", "cuda"

struct TaskLimits {
  double call_s = 10;  // one call of the candidate
  double compile_s = 120;
  std::uint64_t memory_bytes = 8ULL << 30;  // of the worker
  std::uint64_t compile_memory_bytes = 4ULL << 30;
  std::uint64_t workspace_bytes = 1ULL << 30;
};

struct KernelTask {
  const OperatorSpec* op = nullptr;
  Domain domain;
  DeviceKind device = DeviceKind::kHost;
  std::string gpu;           // "host", or the name of a GPU of the catalog
  std::string architecture;  // host: "x86-64-v3"; cuda: "sm_90"
  std::string objective = "latency";
  int cases = 44;  // hidden cases of an attempt, at least
  TaskLimits limits;
};

// ISA levels of the host's candidates, weakest first, and the strongest that this machine runs.
[[nodiscard]] std::vector<std::string> host_levels();
[[nodiscard]] std::string host_level();

// task.yaml and back. The same task gives the same text. Errors carry their place.
[[nodiscard]] std::string task_text(const KernelTask& task);
[[nodiscard]] Expected<KernelTask> read_task(std::string_view yaml, const std::string& file,
                                             const Operators& operators);

// task.h of a host candidate: the struct of its arguments.
[[nodiscard]] std::string host_header(const KernelTask& task);
// task.h of a cuda candidate: its element type T, and conversions.
[[nodiscard]] std::string cuda_header(const KernelTask& task);
// The header that a host candidate's task.h includes, as shipped in kernels/include.
[[nodiscard]] std::string_view kernel_header();
// What the author is told: contract.md. Ranges and rules, never seeds, cases or contents.
[[nodiscard]] std::string contract_text(const KernelTask& task);

}  // namespace tensorpath
