// What happened in a run, in order: append-only JSONL that shows when it was touched.
//   {"seq":1,"time":"...Z","event":"created","attempt":0,"data":{...},"prev":"...","hash":"..."}
// `hash` is the SHA-256 of the line without it (`...,"prev":"..."}`), `prev` the hash of the line
// before, and of the first line the SHA-256 of the task digest's 64 hex characters. Lines are in
// one canonical form: these keys in this order, no spaces. `seq` is the line number. `time` is the
// writer's clock and may step back.
//
// The chain shows a line that was changed, moved, repeated or taken out. It is no signature: who
// can rewrite the whole file can make a new chain, and lines cut off at the end leave a shorter,
// sound one. Against that, keep head() elsewhere (a packet does, and is signed).
//
// A writer killed in the middle of a line leaves a last line without its newline. That is no
// damage: readers leave it out (torn_bytes) and the next append replaces it by a `recovered` line
// that says how long it was and its digest.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/attempt_state.h>

namespace tensorpath::forge {

inline constexpr std::size_t kMaxLedgerLine = 1U << 20;     // bytes, with the newline
inline constexpr std::size_t kMaxLedgerBytes = 256U << 20;  // the whole file
inline constexpr int kMaxAttempts = 1'000'000;

// Keys in `data` that have a meaning here. Digests are 64 lowercase hex characters.
inline constexpr std::string_view kTaskDigest = "task_digest";  // of created
inline constexpr std::string_view kCandidateDigest =
    "candidate_digest";                                             // of proposed ... promoted
inline constexpr std::string_view kFailureClass = "failure_class";  // of rejected

struct LedgerEntry {
  int seq = 0;
  std::string time;
  LedgerEvent event = LedgerEvent::kCreated;
  int attempt = 0;
  Json data = Json::object();
  std::string prev;
  std::string hash;
};

// A ledger that was read and found whole.
class LedgerHistory {
 public:
  [[nodiscard]] const std::vector<LedgerEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::string& task_digest() const { return task_digest_; }
  // Hash of the last line.
  [[nodiscard]] const std::string& head() const { return head_; }
  // Bytes of a last line without newline, which is not among the entries.
  [[nodiscard]] std::size_t torn_bytes() const { return torn_bytes_; }

  // Attempts are numbered 1, 2, ... in the order they were proposed.
  [[nodiscard]] int attempts() const { return static_cast<int>(states_.size()) - 1; }
  // Attempt 0 is the run. Error (usage): there is no such attempt.
  [[nodiscard]] Expected<AttemptState> state_of(int attempt) const;
  // Of the attempt proposed last; of the run while there is none.
  [[nodiscard]] const AttemptState& latest() const { return states_.back(); }
  // Entries of one attempt, in order.
  [[nodiscard]] std::vector<const LedgerEntry*> entries_of(int attempt) const;

  // Why `event` may not be the next of `attempt`; an error without a place.
  [[nodiscard]] Status check(LedgerEvent event, int attempt, const Json& data) const;

 private:
  friend class Ledger;
  friend Expected<LedgerHistory> parse_ledger(std::string_view text, const std::string& file_name,
                                              std::string_view task_digest);
  LedgerHistory() = default;
  // Takes one line (without newline) as the next. Errors carry file:line and leave this unchanged.
  [[nodiscard]] Status take(std::string_view line, const std::string& file_name);
  void apply(LedgerEntry entry);

  std::vector<LedgerEntry> entries_;
  std::vector<AttemptState> states_;
  std::string task_digest_;
  std::string head_;
  std::size_t torn_bytes_ = 0;
};

// The text of a ledger, verified as a whole: form, chain, order of states. The first bad line is an
// error at file:line. `task_digest`, where given, must be that of the ledger's first line.
[[nodiscard]] Expected<LedgerHistory> parse_ledger(std::string_view text,
                                                   const std::string& file_name,
                                                   std::string_view task_digest = {});
// Reads under a shared lock, so that it sees no line half written by a living process.
[[nodiscard]] Expected<LedgerHistory> read_ledger(const std::string& path,
                                                  std::string_view task_digest = {});

// The first line of a ledger, with its newline; for who builds a run directory.
[[nodiscard]] Expected<std::string> first_ledger_line(std::string_view task_digest, Json data,
                                                      WallTime time);

// A ledger open for appending. Any number of processes may have one open: each append locks the
// file, checks that the last line it knew is still there, takes in and verifies what others added,
// checks that the move is allowed, writes with one call and syncs. Lines verified once are not read
// again. One object is for one thread of one process; a forked child opens its own.
class Ledger {
 public:
  // Reads and verifies all of it. Errors: as read_ledger, or it cannot be written.
  [[nodiscard]] static Expected<Ledger> open(const std::string& path,
                                             std::string_view task_digest = {});

  // As of the open or the last append.
  [[nodiscard]] const LedgerHistory& history() const { return history_; }

  // Records one event and returns its entry. Errors (usage): a move backwards or over a state,
  // another candidate, no failure class, a ledger that others damaged; (environment): it cannot be
  // written, and then it is as it was before; (limit): too long, or the lock cannot be had.
  [[nodiscard]] Expected<LedgerEntry> append(LedgerEvent event, int attempt, const Json& data,
                                             WallTime time);
  // Records `proposed` for the next attempt and returns its number, which no other process gets.
  [[nodiscard]] Expected<int> begin_attempt(const Json& data, WallTime time);
  // Records `void` for every attempt that has no verdict yet, and returns their numbers. For who
  // resumes a run and holds its lock, so that nobody else can be at work on them.
  [[nodiscard]] Expected<std::vector<int>> void_unfinished(WallTime time);

 private:
  Ledger() = default;
  // Runs `work` with the file locked and everything in it taken in.
  [[nodiscard]] Expected<LedgerEntry> locked(const std::function<Expected<LedgerEntry>()>& work);
  [[nodiscard]] Status catch_up();
  [[nodiscard]] Status check_tail(std::size_t size) const;
  [[nodiscard]] Status write_lines(const std::string& lines);
  [[nodiscard]] Expected<LedgerEntry> append_locked(LedgerEvent event, int attempt,
                                                    const Json& data, WallTime time);

  std::string path_;
  FileDescriptor fd_;
  LedgerHistory history_;
  std::size_t end_ = 0;        // of the last whole line that history_ holds
  std::size_t last_line_ = 0;  // its length, with the newline
  std::string torn_;
};

}  // namespace tensorpath::forge
