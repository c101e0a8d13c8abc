// What a benchmark prints for each number that has a bar (DESIGN, Budgets): one line of
//   budget <tab> what <tab> measured <tab> unit <tab> bar <tab> at_most|at_least
// on standard output. scripts/bench gathers these lines into its table; anything else a benchmark
// prints is shown as it is.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace tensorpath::bench {

enum class Bar { kAtMost, kAtLeast };

inline void budget(const std::string& what, double measured, const std::string& unit, double bar,
                   Bar kind) {
  std::printf("budget\t%s\t%.6g\t%s\t%.6g\t%s\n", what.c_str(), measured, unit.c_str(), bar,
              kind == Bar::kAtMost ? "at_most" : "at_least");
}

// For what cannot be measured yet: the table says so instead of leaving it out.
inline void no_budget(const std::string& what, const std::string& reason) {
  std::printf("absent\t%s\t%s\n", what.c_str(), reason.c_str());
}

template <typename Work>
double seconds_of(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The median over `rounds` runs, after one that warms caches and is not counted.
template <typename Work>
double median_seconds(int rounds, Work&& work) {
  work();
  std::vector<double> seconds;
  for (int round = 0; round < rounds; ++round) seconds.push_back(seconds_of(work));
  return median(seconds);
}

}  // namespace tensorpath::bench
