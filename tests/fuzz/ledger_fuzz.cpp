// parse_ledger: no input may crash or hang, and what it takes keeps the promises of a ledger.
// The input is read as it is, and once more with each line's hash made right (and @prev in it
// replaced by the hash before), so that the chain does not hide what is behind it.
#include <cstdlib>
#include <string>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/ledger.h>

namespace {

using namespace tensorpath;
using namespace tensorpath::forge;

void must(bool holds) {
  if (!holds) std::abort();
}

std::string chained(std::string_view text) {
  constexpr std::string_view kPrev = "@prev";
  std::string out;
  std::string head(64, '0');
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return out.append(text);
    std::string line(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (const std::size_t at = line.find(kPrev); at != std::string::npos) {
      line.replace(at, kPrev.size(), head);
    }
    head = sha256_hex(line);
    if (line.ends_with('}')) {
      line.pop_back();
      line += ",\"hash\":\"" + head + "\"}";
    }
    out += line + '\n';
  }
  return out;
}

// Each attempt came to where it is by allowed moves, with one candidate.
void check_attempt(const LedgerHistory& ledger, int attempt) {
  const auto state = ledger.state_of(attempt);
  must(state.has_value());
  LedgerEvent now = LedgerEvent::kCreated;
  bool smoke_passed = false;
  for (const LedgerEntry* entry : ledger.entries_of(attempt)) {
    if (entry->event == LedgerEvent::kCreated || entry->event == LedgerEvent::kRecovered) continue;
    must(may_follow(now, entry->event));
    now = entry->event;
    const bool same = entry->data.value("candidate_digest", "") == state->candidate_digest;
    if (now == LedgerEvent::kSmokePassed) smoke_passed = same;
    if (now == LedgerEvent::kVerified) must(smoke_passed && same);
  }
  must(now == state->state);
  const std::string sentence = state_sentence(*state);
  must(!sentence.empty());
  must(holds_verdict(now) || find_claim(sentence).empty());
}

void check(std::string_view text) {
  const auto ledger = parse_ledger(text, "fuzz.jsonl");
  if (!ledger) {
    must(!ledger.error().to_string().empty());
    must(ledger.error().diagnostics.front().where.line > 0);
    return;
  }
  must(ledger->torn_bytes() < text.size());
  must(ledger->entries().front().event == LedgerEvent::kCreated);
  must(ledger->entries().back().hash == ledger->head());
  for (std::size_t i = 0; i < ledger->entries().size(); ++i) {
    must(static_cast<std::size_t>(ledger->entries()[i].seq) == i + 1);
  }
  for (int attempt = 0; attempt <= ledger->attempts(); ++attempt) check_attempt(*ledger, attempt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(chained(text));
  return 0;
}
