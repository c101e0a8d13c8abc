#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include <tensorpath/forge/attempt_state.h>

namespace tensorpath::forge {
namespace {

// In the order of LedgerEvent.
constexpr std::array<std::string_view, kLedgerEvents.size()> kNames{
    "created", "proposed", "compiled", "smoke_passed", "verified", "rejected",
    "benched", "promoted", "refused",  "abandoned",    "void",     "recovered"};

// Words that say more than a state without a verdict holds, folded as `folded` does.
constexpr std::array<std::string_view, 17> kClaims{
    "verified",  "verifiably", "validated", "correct", "proven",    "proved",
    "certified", "guaranteed", "passed",    "passes",  "promoted",  "faster",
    "fastest",   "quicker",    "speedup",   "spedup",  "outperform"};

constexpr std::size_t kLongestFailureClass = 64;

// ASCII letters and digits in lower case, fullwidth ones as if they were ASCII; the rest is
// dropped.
std::string folded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    const auto byte = [&](std::size_t k) {
      return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U;
    };
    if (byte(i) == 0xEF && byte(i + 1) == 0xBC && byte(i + 2) >= 0xA1 && byte(i + 2) <= 0xBA) {
      c = static_cast<char>('a' + (byte(i + 2) - 0xA1));
      i += 2;
    } else if (byte(i) == 0xEF && byte(i + 1) == 0xBD && byte(i + 2) >= 0x81 &&
               byte(i + 2) <= 0x9A) {
      c = static_cast<char>('a' + (byte(i + 2) - 0x81));
      i += 2;
    }
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
  }
  return out;
}

std::string rejected_text(const std::string& failure_class) {
  return is_failure_class(failure_class) ? fmt::format("rejected ({})", failure_class)
                                         : std::string("rejected");
}

}  // namespace

std::string_view event_name(LedgerEvent event) { return kNames[static_cast<std::size_t>(event)]; }

std::optional<LedgerEvent> find_event(std::string_view name) {
  const auto* const found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return kLedgerEvents[static_cast<std::size_t>(found - kNames.begin())];
}

bool may_follow(LedgerEvent now, LedgerEvent next) {
  using enum LedgerEvent;
  switch (now) {
    case kCreated:
      return next == kProposed || next == kAbandoned;
    case kProposed:
      return next == kCompiled || next == kRejected || next == kAbandoned || next == kVoid;
    case kCompiled:
      return next == kSmokePassed || next == kRejected || next == kAbandoned || next == kVoid;
    case kSmokePassed:
      return next == kVerified || next == kRejected || next == kAbandoned || next == kVoid;
    case kVerified:
      return next == kBenched || next == kRejected || next == kAbandoned;
    case kBenched:
      return next == kBenched || next == kPromoted || next == kRefused || next == kRejected ||
             next == kAbandoned;
    case kRefused:
      // Measured again; what was measured before still counts.
      return next == kBenched || next == kRejected || next == kAbandoned;
    case kRejected:
    case kPromoted:
    case kAbandoned:
    case kVoid:
    case kRecovered:
      return false;
  }
  return false;
}

bool is_final(LedgerEvent state) {
  return std::none_of(kLedgerEvents.begin(), kLedgerEvents.end(),
                      [&](LedgerEvent next) { return may_follow(state, next); });
}

bool holds_verdict(LedgerEvent state) {
  using enum LedgerEvent;
  return state == kVerified || state == kBenched || state == kPromoted || state == kRefused;
}

bool is_failure_class(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kLongestFailureClass && name.front() >= 'a' &&
         name.front() <= 'z' && std::all_of(name.begin(), name.end(), allowed) &&
         find_claim(name).empty();
}

std::string state_sentence(const AttemptState& state) {
  using enum LedgerEvent;
  const std::string subject = state.attempt == 0 ? "run" : fmt::format("attempt {}", state.attempt);
  const auto say = [&](std::string_view text) { return fmt::format("{}: {}", subject, text); };
  switch (state.state) {
    case kCreated:
      return say("created, no candidate yet");
    case kProposed:
      return say("candidate handed in, not compiled");
    case kCompiled:
      return say("compiled, nothing checked");
    case kSmokePassed:
      return say("agrees with the public cases, hidden cases not run");
    case kVerified:
      return say("verified on every hidden case, not timed");
    case kRejected:
      return say(rejected_text(state.failure_class));
    case kBenched:
      return say("verified and timed, not decided on");
    case kPromoted:
      return say("verified, timed and promoted");
    case kRefused:
      return say("verified and timed, promotion refused");
    case kAbandoned:
      return say("abandoned");
    case kVoid:
      return say("void, stopped before it had an outcome");
    case kRecovered:
      break;
  }
  return say("not known");
}

std::string find_claim(std::string_view text) {
  const std::string plain = folded(text);
  for (const std::string_view claim : kClaims) {
    if (plain.find(claim) != std::string::npos) return std::string(claim);
  }
  return {};
}

}  // namespace tensorpath::forge
