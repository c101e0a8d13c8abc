// The block `performance`: nothing in it is taken from bench.json that follows from the samples.
#include "measurement.h"
#include "packet_blocks.h"
#include "pooled.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/quote.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kSamples = "/samples.bin";

tl::unexpected<Error> differs(const std::string& directory, const std::string& what) {
  return fail_at({directory + "/bench.json", 0, 0},
                 what + " does not follow from samples.bin beside it");
}

// The ledger's own words on a run, where it has any.
Status check_ledger(const LedgerEntry& entry, const JudgedTiming& timing,
                    const std::string& directory) {
  const Interval& ratio = timing.statistic.ratio;
  const Json expected = {{"decision", timing.word()},
                         {"ratio", json_number(ratio.value)},
                         {"low", json_number(ratio.low)},
                         {"high", json_number(ratio.high)}};
  for (const auto& [key, value] : expected.items()) {
    if (!entry.data.contains(key) || entry.data.at(key) == value) continue;
    return fail_at({"ledger.jsonl", entry.seq, 0},
                   fmt::format("{} is {}, and from {} follows {}", key, to_line(entry.data.at(key)),
                               directory + "/samples.bin", to_line(value)));
  }
  return {};
}

Expected<Json> timed_run(const std::string& directory, const Json& report,
                         const std::string& samples_bytes, const LedgerEntry& entry) {
  const auto plan = read_timing_plan(report.at("plan"));
  if (!plan) return tl::unexpected(plan.error());
  const auto samples = read_samples(samples_bytes, directory + std::string(kSamples), *plan);
  if (!samples) return tl::unexpected(samples.error());
  const JudgedTiming timing = judge_timing(*plan, *samples, read_floors(report.at("cases")));
  if (const Status fine = check_ledger(entry, timing, directory); !fine) {
    return tl::unexpected(fine.error());
  }
  const auto harness = entry.data.find(kHarnessDigest);
  Json run = {{"directory", directory},
              {"purpose", entry.data.value(kPurpose, std::string("bench"))},
              {"ledger_line", entry.seq},
              {"harness_digest", harness == entry.data.end() ? Json(nullptr) : *harness},
              {"samples_digest", sha256_hex(samples_bytes)},
              {"samples", samples->size()}};
  Json follows = to_json(timing);
  follows["plan"] = to_json(*plan);
  for (const auto& [key, value] : follows.items()) {
    if (!report.contains(key)) return differs(directory, "/" + key);
    const std::string place = first_difference(value, report.at(key), "/" + key);
    if (!place.empty()) return differs(directory, place);
    run[key] = value;
  }
  for (const char* key : {"method", "checked_calls", "empty_call_us", "stop_us"}) {
    run[key] = report.at(key);
  }
  return run;
}

// The file of samples that a line of the ledger names; null: it is not here.
const PacketFile* samples_of(const AttemptFiles& files, const LedgerEntry& entry) {
  const auto digest = entry.data.find(kSamplesDigest);
  if (digest == entry.data.end()) return nullptr;
  const auto& all = files.sources.files;
  const auto found = std::find_if(all.begin(), all.end(), [&](const PacketFile& file) {
    return file.path.ends_with(kSamples) && sha256_hex(file.contents) == *digest;
  });
  return found == all.end() ? nullptr : &*found;
}

Expected<Json> read_bench(const AttemptFiles& files, const std::string& directory) {
  const std::string path = directory + "/bench.json";
  const std::string* text = files.find(path);
  if (text == nullptr) return fail_at({path, 0, 0}, "is not there, and its samples are");
  auto report = parse_json(*text, path);
  if (!report) return report;
  if (report->at("candidate_digest") != files.state.candidate_digest) {
    return fail_at({path, 0, 0}, "is of another candidate");
  }
  return report;
}

// Of the last decision: that every gate held again, with fresh seeds. Null: there was no audit.
Expected<Json> audit_of(const AttemptFiles& files) {
  const LedgerEntry* decided = files.last(LedgerEvent::kPromoted);
  if (decided == nullptr) decided = files.last(LedgerEvent::kRefused);
  if (decided == nullptr || !decided->data.contains(kAudit)) return Json(nullptr);
  const Json& audit = decided->data.at(std::string(kAudit));
  const auto wrong = [&](const std::string& what) {
    return fail_at({"ledger.jsonl", decided->seq, 0}, what);
  };
  const std::string* text = files.find(kAuditFile);
  if (text == nullptr) return wrong(fmt::format("names an audit, and there is no {}", kAuditFile));
  if (audit.at(std::string(kReportDigest)) != sha256_hex(*text)) {
    return wrong(fmt::format("names another audit than {}", kAuditFile));
  }
  auto report = parse_json(*text, std::string(kAuditFile));
  if (!report) return report;
  if (report->at("passed") != true || report->at("commitment") != audit.at("commitment") ||
      report->at("candidate_digest") != files.state.candidate_digest ||
      audit.at("seed") == files.verdict()->data.value("seed", Json())) {
    return wrong(fmt::format("does not say of the audit what {} says", kAuditFile));
  }
  return audit;
}

}  // namespace

Expected<TimedRuns> timed_runs(const AttemptFiles& files) {
  TimedRuns out;
  std::vector<PromotionSamples> promotion;
  Json runs = Json::array();
  for (const LedgerEntry* entry : files.entries) {
    if (!entry->data.contains(kSamplesDigest)) continue;
    const PacketFile* samples = samples_of(files, *entry);
    if (samples == nullptr) {
      return fail_at({"ledger.jsonl", entry->seq, 0},
                     "names samples that are in none of the files samples.bin");
    }
    const std::string directory = samples->path.substr(0, samples->path.size() - kSamples.size());
    const auto report = read_bench(files, directory);
    if (!report) return tl::unexpected(report.error());
    out.machine = report->at("environment");
    out.toolchains = report->at("toolchains");
    if (entry->event == LedgerEvent::kRejected) {
      out.detail = quote_untrusted(report->at("detail").get<std::string>());
      continue;
    }
    auto run = timed_run(directory, *report, samples->contents, *entry);
    if (!run) return tl::unexpected(run.error());
    runs.push_back(std::move(*run));
    if (entry->data.value(kPurpose, std::string()) == kForPromotion) {
      const auto plan = read_timing_plan(report->at("plan"));
      if (!plan) return tl::unexpected(plan.error());
      auto read = read_samples(samples->contents, samples->path, *plan);
      if (!read) return tl::unexpected(read.error());
      promotion.push_back({directory, *plan, std::move(*read), read_floors(report->at("cases"))});
    }
  }
  // Timings of a candidate that does not hold are nobody's.
  if (runs.empty() || !holds_verdict(files.state.state)) return out;
  Json pooled = nullptr;
  if (!promotion.empty()) {
    const auto audit = audit_of(files);
    if (!audit) return tl::unexpected(audit.error());
    PooledTiming timing = pool_measurements(promotion);
    timing.timing.held_again = !audit->is_null();
    pooled = to_json(timing);
    if (!audit->is_null()) pooled["audit"] = *audit;
  }
  out.performance = {{"runs", runs}, {"promotion", pooled}};
  return out;
}

}  // namespace tensorpath::forge
