// The corpus of the self-test: kernels with a kernel.yaml that says what they are.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/harness.h>
#include <tensorpath/ops.h>

namespace tensorpath::selftest {

struct Specimen {
  std::string name;  // of its directory
  std::string directory;
  std::string about;
  KernelTask task;
  // Of cheats:
  std::string mechanism;
  // Failure classes that may catch it; several where the first hidden case to fail decides.
  std::vector<std::string> caught_as;
  std::vector<std::string> defence;  // whose absence lets it pass
  [[nodiscard]] bool is_cheat() const { return !caught_as.empty(); }
};

// Every directory below `root` that holds a kernel.yaml, sorted by path.
[[nodiscard]] Expected<std::vector<Specimen>> read_corpus(const std::string& root,
                                                          const Operators& operators);

}  // namespace tensorpath::selftest
