#include <fmt/format.h>

#include <tensorpath/forge/claims.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath::forge {
namespace {

// Times that say one thing; the other words say that there is nothing to claim.
bool is_an_answer(const Json& decision) {
  return decision == name_of(Speed::kFast) || decision == name_of(Speed::kSlow) ||
         decision == name_of(Speed::kSame);
}

Json claim(std::string text, const LedgerEntry& basis) {
  return {
      {"claim", std::move(text)},
      {"provenance", "measured"},
      {"basis", {{"event", event_name(basis.event)}, {"line", basis.seq}, {"hash", basis.hash}}}};
}

std::string text_of(const Json& object, const char* key) {
  return object.at(key).get<std::string>();
}

std::string verified_text(const Json& task, const Json& validation) {
  const Json& cases = validation.at("cases");
  return fmt::format(
      "all {} hidden cases of {} in {} agree with the float64 reference within its bound, element "
      "by element ({} elements), on {} {}",
      cases.at("compared").get<std::int64_t>(), text_of(task, "op"), text_of(task, "dtype"),
      cases.at("elements").get<std::int64_t>(), text_of(task, "device"),
      text_of(task, "architecture"));
}

std::string baselines_of(const Json& run) {
  std::string names;
  for (const Json& arm : run.at("plan").at("arms")) {
    const std::string name = text_of(arm, "name");
    if (name == "candidate" || !arm.at("denominator").get<bool>() || arm.contains("absent")) {
      continue;
    }
    names += names.empty() ? name : ", " + name;
  }
  return names;
}

std::string timed_text(const Json& run) {
  const Json& ratio = run.at("ratio");
  return fmt::format(
      "{}: time of the strongest baseline ({}) over the candidate's is {:.3f}, 95% interval {:.3f} "
      "to {:.3f}, cold, {} pairs in {} rounds, {} of them disturbed and left out",
      text_of(run, "decision"), baselines_of(run), ratio.at("value").get<double>(),
      ratio.at("low").get<double>(), ratio.at("high").get<double>(),
      run.at("pairs").get<std::int64_t>(), run.at("rounds").get<std::int64_t>(),
      run.at("dropped_pairs").get<std::int64_t>());
}

std::string promoted_text(const Json& performance) {
  std::string text = "promoted: every gate and a measurement anew carried it";
  if (!performance.is_object() || performance.at("promotion").is_null()) return text;
  const Json& pooled = performance.at("promotion");
  const Json& ratio = pooled.at("ratio");
  return text + fmt::format("; ratio {:.3f}, 95% interval {:.3f} to {:.3f}, {} pairs in {} rounds",
                            ratio.at("value").get<double>(), ratio.at("low").get<double>(),
                            ratio.at("high").get<double>(), pooled.at("pairs").get<std::int64_t>(),
                            pooled.at("rounds").get<std::int64_t>());
}

}  // namespace

Json claims_of(const LedgerHistory& ledger, int attempt, const Json& task, const Json& validation,
               const Json& performance) {
  Json claims = Json::array();
  const auto state = ledger.state_of(attempt);
  if (!state || !holds_verdict(state->state)) return claims;
  for (const LedgerEntry* entry : ledger.entries_of(attempt)) {
    if (entry->event == LedgerEvent::kVerified && !validation.at("cases").is_null()) {
      claims.push_back(claim(verified_text(task, validation), *entry));
    }
    if (entry->event == LedgerEvent::kBenched && performance.is_object()) {
      for (const Json& run : performance.at("runs")) {
        if (run.at("ledger_line") != entry->seq || !is_an_answer(run.at("decision"))) continue;
        claims.push_back(claim(timed_text(run), *entry));
      }
    }
    if (entry->event == LedgerEvent::kPromoted) {
      claims.push_back(claim(promoted_text(performance), *entry));
    }
  }
  return claims;
}

std::vector<std::string> claim_sentences(const Json& claims, std::string_view outcome) {
  std::vector<std::string> sentences;
  const auto state = find_event(outcome);
  if (!state || !holds_verdict(*state)) return sentences;
  for (const Json& one : claims) sentences.push_back(one.at("claim").get<std::string>());
  return sentences;
}

}  // namespace tensorpath::forge
