#include "measurement.h"

#include <algorithm>
#include <cmath>

#include <tensorpath/forge/run_directory.h>
#include <tensorpath/forge/run_set.h>

namespace tensorpath::forge {
namespace {

// An attempt that holds says more of a run than a later one that does not.
AttemptState standing_of(const LedgerHistory& ledger) {
  for (int attempt = ledger.attempts(); attempt >= 1; --attempt) {
    const auto state = ledger.state_of(attempt);
    if (state && holds_verdict(state->state)) return *state;
  }
  return ledger.latest();
}

const LedgerEntry* timing_of(const LedgerHistory& ledger, int attempt) {
  const LedgerEntry* found = nullptr;
  bool for_promotion = false;
  for (const LedgerEntry* entry : ledger.entries_of(attempt)) {
    if (entry->event != LedgerEvent::kBenched || !entry->data.contains("ratio")) continue;
    const bool promotes = entry->data.value(kPurpose, std::string()) == kForPromotion;
    if (found == nullptr || promotes >= for_promotion) found = entry;
    for_promotion = for_promotion || promotes;
  }
  return found;
}

bool is_an_answer(const std::string& decision) {
  return decision == name_of(Speed::kFast) || decision == name_of(Speed::kSlow) ||
         decision == name_of(Speed::kSame) || decision == name_of(Speed::kAmbiguous);
}

RunResult result_of(const std::string& id, const LedgerHistory& ledger) {
  RunResult result{
      id, ledger.entries().front().data.value("op", std::string()), standing_of(ledger), {}, {}};
  if (!holds_verdict(result.state.state)) return result;
  const LedgerEntry* timing = timing_of(ledger, result.state.attempt);
  if (timing == nullptr) return result;
  result.decision = timing->data.value("decision", std::string());
  const auto number = [&](const char* key) { return timing->data.value(key, 0.0); };
  const Interval ratio{number("ratio"), number("low"), number("high")};
  if (is_an_answer(result.decision) && ratio.value > 0) result.ratio = ratio;
  return result;
}

Json number_or_null(bool known, double value) { return known ? json_number(value) : Json(nullptr); }

}  // namespace

RatioDistribution RunSet::distribution() const {
  RatioDistribution out;
  std::vector<double> ratios;
  double logarithms = 0;
  for (const RunResult& one : results) {
    if (one.state.attempt == 0) continue;
    ++out.runs;
    if (!one.ratio) continue;
    ratios.push_back(one.ratio->value);
    logarithms += std::log(one.ratio->value);
    for (std::size_t i = 0; i < kShareRatios.size(); ++i) {
      if (one.ratio->low > kShareRatios[i]) out.shares[i] += 1;
    }
  }
  for (double& share : out.shares) share /= std::max(out.runs, 1);
  if (ratios.empty()) return out;
  std::sort(ratios.begin(), ratios.end());
  out.timed = static_cast<int>(ratios.size());
  out.geomean = std::exp(logarithms / out.timed);
  out.median = quantile(ratios, 0.5);
  out.worst = ratios.front();
  out.best = ratios.back();
  return out;
}

Json RunSet::to_json() const {
  const RatioDistribution all = distribution();
  Json shares = Json::array();
  for (std::size_t i = 0; i < kShareRatios.size(); ++i) {
    shares.push_back(
        {{"above", kShareRatios[i]}, {"share", number_or_null(all.runs > 0, all.shares[i])}});
  }
  const bool timed = all.timed > 0;
  Json runs = Json::array();
  for (const RunResult& one : results) {
    runs.push_back({{"run_id", one.run_id},
                    {"op", one.op},
                    {"attempt", one.state.attempt},
                    {"state", event_name(one.state.state)},
                    {"decision", one.decision.empty() ? Json(nullptr) : Json(one.decision)},
                    {"ratio", one.ratio ? Json{{"value", json_number(one.ratio->value)},
                                               {"low", json_number(one.ratio->low)},
                                               {"high", json_number(one.ratio->high)}}
                                        : Json(nullptr)}});
  }
  return {{"runs", runs},
          {"unreadable", unreadable},
          {"distribution",
           {{"runs", all.runs},
            {"timed", all.timed},
            {"shares", shares},
            {"geomean", number_or_null(timed, all.geomean)},
            {"median", number_or_null(timed, all.median)},
            {"worst", number_or_null(timed, all.worst)},
            {"best", number_or_null(timed, all.best)}}}};
}

Expected<RunSet> read_run_set(const std::string& root, const std::string& op) {
  const auto ids = list_runs(root);
  if (!ids) return tl::unexpected(ids.error());
  RunSet set;
  for (const std::string& id : *ids) {
    const auto run = RunDirectory::open(root, id);
    const auto ledger = run ? run->read_ledger() : tl::unexpected(run.error());
    if (!ledger) {
      set.unreadable.push_back(id);
      continue;
    }
    RunResult result = result_of(id, *ledger);
    if (op.empty() || result.op == op) set.results.push_back(std::move(result));
  }
  return set;
}

}  // namespace tensorpath::forge
