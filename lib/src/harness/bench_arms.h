// The arms of a benchmark, built: the candidate and each baseline, or why there is none.
#pragma once

#include "bench_device.h"
#include "bench_with.h"
#include "device.h"
#include "timed_session.h"

#include <memory>
#include <string>
#include <vector>

namespace tensorpath {

// One arm: what it is, as it was built.
struct Arm {
  std::string name;
  KernelCandidate candidate;
  VerifyOptions options;
  std::string scratch;
  std::unique_ptr<Subject> subject;
  Built built;  // of the candidate also what it was refused for
  bool denominator = true;
  std::string absent;            // why it is not timed
  std::vector<int> slots;        // by case
  std::vector<double> per_call;  // by case, estimated
  std::vector<bool> contender;   // by case
  std::unique_ptr<TimedSession> session;
};

struct ArmWorkshop {
  const KernelTask& task;
  const BenchOptions& options;
  const BenchDefences& bench_defences;
  const Defences& defences;
  const Device& device;
  int threads;  // of each arm
  std::string scratch;
  const BenchDevice* timed;
};

// The candidate first, then each baseline, which is verified for the task. What a library's arm
// needs and does not find, and what fails when it is timed for once, makes it absent. Errors are
// the machine's.
[[nodiscard]] Expected<std::vector<std::unique_ptr<Arm>>> make_arms(
    const ArmWorkshop& workshop, const std::string& candidate_directory,
    const std::vector<BaselineSource>& baselines);

}  // namespace tensorpath
