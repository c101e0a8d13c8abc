#include "ledger_line.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/ledger.h>

namespace tensorpath::forge {
namespace {

constexpr const char* kBrokenChain =
    "a line was removed, moved, repeated or slipped in: restore the ledger from a copy, or start a "
    "new run";

// The text under `key`, or nothing.
std::string text_in(const Json& data, std::string_view key) {
  if (!data.is_object()) return {};
  const auto found = data.find(std::string(key));
  return found != data.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// Events that are about one candidate, after `proposed`.
bool names_candidate(LedgerEvent event) {
  using enum LedgerEvent;
  return event == kCompiled || event == kSmokePassed || event == kVerified || event == kBenched ||
         event == kPromoted;
}

std::string allowed_after(LedgerEvent now) {
  std::string out;
  for (const LedgerEvent next : kLedgerEvents) {
    if (!may_follow(now, next)) continue;
    if (!out.empty()) out += ", ";
    out += event_name(next);
  }
  return out.empty() ? "it is final" : "allowed next: " + out;
}

Status check_digest(const Json& data, std::string_view key, LedgerEvent event) {
  if (is_digest(text_in(data, key))) return {};
  return fail(ExitCode::kUsage, fmt::format("{} needs {} in its data, a SHA-256 in lowercase hex",
                                            event_name(event), key));
}

// Of an attempt that is there.
Status check_move(const AttemptState& now, LedgerEvent event, const Json& data) {
  if (!may_follow(now.state, event)) {
    return fail(ExitCode::kUsage,
                fmt::format("attempt {} is {} and cannot become {}", now.attempt,
                            event_name(now.state), event_name(event)),
                allowed_after(now.state));
  }
  if (names_candidate(event)) {
    if (Status fine = check_digest(data, kCandidateDigest, event); !fine) return fine;
    if (text_in(data, kCandidateDigest) != now.candidate_digest) {
      return fail(
          ExitCode::kUsage,
          fmt::format("attempt {} is about candidate {}, and {} names {}", now.attempt,
                      now.candidate_digest, event_name(event), text_in(data, kCandidateDigest)),
          "another candidate is another attempt");
    }
  }
  if (event == LedgerEvent::kRejected && !is_failure_class(text_in(data, kFailureClass))) {
    return fail(ExitCode::kUsage,
                fmt::format("rejected needs {} in its data, and {} is none", kFailureClass,
                            quote_input(text_in(data, kFailureClass))),
                "a short name in lowercase and underscores without a word of praise, as "
                "wrong_result");
  }
  return {};
}

SourceLocation place(const std::string& file_name, std::size_t line) {
  return {file_name, static_cast<int>(line), 0};
}

}  // namespace

Expected<AttemptState> LedgerHistory::state_of(int attempt) const {
  if (attempt < 0 || attempt > attempts()) {
    return fail(ExitCode::kUsage, fmt::format("there is no attempt {}", attempt),
                attempts() == 0 ? std::string("nothing was proposed yet")
                                : fmt::format("attempts are 1 to {}", attempts()));
  }
  return states_[static_cast<std::size_t>(attempt)];
}

std::vector<const LedgerEntry*> LedgerHistory::entries_of(int attempt) const {
  std::vector<const LedgerEntry*> out;
  for (const LedgerEntry& entry : entries_) {
    if (entry.attempt == attempt) out.push_back(&entry);
  }
  return out;
}

Status LedgerHistory::check(LedgerEvent event, int attempt, const Json& data) const {
  using enum LedgerEvent;
  if (states_.empty() || event == kCreated) {
    if (!states_.empty() || event != kCreated || attempt != 0) {
      return fail(ExitCode::kUsage,
                  "a ledger has one line created, of attempt 0, and it is the first");
    }
    return check_digest(data, kTaskDigest, event);
  }
  if (event == kRecovered) {
    if (attempt == 0) return {};
    return fail(ExitCode::kUsage, "recovered is of attempt 0");
  }
  if (event == kProposed) {
    if (states_.front().state == kAbandoned) {
      return fail(ExitCode::kUsage, "the run is abandoned and takes no more attempts",
                  "start a new run");
    }
    // Of one that is there, the move itself is what is wrong.
    if (attempt < 1 || attempt > attempts()) {
      if (attempt != attempts() + 1 || attempt > kMaxAttempts) {
        return fail(ExitCode::kUsage,
                    fmt::format("the next attempt is {}, not {}", attempts() + 1, attempt));
      }
      return check_digest(data, kCandidateDigest, event);
    }
  }
  const auto now = state_of(attempt);
  if (!now) return tl::unexpected(now.error());
  return check_move(*now, event, data);
}

Status LedgerHistory::take(std::string_view line, const std::string& file_name) {
  const std::size_t expected = entries_.size() + 1;
  const SourceLocation where = place(file_name, expected);
  auto entry = parse_ledger_line(line, where);
  if (!entry) return tl::unexpected(entry.error());
  if (static_cast<std::size_t>(entry->seq) != expected) {
    return fail_at(where, fmt::format("seq is {}, expected {}", entry->seq, expected),
                   kBrokenChain);
  }
  const bool first = entries_.empty();
  if (entry->prev != (first ? sha256_hex(text_in(entry->data, kTaskDigest)) : head_)) {
    return fail_at(where,
                   first ? "prev is not the hash of the task digest"
                         : "prev is not the hash of the line before",
                   kBrokenChain);
  }
  if (const Status allowed = check(entry->event, entry->attempt, entry->data); !allowed) {
    const Diagnostic& why = allowed.error().diagnostics.front();
    return fail_at(where, why.message, why.hint);
  }
  apply(std::move(*entry));
  return {};
}

void LedgerHistory::apply(LedgerEntry entry) {
  using enum LedgerEvent;
  if (entry.event == kCreated) task_digest_ = text_in(entry.data, kTaskDigest);
  if (entry.event == kCreated || entry.event == kProposed) {
    states_.push_back({entry.attempt, entry.event, text_in(entry.data, kCandidateDigest), {}});
  } else if (entry.event != kRecovered) {
    AttemptState& state = states_[static_cast<std::size_t>(entry.attempt)];
    state.state = entry.event;
    if (entry.event == kRejected) state.failure_class = text_in(entry.data, kFailureClass);
  }
  head_ = entry.hash;
  entries_.push_back(std::move(entry));
}

Expected<LedgerHistory> parse_ledger(std::string_view text, const std::string& file_name,
                                     std::string_view task_digest) {
  LedgerHistory history;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) break;
    if (const Status taken = history.take(text.substr(0, end), file_name); !taken) {
      return tl::unexpected(taken.error());
    }
    text.remove_prefix(end + 1);
  }
  if (history.entries_.empty()) {
    return fail_at(place(file_name, 1), "a ledger without a first line",
                   "a run has one from the start: restore it from a copy, or start a new run");
  }
  if (text.size() >= kMaxLedgerLine) {
    return fail_at(place(file_name, history.entries_.size() + 1),
                   "the last line has no newline and is too long for one that was torn");
  }
  history.torn_bytes_ = text.size();
  if (!task_digest.empty() && task_digest != history.task_digest_) {
    return fail_at(
        place(file_name, 1),
        fmt::format("the ledger is of a task with digest {}, and the task here has {}",
                    history.task_digest_, task_digest),
        "the task was changed after the run was created: restore it, or start a new run");
  }
  return history;
}

Expected<std::string> first_ledger_line(std::string_view task_digest, Json data, WallTime time) {
  data[std::string(kTaskDigest)] = task_digest;
  LedgerEntry entry;
  entry.seq = 1;
  entry.time = utc_text(time);
  entry.data = std::move(data);
  entry.prev = sha256_hex(task_digest);
  auto line = ledger_line(entry);
  if (line) *line += '\n';
  return line;
}

}  // namespace tensorpath::forge
