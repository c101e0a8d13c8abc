// The system calls that a sandboxed program may not make, as a seccomp program.
#pragma once

#include <cstdint>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath::sandbox {

struct FilterRules {
  bool own_pids = true;         // a pid namespace: only its first process needs protection
  bool foreign_signals = true;  // signals cannot leave anyhow
  bool memfd = false;
};

struct Filter {
  std::vector<std::uint64_t> instructions;  // struct sock_filter each
  int pid_at = -1;  // the instruction whose constant is to be the program's pid
};

[[nodiscard]] Expected<Filter> make_filter(const FilterRules& rules);
[[nodiscard]] bool seccomp_available();

}  // namespace tensorpath::sandbox
