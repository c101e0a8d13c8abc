#include "bench_arms.h"

#include "vendor_library.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

Expected<std::unique_ptr<Arm>> build_arm(const ArmWorkshop& workshop, const std::string& name,
                                         const std::string& directory, bool baseline) {
  const Device& device = workshop.device;
  auto arm = std::make_unique<Arm>();
  arm->name = name;
  arm->options.sandbox = workshop.options.sandbox;
  arm->options.worker = workshop.options.worker;
  arm->options.threads = workshop.threads;
  arm->options.baseline = baseline;
  arm->scratch = path_join(workshop.scratch, name);
  Refusal refusal;
  auto candidate = baseline ? read_baseline(directory, workshop.task, refusal)
                            : read_candidate(directory, workshop.task, refusal);
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
  verify_options.baseline = true;
  const auto verdict = verify(workshop.task, source.directory, verify_options);
  if (!verdict) return tl::unexpected(verdict.error());
  return verdict->passed;
}

// Empty, or why a baseline that was found is not timed here.
Expected<std::string> absence_of(const ArmWorkshop& workshop, const Arm& arm) {
  const std::vector<std::string>& links = arm.candidate.links;
  const Refusal& refusal = arm.built.refusal;
  if (refusal.failure != Failure::kNone) {
    const std::string missing = missing_library(links, refusal.detail);
    return missing.empty() ? "it does not build: " + refusal.detail : missing;
  }
  if (links.empty()) return std::string{};
  // Whether the library has such a kernel, it knows itself.
  const auto session = workshop.device.start(*arm.subject, arm.built, Build::kPlain);
  if (!session) return tl::unexpected(session.error());
  return (*session)->finish().detail;
}

Expected<std::unique_ptr<Arm>> make_baseline(const ArmWorkshop& workshop,
                                             const BaselineSource& source) {
  if (source.directory.empty()) {
    auto arm = std::make_unique<Arm>();
    arm->name = source.name;
    arm->absent = source.absent;
    return arm;
  }
  auto arm = build_arm(workshop, source.name, source.directory, true);
  if (!arm) return arm;
  auto absence = absence_of(workshop, **arm);
  if (!absence) return tl::unexpected(absence.error());
  (*arm)->absent = std::move(*absence);
  if (!(*arm)->absent.empty()) return arm;
  const auto verified = holds(workshop, source);
  if (!verified) return tl::unexpected(verified.error());
  (*arm)->denominator = *verified;
  return arm;
}

}  // namespace

Expected<std::vector<std::unique_ptr<Arm>>> make_arms(
    const ArmWorkshop& workshop, const std::string& candidate_directory,
    const std::vector<BaselineSource>& baselines) {
  std::vector<std::unique_ptr<Arm>> arms;
  auto candidate = build_arm(workshop, "candidate", candidate_directory, false);
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
