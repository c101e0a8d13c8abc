// The benchmark with some of its defences off; for its own tests. The command offers no way to it.
#pragma once

#include <tensorpath/harness/bench.h>

namespace tensorpath {

struct BenchDefences {
  bool verify_baselines = true;
  bool check_outputs = true;  // of timed calls
};

[[nodiscard]] Expected<BenchReport> bench_with(const KernelTask& task,
                                               const std::string& candidate_directory,
                                               const std::vector<BaselineSource>& baselines,
                                               const BenchOptions& options,
                                               const BenchDefences& defences);

}  // namespace tensorpath
