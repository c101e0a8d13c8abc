// A worker that misbehaves in every way it can think of: no verdict may come out of it wrong.
#pragma once

#include "corpus.h"

#include <string>
#include <vector>

namespace tensorpath::selftest {

struct FaultyReport {
  int tried = 0;
  int right = 0;
  std::vector<std::string> problems;
};

// Verifies an honest kernel of fp32 results through copies of `worker` (faulty_worker), one for
// each mode, `jobs` at a time.
[[nodiscard]] FaultyReport run_faulty(const Specimen& honest, const std::string& worker, int jobs);

}  // namespace tensorpath::selftest
