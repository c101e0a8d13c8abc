// All runs of a directory as one result: how they ended and how the ratios of all of them lie,
// those that came to nothing included. One good ratio says little; its share says more.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/attempt_state.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath::forge {

// A run, by its latest attempt that holds a verdict, else its latest.
struct RunResult {
  std::string run_id;
  std::string op;
  AttemptState state;
  std::string decision;           // of its last timing, one for a promotion before others; or empty
  std::optional<Interval> ratio;  // likewise, where the decision is an answer
};

inline constexpr std::array<double, 4> kShareRatios = {1, 1.1, 2, 10};

struct RatioDistribution {
  int runs = 0;   // with a candidate; what shares are of
  int timed = 0;  // with a ratio; what the rest is of
  // Of runs whose ratio has a lower end above each of kShareRatios.
  std::array<double, kShareRatios.size()> shares{};
  double geomean = 0, median = 0, worst = 0, best = 0;
};

struct RunSet {
  std::vector<RunResult> results;       // oldest first
  std::vector<std::string> unreadable;  // ids, of runs that are not whole

  [[nodiscard]] RatioDistribution distribution() const;
  [[nodiscard]] Json to_json() const;
};

// Runs below `root`, of operator `op` where one is given. Error: the directory cannot be read.
[[nodiscard]] Expected<RunSet> read_run_set(const std::string& root, const std::string& op = {});

}  // namespace tensorpath::forge
