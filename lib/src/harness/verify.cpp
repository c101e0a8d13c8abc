#include "emitted_code.h"
#include "scratch.h"
#include "verification.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/harness/verify.h>

namespace tensorpath {
namespace {

double seconds_since(Verification::Clock::time_point start) {
  return std::chrono::duration<double>(Verification::Clock::now() - start).count();
}

}  // namespace

Expected<VerifyReport> Verification::run(const std::string& directory) {
  const auto start = Clock::now();
  report_.defences_off = defences_.off();
  if (const Status taken = read(directory); !taken) return tl::unexpected(taken.error());
  for (const auto& [gate, work] : {std::pair{Gate::kCompile, &Verification::compile},
                                   {Gate::kObject, &Verification::look_at_object},
                                   {Gate::kSmoke, &Verification::smoke},
                                   {Gate::kHoldout, &Verification::holdout},
                                   {Gate::kSteady, &Verification::steady},
                                   {Gate::kSanitize, &Verification::sanitize},
                                   {Gate::kCleanup, &Verification::clean_up}}) {
    if (const Status passed = enter(gate, work); !passed) return tl::unexpected(passed.error());
  }
  report_.passed = report_.failure == Failure::kNone;
  report_.seconds = seconds_since(start);
  return std::move(report_);
}

Status Verification::read(const std::string& directory) {
  const auto start = Clock::now();
  Refusal refusal;
  auto candidate = options_.baseline
                       ? read_baseline(directory, task_, refusal, options_.library.has_value())
                       : read_candidate(directory, task_, refusal);
  if (!candidate) return tl::unexpected(candidate.error());
  candidate_ = std::move(*candidate);
  report_.candidate_digest = candidate_.digest;
  if (refusal.failure == Failure::kNone) refusal = device_.scan_source(subject_);
  if (Status recorded = record(Gate::kContract, refusal, start); !recorded) return recorded;
  return refusal.failure == Failure::kNone ? commit() : Status{};
}

Status Verification::commit() {
  const auto seed = options_.revealed_seed ? Expected<Key>(*options_.revealed_seed) : random_key();
  if (!seed) return tl::unexpected(seed.error());
  seed_ = *seed;
  Domain domain = task_.domain;
  if (!defences_.shapes) {
    for (std::size_t i = 0; i < domain.dims.size(); ++i) {
      DimRange& range = domain.dims[i];
      range.least = range.most = std::clamp(task_.op->dims[i].typical, range.least, range.most);
    }
  }
  auto cases = draw_cases(*task_.op, domain, seed_, task_.cases);
  if (!cases) return tl::unexpected(cases.error());
  cases_ = std::move(*cases);
  for (Case& one : cases_) weaken(one);
  report_.case_count = static_cast<int>(cases_.size());
  report_.seed = to_hex(seed_);
  const Json bound = {{"seed", report_.seed},
                      {"cases", tensorpath::to_json(cases_)},
                      {"task", sha256_hex(task_text(task_))},
                      {"operator", task_.op->digest},
                      {"candidate", candidate_.digest}};
  report_.commitment = sha256_hex(to_line(bound));
  if (options_.on_commit) {
    if (Status told = options_.on_commit(report_.commitment); !told) return told;
  }
  std::vector<TrialQueue::Request> requests;
  for (const Case& one : cases_) requests.push_back({one});
  hidden_.emplace(subject_, std::move(requests));
  return {};
}

void Verification::weaken(Case& one) const {
  if (!defences_.regimes) one.regime = Regime::kNormal;
  if (!defences_.layouts) one.strided = one.offset = false;
}

Status Verification::enter(Gate gate, Work work) {
  const auto start = Clock::now();
  if (report_.failure != Failure::kNone && gate != Gate::kCleanup) {
    report_.gates.push_back({gate, GateReport::Status::kNotRun, Failure::kNone, {}, 0});
    return {};
  }
  const auto refusal = (this->*work)();
  if (!refusal) return tl::unexpected(refusal.error());
  if (skipped_) {
    skipped_ = false;
    report_.gates.push_back(
        {gate, GateReport::Status::kNotRun, Failure::kNone, refusal->detail, seconds_since(start)});
    return options_.on_gate ? options_.on_gate(report_.gates.back()) : Status{};
  }
  return record(gate, *refusal, start);
}

Status Verification::record(Gate gate, const Refusal& refusal, Clock::time_point start) {
  const bool failed = refusal.failure != Failure::kNone;
  report_.gates.push_back({gate, failed ? GateReport::Status::kFailed : GateReport::Status::kPassed,
                           refusal.failure, refusal.detail, seconds_since(start)});
  if (failed && report_.failure == Failure::kNone) {
    report_.failure = refusal.failure;
    report_.detail = refusal.detail;
  }
  return options_.on_gate ? options_.on_gate(report_.gates.back()) : Status{};
}

Expected<Refusal> Verification::compile() {
  auto built = device_.build(subject_, Build::kPlain);
  if (!built) return tl::unexpected(built.error());
  built_ = std::move(*built);
  report_.toolchain = built_.toolchain;
  report_.resources = built_.resources;
  note_level(built_.level, built_.level_reason);
  if (built_.refusal.failure != Failure::kNone) return built_.refusal;
  auto emitted = read_emitted_code(subject_, built_);
  if (!emitted) return tl::unexpected(emitted.error());
  report_.emitted = std::move(*emitted);
  return built_.refusal;
}

void Verification::note_level(SandboxLevel level, const std::string& reason) {
  if (report_.sandbox_reason.empty() || level < report_.sandbox) {
    report_.sandbox = level;
    report_.sandbox_reason = reason;
  }
}

std::uint64_t Verification::salted(const std::string& label) const {
  const Key key = derive_key(seed_, label);
  std::uint64_t salt = 0;
  for (int i = 0; i < 6; ++i) salt = salt << 8U | key[static_cast<std::size_t>(i)];
  return salt;
}

double Verification::flops_of(const Case& one) const {
  const auto flops = task_.op->flops.evaluate(symbols_of(*task_.op, task_.domain, one));
  return flops ? static_cast<double>(*flops) : 0;
}

Expected<Refusal> Verification::skip(const std::string& why) {
  skipped_ = true;
  return Refusal{Failure::kNone, why};
}

Expected<Refusal> Verification::clean_up() {
  Refusal first;
  for (auto& session : sessions_) {
    if (!session) continue;
    const Refusal left = session->finish();
    session.reset();
    if (first.failure == Failure::kNone) first = left;
  }
  // After another failure a worker may have been ended in the middle of something.
  return report_.failure == Failure::kNone || first.failure == Failure::kLeftover ? first
                                                                                  : Refusal{};
}

Expected<VerifyReport> verify_with(const KernelTask& task, const std::string& candidate_directory,
                                   const VerifyOptions& options, const Defences& defences) {
  const auto device = make_device(task.device);
  if (!device) return tl::unexpected(device.error());
  const auto scratch = Scratch::make(options.scratch);
  if (!scratch) return tl::unexpected(scratch.error());
  return Verification(task, options, defences, **device, scratch->path()).run(candidate_directory);
}

Expected<VerifyReport> verify(const KernelTask& task, const std::string& candidate_directory,
                              const VerifyOptions& options) {
  return verify_with(task, candidate_directory, options, Defences{});
}

}  // namespace tensorpath
