// Operators from outside the tool (--ops DIR): each <op>.yaml of a directory with the reference
// <op>.cpp beside it. The reference is compiled in the sandbox, once: the object is kept in a cache
// under a digest of all that made it, and only after the operator has passed the mutation check.
// From then on it runs in this process, as a built-in one does.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

struct OperatorDirectoryOptions {
  std::string cache;  // where objects are kept; empty: operator_cache_path()
  SandboxMode sandbox = SandboxMode::kStrict;
  double compile_s = 120;  // of the processor
  std::uint64_t compile_memory_bytes = 4ULL << 30;
  double proof_s = 600;
  // An operator is about to be compiled and checked: seconds go by.
  std::function<void(const std::string& op)> on_build;
};

// $XDG_CACHE_HOME/tensorpath/ops, else ~/.cache/tensorpath/ops; empty where neither is known.
[[nodiscard]] std::string operator_cache_path();

// What is wrong with the cache as it is, for who only asks; a place that is not there yet is fine.
[[nodiscard]] Status check_operator_cache(const std::string& path);

// The operators of the directories, each standing in for one of the same name that is there; of
// equal names the first directory wins. Errors: kUsage for a file that is wrong, a reference that
// does not compile and an operator that does not hold, kLimit for a compiler or a reference that
// takes too long, kEnvironment for what the machine lacks.
[[nodiscard]] Status add_operators(Operators& operators,
                                   const std::vector<std::string>& directories,
                                   const OperatorDirectoryOptions& options = {});

}  // namespace tensorpath
