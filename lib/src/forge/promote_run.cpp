#include "packet_files.h"
#include "pooled.h"
#include "promoted_entry.h"
#include "promotion.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/harness_digest.h>
#include <tensorpath/forge/bench_run.h>
#include <tensorpath/forge/create_run.h>
#include <tensorpath/registry/store.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kPacketDirectory = "packet";
constexpr std::string_view kCandidate = "candidate/";

// In the words of the sandbox's report: what stands between a candidate and its judge must be
// whole.
const std::string kWholeSandbox = to_string(SandboxLevel::kNamespaces);

const LedgerEntry* last_of(const LedgerHistory& history, int attempt, LedgerEvent event) {
  const LedgerEntry* found = nullptr;
  for (const LedgerEntry* entry : history.entries_of(attempt)) {
    if (entry->event == event) found = entry;
  }
  return found;
}

bool is_for_promotion(const LedgerEntry& entry) {
  return entry.event == LedgerEvent::kBenched &&
         entry.data.value(kPurpose, std::string()) == kForPromotion;
}

Expected<int> attempt_to_promote(const LedgerHistory& history, int wanted) {
  const int last = wanted > 0 ? wanted : history.attempts();
  for (int attempt = last; attempt >= 1; --attempt) {
    const auto state = history.state_of(attempt);
    if (!state) return tl::unexpected(state.error());
    if (!holds_verdict(state->state)) {
      if (wanted == 0) continue;
      return fail(ExitCode::kUsage,
                  fmt::format("{}: it cannot be promoted", state_sentence(*state)),
                  "what passed every gate and was timed can");
    }
    if (state->state == LedgerEvent::kVerified) {
      return fail(ExitCode::kUsage, fmt::format("{}: it is too early", state_sentence(*state)),
                  "tensorpath forge bench comes first");
    }
    return attempt;
  }
  return fail(ExitCode::kUsage, "this run has no attempt that passed every gate",
              "tensorpath forge verify comes first");
}

class Promotion {
 public:
  Promotion(const RunDirectory& run, Ledger& ledger, const Operators& operators,
            const KernelTask& task, const PromoteRequest& request, int attempt)
      : run_(run),
        ledger_(ledger),
        operators_(operators),
        task_(task),
        request_(request),
        attempt_(attempt) {
    out_.attempt = attempt;
  }

  Expected<PromotedAttempt> run(const Judges& judges, const BenchOptions& options,
                                const SigningKey* key) {
    const auto before = ledger_.history().state_of(attempt_);
    if (!before) return tl::unexpected(before.error());
    const bool decided = before->state == LedgerEvent::kPromoted;
    if (!decided) {
      if (Status done = decide(judges, options); !done) {
        return tl::unexpected(done.error());
      }
    }
    const auto state = ledger_.history().state_of(attempt_);
    if (!state) return tl::unexpected(state.error());
    out_.state = state_sentence(*state);
    out_.promoted = state->state == LedgerEvent::kPromoted;
    if (decided) out_.entry = published();
    if (state->state == LedgerEvent::kRejected || !out_.entry.empty()) return std::move(out_);
    if (Status told = tell(key); !told) return tl::unexpected(told.error());
    return std::move(out_);
  }

 private:
  // Leaves the attempt promoted, refused or rejected.
  Status decide(const Judges& judges, const BenchOptions& options) {
    auto why = gate_obstacle();
    if (!why) return tl::unexpected(why.error());
    if (why->empty()) {
      auto measured = measure(run_, ledger_, attempt_, kForPromotion, judges.bench, options);
      if (!measured) return tl::unexpected(measured.error());
      out_.measured = true;
      out_.report = std::move(measured->report);
      if (out_.report.failure != Failure::kNone) {
        out_.reason = fmt::format("{}: {}", name_of(out_.report.failure), out_.report.detail);
        return {};
      }
      if (Status pooled = pool(); !pooled) return pooled;
      if (Status audited = audit(judges.verify, options); !audited) return audited;
      if (!out_.reason.empty()) return {};  // rejected
      why = timing_obstacle();
    }
    out_.reason = *why;
    const auto state = ledger_.history().state_of(attempt_);
    if (!state) return tl::unexpected(state.error());
    const auto event = why->empty() ? LedgerEvent::kPromoted : LedgerEvent::kRefused;
    if (!may_follow(state->state, event)) return {};  // refused before, for the same reason
    Json data = {{std::string(kCandidateDigest), state->candidate_digest}};
    if (!audit_.is_null()) data[std::string(kAudit)] = audit_;
    if (!why->empty()) data["reason"] = *why;
    if (const auto entry = ledger_.append(event, attempt_, data, wall_now()); !entry) {
      return tl::unexpected(entry.error());
    }
    return {};
  }

  // What the ledger holds against it, before anything is measured.
  Expected<std::string> gate_obstacle() {
    const LedgerHistory& history = ledger_.history();
    const LedgerEntry& verdict = *last_of(history, attempt_, LedgerEvent::kVerified);
    if (const auto left_out = verdict.data.find("not_run"); left_out != verdict.data.end()) {
      return fmt::format("gates were left out: {}; verify it again with all of them",
                         to_line(*left_out));
    }
    const std::string path = path_join(run_.attempt_path(attempt_), "report.json");
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    if (verdict.data.value(kReportDigest, std::string()) != sha256_hex(*text)) {
      return std::string("report.json is not the one that the ledger knows");
    }
    auto report = parse_json(*text, path);
    if (!report) return tl::unexpected(report.error());
    report_ = std::move(*report);
    const std::string level = report_.at("sandbox").at("level").get<std::string>();
    if (level != kWholeSandbox) {
      return fmt::format(
          "the gates ran in a sandbox of {} only; verify it again with --sandbox "
          "strict",
          level);
    }
    if (history.entries().front().data.value("operator_digest", std::string()) !=
        task_.op->digest) {
      return fmt::format("the operator {} is defined otherwise by now; make a new run",
                         task_.op->name);
    }
    return earlier_measurement(history);
  }

  // Repeats are pooled within an attempt; handing the same files in again must not start anew.
  [[nodiscard]] std::string earlier_measurement(const LedgerHistory& history) const {
    const std::string digest = history.state_of(attempt_)->candidate_digest;
    for (int other = 1; other <= history.attempts(); ++other) {
      if (other == attempt_ || history.state_of(other)->candidate_digest != digest) continue;
      for (const LedgerEntry* entry : history.entries_of(other)) {
        if (!is_for_promotion(*entry)) continue;
        return fmt::format(
            "attempt {} is the same candidate and was measured for a promotion; "
            "repeats are pooled there",
            other);
      }
    }
    return {};
  }

  Status pool() {
    const std::string directory = run_.attempt_path(attempt_);
    std::vector<PromotionSamples> all;
    for (const LedgerEntry* entry : ledger_.history().entries_of(attempt_)) {
      if (!is_for_promotion(*entry)) continue;
      auto samples = samples_of(directory, entry->data.at(std::string(kSamplesDigest)));
      if (!samples) return tl::unexpected(samples.error());
      all.push_back(std::move(*samples));
    }
    const PooledTiming pooled = pool_measurements(all);
    out_.measurements = static_cast<int>(pooled.directories.size());
    out_.report.timing = pooled.timing;
    return {};
  }

  static Expected<PromotionSamples> samples_of(const std::string& attempt, const Json& digest) {
    for (const std::string& name : list_directories(attempt)) {
      const std::string path = path_join(path_join(attempt, name), "samples.bin");
      if (!name.starts_with("bench-") || !file_exists(path)) continue;
      const auto bytes = read_file(path);
      if (!bytes) return tl::unexpected(bytes.error());
      if (sha256_hex(*bytes) != digest) continue;
      const auto report = read_json_file(path_join(path_join(attempt, name), "bench.json"));
      if (!report) return tl::unexpected(report.error());
      auto plan = read_timing_plan(report->value("plan", Json()));
      if (!plan) return tl::unexpected(plan.error());
      auto samples = read_samples(*bytes, path, *plan);
      if (!samples) return tl::unexpected(samples.error());
      return PromotionSamples{name, std::move(*plan), std::move(*samples),
                              read_floors(report->at("cases"))};
    }
    return fail(ExitCode::kUsage,
                "samples that the ledger names are gone: they count, and without "
                "them nothing can be promoted");
  }

  // What is too good to be believed as it is counts once every gate held again, on cases that
  // nobody has seen.
  Status audit(const Verify& verify, const BenchOptions& options) {
    JudgedTiming settled = out_.report.timing;
    settled.held_again = true;
    if (settled.doubt().empty() || !settled.obstacle().empty()) return {};
    const std::string directory = run_.attempt_path(attempt_);
    VerifyOptions again;
    again.sandbox = options.sandbox;
    again.worker = options.worker;
    again.scratch = path_join(directory, "build");
    const auto report = verify(path_join(directory, "candidate"), again);
    std::error_code ignored;
    std::filesystem::remove_all(again.scratch, ignored);
    if (!report) return tl::unexpected(report.error());
    const std::string text = to_text(report->to_json());
    if (Status kept = write_file_atomic(path_join(directory, std::string(kAuditFile)), text);
        !kept) {
      return kept;
    }
    const auto harness = harness_digest();
    if (!harness) return tl::unexpected(harness.error());
    audit_ = {{"seed", report->seed},
              {"commitment", report->commitment},
              {"cases", report->case_count},
              {std::string(kReportDigest), sha256_hex(text)},
              {std::string(kHarnessDigest), *harness}};
    const bool whole =
        to_string(report->sandbox) == kWholeSandbox &&
        std::all_of(report->gates.begin(), report->gates.end(),
                    [](const auto& gate) { return gate.status == GateReport::Status::kPassed; });
    if (report->passed) {
      out_.report.timing.held_again = whole;
      if (!whole) audit_ = nullptr;
      return {};
    }
    out_.reason = fmt::format("{}: {}; every gate was run again because {}",
                              name_of(report->failure), report->detail, settled.doubt());
    const auto entry = ledger_.append(
        LedgerEvent::kRejected, attempt_,
        {{std::string(kFailureClass), name_of(report->failure)}, {std::string(kAudit), audit_}},
        wall_now());
    return entry ? Status{} : tl::unexpected(entry.error());
  }

  [[nodiscard]] std::string timing_obstacle() const {
    const std::string verified_with = report_.at("toolchain").get<std::string>();
    if (const std::string& timed_with = out_.report.toolchains.front();
        timed_with != verified_with) {
      return fmt::format("it was verified as built by {} and timed as built by {}: verify it again",
                         verified_with, timed_with);
    }
    return out_.report.obstacle();
  }

  // The packet, and of what was promoted the entry.
  Status tell(const SigningKey* key) {
    PacketRequest request;
    request.version = request_.version;
    request.created = request_.created;
    const auto packet = packet_of(run_, ledger_.history(), operators_, attempt_, request);
    if (!packet) return tl::unexpected(packet.error());
    out_.packet = next_packet(run_.attempt_path(attempt_));
    if (Status written = write_packet(out_.packet, *packet, key); !written) return written;
    return out_.promoted ? publish(*packet, key != nullptr) : Status{};
  }

  [[nodiscard]] std::string published() const {
    const registry::Registry known = registry::load({request_.registry}, {{}, false});
    for (const registry::Entry& entry : known.entries) {
      if (entry.run_id == run_.id() && entry.attempt == attempt_) return entry.id;
    }
    return {};
  }

  Status publish(const Packet& packet, bool is_signed) {
    std::vector<registry::EntryFile> files;
    const auto packet_path = [](std::string_view name) {
      return fmt::format("{}/{}", kPacketDirectory, name);
    };
    for (const PacketFile& file : packet.files()) {
      files.push_back({packet_path(file.path), file.contents});
      if (file.path.starts_with(kCandidate)) {
        files.push_back({file.path.substr(kCandidate.size()), file.contents});
      }
    }
    for (const std::string_view name : {kPacketFile, kEnvelopeFile}) {
      if (name == kEnvelopeFile && !is_signed) continue;
      auto text = read_file(path_join(out_.packet, std::string(name)));
      if (!text) return tl::unexpected(text.error());
      files.push_back({packet_path(name), std::move(*text)});
    }
    auto entry = promoted_entry(
        task_, packet.predicate(), request_.here,
        parse_utc(last_of(ledger_.history(), attempt_, LedgerEvent::kPromoted)->time).value());
    if (!entry) return tl::unexpected(entry.error());
    entry->packet = packet_path(kPacketFile);
    const auto named = std::find_if(files.begin(), files.end(),
                                    [&](const auto& file) { return file.path == entry->packet; });
    entry->packet_sha256 = sha256_hex(named->contents);
    auto id = registry::publish(request_.registry, std::move(*entry), files);
    if (!id) return tl::unexpected(id.error());
    out_.entry = std::move(*id);
    return {};
  }

  const RunDirectory& run_;
  Ledger& ledger_;
  const Operators& operators_;
  const KernelTask& task_;
  const PromoteRequest& request_;
  int attempt_;
  Json report_;  // of the gates
  Json audit_;   // null: none was due
  PromotedAttempt out_;
};

}  // namespace

Expected<PromotedAttempt> promote_with(const RunDirectory& run, const Operators& operators,
                                       const PromoteRequest& request, const Judges& judges,
                                       const BenchOptions& options, const SigningKey* key) {
  const auto lock = run.lock("promote");
  if (!lock) return tl::unexpected(lock.error());
  auto ledger = run.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  const auto task = task_of(run, operators);
  if (!task) return tl::unexpected(task.error());
  const auto attempt = attempt_to_promote(ledger->history(), request.attempt);
  if (!attempt) return tl::unexpected(attempt.error());
  return Promotion(run, *ledger, operators, *task, request, *attempt).run(judges, options, key);
}

Expected<PromotedAttempt> promote_run(const RunDirectory& run, const Operators& operators,
                                      const PromoteRequest& request,
                                      const std::vector<std::string>& baselines,
                                      const BenchOptions& options, const SigningKey* key) {
  const auto task = task_of(run, operators);
  if (!task) return tl::unexpected(task.error());
  const auto sources = find_baselines(*task, baselines);
  const Judges judges{[&](const std::string& candidate, const BenchOptions& with) {
                        return bench(*task, candidate, sources, with);
                      },
                      [&](const std::string& candidate, const VerifyOptions& with) {
                        return verify(*task, candidate, with);
                      }};
  return promote_with(run, operators, request, judges, options, key);
}

}  // namespace tensorpath::forge
