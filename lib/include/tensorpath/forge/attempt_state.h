// What may happen to an attempt, in which order, and the words for it.
// An attempt moves forward only. Every word that people read about its state comes from
// state_sentence, which says nothing of correctness or speed that the ledger does not hold.
//
//   created            the run exists (attempt 0, the first line of a ledger)
//   proposed           a candidate was handed in; its digest is fixed from here on
//   compiled           it compiled
//   smoke_passed       it matched the public cases
//   verified           it matched every hidden case
//   benched            it was timed (again and again, if wanted: repeats are pooled)
//   promoted, refused  the decision after benching; a refused one may be timed again
//   rejected           a gate said no: any before `verified`, or a later look at its outputs
//   abandoned          given up by a person or a budget; of attempt 0: no more attempts
//   void               killed before there was a verdict
//   recovered          no state: a torn line was dropped from the ledger (attempt 0)
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tensorpath::forge {

enum class LedgerEvent : std::uint8_t {
  kCreated,
  kProposed,
  kCompiled,
  kSmokePassed,
  kVerified,
  kRejected,
  kBenched,
  kPromoted,
  kRefused,
  kAbandoned,
  kVoid,
  kRecovered,
};

inline constexpr std::array kLedgerEvents{
    LedgerEvent::kCreated,     LedgerEvent::kProposed, LedgerEvent::kCompiled,
    LedgerEvent::kSmokePassed, LedgerEvent::kVerified, LedgerEvent::kRejected,
    LedgerEvent::kBenched,     LedgerEvent::kPromoted, LedgerEvent::kRefused,
    LedgerEvent::kAbandoned,   LedgerEvent::kVoid,     LedgerEvent::kRecovered,
};

// The name in a ledger and in JSON for scripts: "smoke_passed".
[[nodiscard]] std::string_view event_name(LedgerEvent event);
[[nodiscard]] std::optional<LedgerEvent> find_event(std::string_view name);

// Where an attempt stands: its last event. Attempt 0 is the run itself.
struct AttemptState {
  int attempt = 0;
  LedgerEvent state = LedgerEvent::kCreated;  // never kRecovered
  std::string candidate_digest;               // from `proposed` on
  std::string failure_class;                  // of a rejected one
};

// May `next` follow `now` in one attempt? A new attempt stands at kCreated.
[[nodiscard]] bool may_follow(LedgerEvent now, LedgerEvent next);
// Nothing may follow.
[[nodiscard]] bool is_final(LedgerEvent state);
// The candidate matched every hidden case and nothing since took that back: verified, benched,
// promoted or refused.
[[nodiscard]] bool holds_verdict(LedgerEvent state);

// A name of what went wrong: a lowercase letter, then letters, digits and underscores, at most 64
// in all, and no word that find_claim finds ("wrong_result", not "incorrect_result").
[[nodiscard]] bool is_failure_class(std::string_view name);

// The sentence for people, without a full stop: "attempt 3: rejected (wrong_result)".
[[nodiscard]] std::string state_sentence(const AttemptState& state);

// The first word of a claim in a text ("verified", "correct", "faster", ...), in any case and
// with spaces, underscores, signs or invisible characters in between; empty when there is none.
// Deliberately wide: "unverified" and "not correct" are found too. It guards our own words and
// names; text from a model is quoted as such whatever it says. Look-alike letters of other
// alphabets are not folded.
[[nodiscard]] std::string find_claim(std::string_view text);

}  // namespace tensorpath::forge
