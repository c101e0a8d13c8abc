// One verification while it runs: the gates in order, what they share, and the report they fill.
// verify.cpp holds the frame, verification_runs.cpp the gates that run the candidate.
#pragma once

#include "trial.h"
#include "trial_queue.h"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/harness/verify.h>

namespace tensorpath {

class Verification {
 public:
  using Clock = std::chrono::steady_clock;

  Verification(const KernelTask& task, const VerifyOptions& options, const Defences& defences,
               const Device& device, const std::string& scratch)
      : task_(task),
        options_(options),
        defences_(defences),
        device_(device),
        subject_{task, candidate_, options, defences, scratch} {}

  Expected<VerifyReport> run(const std::string& directory);

 private:
  using Work = Expected<Refusal> (Verification::*)();
  struct Failing {
    Trial trial;
    Judged judged;
  };

  // The first gate: nothing is compiled, the secret does not exist yet.
  Status read(const std::string& directory);

  // Seed and cases are fixed, and bound by a hash, before the candidate is compiled.
  Status commit();

  void weaken(Case& one) const;

  // A gate after a failed one is listed as not run; what it left is cleaned up all the same.
  Status enter(Gate gate, Work work);

  Status record(Gate gate, const Refusal& refusal, Clock::time_point start);

  Expected<Refusal> compile();

  Expected<Refusal> look_at_object() { return device_.scan_object(subject_, built_); }

  void note_level(SandboxLevel level, const std::string& reason);

  Expected<Session*> session(std::size_t index);

  Placing placing_of(std::size_t index, std::uint64_t salt) const;

  Expected<Judged> run_once(const Trial& trial, std::size_t index, const Placing& placing);

  void count(const ElementComparison& comparison);

  Expected<Refusal> smoke();

  void show_counter_example(const Trial& trial, const Judged& judged);

  Expected<Refusal> holdout();

  // A hidden case in two processes: guard pages behind and before, two poisons, other places.
  Expected<Judged> run_twice(const Trial& trial);

  static bool same_bytes(const std::vector<TensorData>& a, const std::vector<TensorData>& b);

  static bool is_about_results(Failure failure);

  std::uint64_t salted(const std::string& label) const;

  // The same kind of contents and layout at the public shapes, smallest first, with public
  // contents.
  Status look_for_public_example(const Case& hidden);

  // Two calls of which the second's inputs are the first's, scaled or turned.
  Expected<Refusal> relations();

  // One shape again and again in one process, as a benchmark or a server calls it.
  Expected<Refusal> steady();

  double flops_of(const Case& one) const;

  // An ordinary case that is cheap to check, and not the very smallest.
  Case steady_case() const;

  Expected<Refusal> skip(const std::string& why);

  // A few cheap cases of different kinds in builds that watch every access.
  Expected<Refusal> sanitize();

  Expected<Refusal> watch(Session& session, const Case& one);

  std::vector<Case> sanitizer_cases() const;

  Expected<Refusal> clean_up();

  const KernelTask& task_;
  const VerifyOptions& options_;
  const Defences& defences_;
  const Device& device_;
  KernelCandidate candidate_;
  Subject subject_;
  Key seed_{};
  std::vector<Case> cases_;
  std::optional<TrialQueue> hidden_;  // of cases_, while the candidate is compiled
  Built built_;
  std::array<std::unique_ptr<Session>, 3> sessions_;
  std::optional<Failing> failing_;
  bool skipped_ = false;
  VerifyReport report_;
};

}  // namespace tensorpath
