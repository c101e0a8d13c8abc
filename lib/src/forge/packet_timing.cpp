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
Status check_ledger(const LedgerEntry& entry, const TimingStatistic& statistic,
                    const std::string& directory) {
  const Json expected = {{"decision", name_of(decide(statistic))},
                         {"ratio", json_number(statistic.ratio.value)},
                         {"low", json_number(statistic.ratio.low)},
                         {"high", json_number(statistic.ratio.high)}};
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
  const TimingStatistic statistic = compute_statistic(*plan, *samples);
  if (const Status fine = check_ledger(entry, statistic, directory); !fine) {
    return tl::unexpected(fine.error());
  }
  const auto harness = entry.data.find(kHarnessDigest);
  Json run = {{"directory", directory},
              {"purpose", entry.data.value(kPurpose, std::string("bench"))},
              {"ledger_line", entry.seq},
              {"harness_digest", harness == entry.data.end() ? Json(nullptr) : *harness},
              {"samples_digest", sha256_hex(samples_bytes)},
              {"samples", samples->size()}};
  const std::vector<Roofline> rooflines = hold_against(read_floors(report), statistic);
  Json follows = to_json(*plan, statistic);
  for (std::size_t i = 0; i < rooflines.size(); ++i) {
    follows["cases"][i]["roofline"] = to_json(rooflines[i]);
  }
  follows["promotion"] = promotion_json(promotion_obstacle(*plan, statistic, rooflines));
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
      promotion.push_back({directory, *plan, std::move(*read), read_floors(*report)});
    }
  }
  // Timings of a candidate that does not hold are nobody's.
  if (!runs.empty() && holds_verdict(files.state.state)) {
    out.performance = {
        {"runs", runs},
        {"promotion", promotion.empty() ? Json(nullptr) : to_json(pool_measurements(promotion))}};
  }
  return out;
}

}  // namespace tensorpath::forge
