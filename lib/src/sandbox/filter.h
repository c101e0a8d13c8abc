// The system calls that a sandboxed program may not make, as a seccomp program.
#pragma once

#include <cstdint>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath::sandbox {

struct FilterRules {
  bool no_sockets = false;  // else sockets of the Unix domain are allowed
  bool no_group_change = false;
  bool signals_to_self_only = false;
  bool memfd = false;
};

struct Filter {
  std::vector<std::uint64_t> instructions;  // struct sock_filter each
  int pid_at = -1;  // the instruction whose constant is to be the program's pid
};

[[nodiscard]] Expected<Filter> make_filter(const FilterRules& rules);
[[nodiscard]] bool seccomp_available();

}  // namespace tensorpath::sandbox
