#include "compile.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath {
namespace {

std::string first_lines(const std::string& text, std::size_t lines) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < lines && end != std::string::npos; ++i)
    end = text.find('\n', end + 1);
  return text.substr(0, std::min(end, std::size_t{2000}));
}

Refusal refusal_of(const SandboxOutcome& outcome, const std::string& directory) {
  switch (outcome.end) {
    case SandboxEnd::kExited:
      if (outcome.exit_code == 0) return {};
      if (outcome.err.find("CPU time limit exceeded") != std::string::npos) {
        return {Failure::kCompileLimit, "the compiler took longer than it is allowed"};
      }
      if (outcome.err.find("out of memory") != std::string::npos ||
          outcome.err.find("annot allocate memory") != std::string::npos ||
          outcome.err.find("Killed signal") != std::string::npos) {
        return {Failure::kCompileLimit, "the compiler ran out of the memory it is allowed"};
      }
      return {Failure::kCompileError, first_lines(without_directory(outcome.err, directory), 6)};
    case SandboxEnd::kSignalled:
      return {Failure::kCompileLimit,
              fmt::format("the compiler was ended by signal {}", outcome.signal)};
    default:
      return {Failure::kCompileLimit,
              fmt::format("the compiler reached a limit: {}", to_string(outcome.end))};
  }
}

}  // namespace

SandboxLimits compile_limits(double cpu_s, std::uint64_t memory_bytes) {
  SandboxLimits limits;
  limits.cpu_s = cpu_s;
  limits.wall_s = 4 * cpu_s;
  limits.address_space_bytes = memory_bytes;
  limits.output_bytes = 256U << 10;
  return limits;
}

std::string without_directory(std::string text, const std::string& directory) {
  const std::string path = directory + "/";
  for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos;) {
    text.erase(at, path.size());
  }
  return text;
}

Expected<SandboxOutcome> run_compiler(const CompileJob& job) {
  SandboxSpec spec;
  spec.argv = job.command;
  spec.environment = {"PATH=" + job.path, "LC_ALL=C", "TMPDIR=/tmp"};
  spec.working_directory = job.in;
  spec.view = toolchain_view();
  spec.view.push_back({job.in, job.in, false, false});
  spec.view.push_back({job.out, job.out, true, false});
  spec.view.insert(spec.view.end(), job.more_view.begin(), job.more_view.end());
  spec.tmp = true;
  spec.limits = job.limits;
  if (Status given = give_to_sandbox(job.out); !given) return tl::unexpected(given.error());
  auto outcome = run_sandboxed(spec, job.sandbox);
  if (outcome && outcome->end == SandboxEnd::kStartFailed) {
    return fail(ExitCode::kEnvironment,
                fmt::format("{} does not start: {}", job.name, outcome->start_error));
  }
  return outcome;
}

Expected<std::string> compiler_version(CompileJob job) {
  job.command = {job.command.front(), "--version"};
  const auto outcome = run_compiler(job);
  if (!outcome) return tl::unexpected(outcome.error());
  return outcome->out.substr(0, outcome->out.find('\n'));
}

Expected<Compilation> compile_in_sandbox(const CompileJob& job) {
  const auto outcome = run_compiler(job);
  if (!outcome) return tl::unexpected(outcome.error());
  return Compilation{refusal_of(*outcome, job.in), outcome->level, outcome->level_reason};
}

}  // namespace tensorpath
