#include "bench_arms.h"

#include "library_arms.h"
#include "torch_worker.h"
#include "vendor_library.h"

#include <map>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

VerifyOptions candidate_options(const ArmWorkshop& workshop) {
  VerifyOptions options;
  options.sandbox = workshop.options.sandbox;
  options.worker = workshop.options.worker;
  options.threads = workshop.threads;
  return options;
}

VerifyOptions baseline_options(const ArmWorkshop& workshop,
                               const std::optional<LibraryArm>& library = std::nullopt) {
  VerifyOptions options = candidate_options(workshop);
  options.baseline = true;
  options.library = library;
  return options;
}

Expected<std::unique_ptr<Arm>> build_arm(const ArmWorkshop& workshop, const std::string& name,
                                         const std::string& directory, VerifyOptions options) {
  const Device& device = workshop.device;
  auto arm = std::make_unique<Arm>();
  arm->name = name;
  arm->options = std::move(options);
  arm->scratch = path_join(workshop.scratch, name);
  Refusal refusal;
  auto candidate = arm->options.baseline ? read_baseline(directory, workshop.task, refusal,
                                                         arm->options.library.has_value())
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

Expected<bool> holds(const ArmWorkshop& workshop, const BaselineSource& source,
                     const std::optional<LibraryArm>& library) {
  if (!workshop.bench_defences.verify_baselines) return true;
  const BenchOptions& options = workshop.options;
  if (options.on_step) options.on_step(fmt::format("verifying the baseline {}", source.name));
  VerifyOptions verify_options = baseline_options(workshop, library);
  verify_options.sanitizers = false;
  const auto verdict = verify(workshop.task, source.directory, verify_options);
  if (!verdict) return tl::unexpected(verdict.error());
  if (!verdict->passed && options.on_step) {
    options.on_step(fmt::format("the baseline {} does not pass verify ({}: {})", source.name,
                                name_of(verdict->failure), verdict->detail));
  }
  return verdict->passed;
}

std::unique_ptr<Arm> absent_arm(const std::string& name, const std::string& why) {
  auto arm = std::make_unique<Arm>();
  arm->name = name;
  arm->absent = why;
  return arm;
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
  if (source.directory.empty()) return absent_arm(source.name, source.absent);
  auto arm = build_arm(workshop, source.name, source.directory, baseline_options(workshop));
  if (!arm) return arm;
  auto absence = absence_of(workshop, **arm);
  if (!absence) return tl::unexpected(absence.error());
  (*arm)->absent = std::move(*absence);
  if (!(*arm)->absent.empty()) return arm;
  const auto verified = holds(workshop, source, std::nullopt);
  if (!verified) return tl::unexpected(verified.error());
  (*arm)->denominator = *verified;
  return arm;
}

// The library arms of one benchmark: whether there is a library is asked once, and arms that call
// the same function are verified once.
class LibraryArms {
 public:
  explicit LibraryArms(const ArmWorkshop& workshop) : workshop_(workshop) {}

  [[nodiscard]] std::unique_ptr<Arm> make(const BaselineSource& source) {
    if (!library_) library_ = find(source);
    if (!*library_) return absent_arm(source.name, reason_of(library_->error()));
    const LibraryArm library{source.name, path_join(workshop_.scratch, "compiled")};
    const auto verified = verify_once(source);
    if (!verified) return absent_arm(source.name, reason_of(verified.error()));
    auto arm =
        build_arm(workshop_, source.name, source.directory, baseline_options(workshop_, library));
    if (!arm) return absent_arm(source.name, reason_of(arm.error()));
    const Refusal& refusal = (*arm)->built.refusal;
    if (refusal.failure != Failure::kNone) {
      (*arm)->absent = "it does not build: " + refusal.detail;
      return std::move(*arm);
    }
    (*arm)->built.toolchain += ": " + **library_;
    say(fmt::format("timing the baseline {} for once", source.name));
    const Rehearsal rehearsal = rehearse(*(*arm)->subject, (*arm)->built, *workshop_.timed);
    (*arm)->absent = rehearsal.failed;
    if (!rehearsal.failed.empty()) {
      say(fmt::format("the baseline {} is absent: {}", source.name, rehearsal.failed));
    } else if (!rehearsal.wrong.empty()) {
      say(fmt::format("what the baseline {} computes is wrong: {}", source.name, rehearsal.wrong));
    }
    const bool right = rehearsal.wrong.empty() || !workshop_.bench_defences.verify_baselines;
    (*arm)->denominator = *verified && right;
    return std::move(*arm);
  }

 private:
  [[nodiscard]] Expected<std::string> find(const BaselineSource& source) const {
    say(fmt::format("looking for the library of {}", source.name));
    return find_library(workshop_.options);
  }

  [[nodiscard]] Expected<bool> verify_once(const BaselineSource& source) {
    const std::string as = verified_as(source.name);
    const auto known = verified_.find(as);
    if (known != verified_.end()) return known->second;
    return verified_.emplace(as, holds(workshop_, source, LibraryArm{as, {}})).first->second;
  }

  void say(const std::string& step) const {
    if (workshop_.options.on_step) workshop_.options.on_step(step);
  }

  const ArmWorkshop& workshop_;
  std::optional<Expected<std::string>> library_;  // what it says of itself
  std::map<std::string, Expected<bool>> verified_;
};

}  // namespace

Expected<std::vector<std::unique_ptr<Arm>>> make_arms(
    const ArmWorkshop& workshop, const std::string& candidate_directory,
    const std::vector<BaselineSource>& baselines) {
  std::vector<std::unique_ptr<Arm>> arms;
  auto candidate =
      build_arm(workshop, "candidate", candidate_directory, candidate_options(workshop));
  if (!candidate) return tl::unexpected(candidate.error());
  arms.push_back(std::move(*candidate));
  LibraryArms libraries(workshop);
  for (const BaselineSource& source : baselines) {
    if (is_library(workshop.task, source)) {
      arms.push_back(libraries.make(source));
      continue;
    }
    auto arm = make_baseline(workshop, source);
    if (!arm) return tl::unexpected(arm.error());
    arms.push_back(std::move(*arm));
  }
  return arms;
}

}  // namespace tensorpath
