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
  std::string name = "the compiler";   // in messages
  std::string path = "/usr/bin:/bin";  // PATH, for what it calls
  std::vector<std::string> command;    // the compiler's path first
  std::string in;                      // sources; read-only, and where the compiler is started
  std::string out;                     // where it may write
  std::vector<ViewEntry> more_view;    // what it sees besides these and its own files
  SandboxLimits limits;
  SandboxMode sandbox = SandboxMode::kStrict;
};

// Limits on time and memory. Time is the processor's: a busy machine makes no source slower.
// Sleeping does not help either.
[[nodiscard]] SandboxLimits compile_limits(double cpu_s, std::uint64_t memory_bytes);

// An Error is the machine's: no sandbox, no compiler.
[[nodiscard]] Expected<SandboxOutcome> run_compiler(const CompileJob& job);

// The first line of what the job's compiler says to --version. Asked in the job's own sandbox,
// where the same compiler is found.
[[nodiscard]] Expected<std::string> compiler_version(CompileJob job);

// The compiler's words name paths of the build; the author knows the files by their own names.
[[nodiscard]] std::string without_directory(std::string text, const std::string& directory);

struct Compilation {
  Refusal refusal;  // kCompileError with the compiler's first lines, or kCompileLimit
  SandboxLevel level = SandboxLevel::kLimits;
  std::string level_reason;
};

// run_compiler(), and what the words of g++ and clang++ mean.
[[nodiscard]] Expected<Compilation> compile_in_sandbox(const CompileJob& job);

}  // namespace tensorpath
