// Timing a candidate against baselines: interleaved in pairs, each arm in a process of its own, in
// rounds of fresh processes, cold, with outputs of the timed calls checked. The numbers and the
// decision on them are timing.h's. tensorpath-benchmarking(7) is the whole story.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/data_sheet.h>
#include <tensorpath/harness/failure.h>
#include <tensorpath/harness/judged_timing.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/harness/timing.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

struct BaselineSource {
  std::string name;       // "naive", "tuned"
  std::string directory;  // of its candidate files; empty: there is none here
  std::string absent;     // then: why
};

struct BenchOptions {
  SandboxMode sandbox = SandboxMode::kStrict;
  std::string worker;   // path of tensorpath-worker
  std::string scratch;  // directory for build products; empty: a temporary one
  int threads = 0;      // of the pool, each on a core of its own; 0: the cores but one, at most 4
  StopRule stop;
  std::string ceilings;           // directory of what was measured of the machine; empty: none
  std::vector<DataSheet> sheets;  // of devices that may be here
  int warmups = 3;                // of each arm in each round; ten rounds make thirty
  int blocks = 20;                // timed in each round; ten rounds make two hundred
  std::function<void(const std::string& step)> on_step;
};

struct BenchReport {
  Failure failure = Failure::kNone;  // of the candidate, in what was timed
  std::string detail;
  std::vector<TimedSample> samples;
  JudgedTiming timing;  // its plan; once there are samples, what they come to
  Json ceilings;        // what was measured of the device; null: nothing
  std::string sheet;    // of the catalog, that the device is held against; empty: none is known
  std::string stop_reason;
  std::int64_t checked_calls = 0;  // timed calls of the candidate whose outputs were compared whole
  // Host: waking the worker and hearing from it, median. cuda: a graph without calls.
  double empty_call_us = 0;
  // Host: stopping the worker, median. cuda: what the harness's clock saw beyond the device's.
  double stop_us = 0;
  std::vector<std::string> toolchains;  // by arm
  std::string candidate_digest;
  Json environment;  // processor, cores, frequency, load; the GPU, its clocks and what held them
  Json method = Json::object();  // what the device's way of timing is: cache and clock
  double seconds = 0;

  // Why this carries no promotion; empty when it does.
  [[nodiscard]] std::string obstacle() const;
  [[nodiscard]] Json to_json() const;
};

// Errors are the machine's or the harness's; what the candidate does is in the report. `baselines`
// are verified for the task first: one that does not hold is timed but is no denominator.
[[nodiscard]] Expected<BenchReport> bench(const KernelTask& task,
                                          const std::string& candidate_directory,
                                          const std::vector<BaselineSource>& baselines,
                                          const BenchOptions& options);

}  // namespace tensorpath
