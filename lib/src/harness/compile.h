// A C++ compiler on a source that is not trusted, in the sandbox and under limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

struct CompileJob {
  std::vector<std::string> command;  // the compiler's path first
  std::string in;                    // sources; read-only, and where the compiler is started
  std::string out;                   // where it may write
  std::vector<ViewEntry> more_view;  // what it sees besides these and its own files
  SandboxLimits limits;
  SandboxMode sandbox = SandboxMode::kStrict;
};

// Limits on time and memory. Time is the processor's: a busy machine makes no source slower.
// Sleeping does not help either.
[[nodiscard]] SandboxLimits compile_limits(double cpu_s, std::uint64_t memory_bytes);

struct Compilation {
  Refusal refusal;  // kCompileError with the compiler's first lines, or kCompileLimit
  SandboxLevel level = SandboxLevel::kLimits;
  std::string level_reason;
};

// An Error is the machine's: no sandbox, no compiler.
[[nodiscard]] Expected<Compilation> compile_in_sandbox(const CompileJob& job);

}  // namespace tensorpath
