// `forge verify` killed at random points: what it leaves behind, and whether the run goes on.
#pragma once

#include <string>
#include <vector>

namespace tensorpath::selftest {

struct KillReport {
  int tried = 0;
  int clean = 0;
  std::vector<std::string> problems;
};

// Creates a run, kills `count` verifications of an honest kernel with SIGKILL and verifies once
// more at the end. `tensorpath` is the command's path, `candidate` an honest rmsnorm in fp32.
// Nothing else may start or wait for children of this process meanwhile.
[[nodiscard]] KillReport run_kills(int count, const std::string& tensorpath,
                                   const std::string& candidate);

}  // namespace tensorpath::selftest
