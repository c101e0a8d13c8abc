#include "catch.h"

#include <algorithm>
#include <set>

#include <tensorpath/forge/attempt_state.h>

using namespace tensorpath::forge;

namespace {

// Letters only and in lower case, so that spacing, underscores and case hide nothing.
std::string letters_of(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

const std::vector<std::string> kClaims{
    "verified",  "correct",   "valid",   "proven",   "proved", "passed",  "faster",
    "fastest",   "quicker",   "speedup", "promoted", "succes", "accura",  "guarantee",
    "certified", "confirmed", "right",   "works",    "beats",  "improve", "trusted"};

const std::vector<std::string> kHostileClasses{"",
                                               "verified",
                                               "VERIFIED",
                                               "Ver_ified",
                                               "cor rect",
                                               "c_o_r_r_e_c_t",
                                               "incorrect",
                                               "f a s t e r",
                                               "speed-up",
                                               "all_passed",
                                               "10x faster\n",
                                               "promoted!",
                                               "is\tproven",
                                               "ver\xE2\x80\x8Bified",
                                               "\xEF\xBD\x96\xEF\xBC\xA5rified"};

}  // namespace

TEST_CASE("a state without a verdict is never put in words of correctness or speed") {
  int walked = 0;
  for (const LedgerEvent state : kLedgerEvents) {
    if (holds_verdict(state)) continue;
    for (const int attempt : {0, 1, 17}) {
      for (const std::string& failure_class : kHostileClasses) {
        const std::string sentence =
            state_sentence({attempt, state, std::string(64, 'a'), failure_class});
        const std::string letters = letters_of(sentence);
        INFO(sentence);
        for (const std::string& claim : kClaims) {
          INFO(claim);
          CHECK(letters.find(claim) == std::string::npos);
        }
        CHECK(find_claim(sentence).empty());
        CHECK(sentence.find('\n') == std::string::npos);
        ++walked;
      }
    }
  }
  CHECK(walked == 8 * 3 * static_cast<int>(kHostileClasses.size()));
}

TEST_CASE(
    "only a promoted attempt is said to be promoted, only one with a verdict to be verified") {
  std::set<std::string> sentences;
  for (const LedgerEvent state : kLedgerEvents) {
    const std::string sentence = state_sentence({3, state, {}, "wrong_result"});
    sentences.insert(sentence);
    INFO(sentence);
    CHECK((sentence.find("verified") != std::string::npos) == holds_verdict(state));
    CHECK((sentence.find("promoted") != std::string::npos) == (state == LedgerEvent::kPromoted));
    CHECK(sentence.find("faster") == std::string::npos);
  }
  CHECK(sentences.size() == kLedgerEvents.size());
  CHECK(state_sentence({3, LedgerEvent::kRejected, {}, "wrong_result"}) ==
        "attempt 3: rejected (wrong_result)");
  CHECK(state_sentence({3, LedgerEvent::kRejected, {}, "Verified OK"}) == "attempt 3: rejected");
  CHECK(state_sentence({}) == "run: created, no candidate yet");
}

TEST_CASE("a claim is found however it is spelled") {
  for (const char* text :
       {"verified", "VERIFIED", "Ver_ified", "v e r i f i e d", "ver-ified", "this is CORRECT!",
        "in\ncorrect", "2x f.a.s.t.e.r", "speed-up", "speed up", "SPED UP", "all tests passed",
        "it passes", "ver\xE2\x80\x8Bified", "\xEF\xBC\xB6\xEF\xBD\x85rified", "unverified"}) {
    INFO(text);
    CHECK(!find_claim(text).empty());
  }
  for (const char* text : {"", "rejected", "wrong_result", "timed out", "memory_limit",
                           "verification has not run", "\xFF\xEF\xBC", "hidden cases not run"}) {
    INFO(text);
    CHECK(find_claim(text).empty());
  }
}

TEST_CASE("failure classes are short plain names without praise") {
  for (const char* name : {"wrong_result", "compile_error", "nan_mismatch", "t", "exit_0_early"}) {
    CHECK(is_failure_class(name));
  }
  for (const std::string& name : kHostileClasses) CHECK(!is_failure_class(name));
  CHECK(!is_failure_class("Wrong"));
  CHECK(!is_failure_class("_x"));
  CHECK(!is_failure_class("9x"));
  CHECK(!is_failure_class("wrong result"));
  CHECK(is_failure_class(std::string(64, 'a')));
  CHECK(!is_failure_class(std::string(65, 'a')));
}

TEST_CASE("attempts move forward only and skip nothing") {
  using enum LedgerEvent;
  const std::vector<LedgerEvent> way{kCreated,  kProposed, kCompiled, kSmokePassed,
                                     kVerified, kBenched,  kPromoted};
  for (std::size_t from = 0; from < way.size(); ++from) {
    for (std::size_t to = 0; to < way.size(); ++to) {
      INFO(event_name(way[from]) << " to " << event_name(way[to]));
      const bool repeat = way[from] == kBenched && way[to] == kBenched;
      CHECK(may_follow(way[from], way[to]) == (to == from + 1 || repeat));
    }
  }
  for (const LedgerEvent final : {kRejected, kPromoted, kAbandoned, kVoid}) {
    CHECK(is_final(final));
  }
  // Measured again, and only then decided on again.
  CHECK(may_follow(kRefused, kBenched));
  CHECK(!may_follow(kRefused, kPromoted));
  // There is no way to a verdict around the gate before it.
  for (const LedgerEvent from : kLedgerEvents) {
    if (from != kSmokePassed) CHECK(!may_follow(from, kVerified));
    if (from != kBenched) CHECK(!may_follow(from, kPromoted));
    if (from != kBenched) CHECK(!may_follow(from, kRefused));
    CHECK(!may_follow(from, kCreated));
    CHECK(!may_follow(from, kRecovered));
    CHECK(!may_follow(kRecovered, from));
  }
  // A kill takes no verdict back, a gate that looks again may.
  CHECK(!may_follow(kVerified, kVoid));
  CHECK(!may_follow(kBenched, kVoid));
  CHECK(may_follow(kBenched, kRejected));
}

TEST_CASE("every event has its name") {
  for (const LedgerEvent event : kLedgerEvents) CHECK(find_event(event_name(event)) == event);
  CHECK(!find_event("Verified"));
  CHECK(!find_event(""));
}
