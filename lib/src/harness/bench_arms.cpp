#include "bench_arms.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

Expected<std::unique_ptr<Arm>> build_arm(const ArmWorkshop& workshop, const std::string& name,
                                         const std::string& directory) {
  const Device& device = workshop.device;
  auto arm = std::make_unique<Arm>();
  arm->name = name;
  arm->options.sandbox = workshop.options.sandbox;
  arm->options.worker = workshop.options.worker;
  arm->options.threads = workshop.threads;
  arm->scratch = path_join(workshop.scratch, name);
  Refusal refusal;
  auto candidate = read_candidate(directory, workshop.task, refusal);
  if (!candidate) return tl::unexpected(candidate.error());
  arm->candidate = std::move(*candidate);
  arm->subject = std::make_unique<Subject>(
      Subject{workshop.task, arm->candidate, arm->options, workshop.defences, arm->scratch});
  if (refusal.failure == Failure::kNone) refusal = device.scan_source(*arm->subject);
  if (refusal.failure == Failure::kNone) {
    auto built = device.build(*arm->subject, Build::kPlain);
    if (!built) return tl::unexpected(built.error());
    arm->built = std::move(*built);
    refusal = arm->built.refusal;
  }
  if (refusal.failure == Failure::kNone) {
    auto scanned = device.scan_object(*arm->subject, arm->built);
    if (!scanned) return tl::unexpected(scanned.error());
    refusal = *scanned;
  }
  arm->built.refusal = refusal;
  return arm;
}

Expected<bool> holds(const ArmWorkshop& workshop, const BaselineSource& source) {
  if (!workshop.bench_defences.verify_baselines) return true;
  const BenchOptions& options = workshop.options;
  if (options.on_step) options.on_step(fmt::format("verifying the baseline {}", source.name));
  VerifyOptions verify_options;
  verify_options.sandbox = options.sandbox;
  verify_options.worker = options.worker;
  verify_options.sanitizers = false;
  const auto verdict = verify(workshop.task, source.directory, verify_options);
  if (!verdict) return tl::unexpected(verdict.error());
  return verdict->passed;
}

Expected<std::unique_ptr<Arm>> make_baseline(const ArmWorkshop& workshop,
                                             const BaselineSource& source) {
  if (source.directory.empty()) {
    auto arm = std::make_unique<Arm>();
    arm->name = source.name;
    arm->absent = source.absent;
    return arm;
  }
  const auto verified = holds(workshop, source);
  if (!verified) return tl::unexpected(verified.error());
  auto arm = build_arm(workshop, source.name, source.directory);
  if (!arm) return arm;
  (*arm)->denominator = *verified;
  const Refusal& refusal = (*arm)->built.refusal;
  if (refusal.failure != Failure::kNone) {
    (*arm)->absent = "it does not build: " + refusal.detail;
  }
  return arm;
}

}  // namespace

Expected<std::vector<std::unique_ptr<Arm>>> make_arms(
    const ArmWorkshop& workshop, const std::string& candidate_directory,
    const std::vector<BaselineSource>& baselines) {
  std::vector<std::unique_ptr<Arm>> arms;
  auto candidate = build_arm(workshop, "candidate", candidate_directory);
  if (!candidate) return tl::unexpected(candidate.error());
  arms.push_back(std::move(*candidate));
  for (const BaselineSource& source : baselines) {
    auto arm = make_baseline(workshop, source);
    if (!arm) return tl::unexpected(arm.error());
    arms.push_back(std::move(*arm));
  }
  return arms;
}

}  // namespace tensorpath
