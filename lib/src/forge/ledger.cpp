#include "ledger_line.h"

#include <cerrno>
#include <cstring>
#include <functional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/units.h>
#include <tensorpath/forge/ledger.h>

namespace tensorpath::forge {
namespace {

// An append takes a disk's sync; this is dozens of slow ones in a queue. Whoever holds the lock
// longer is stopped or stuck.
constexpr std::chrono::seconds kLockWait{60};

class HeldLock {
 public:
  explicit HeldLock(int fd) : fd_(fd) {}
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() { unlock_descriptor(fd_); }

 private:
  int fd_;
};

Status take_lock(int fd, const std::string& path, LockMode mode) {
  const auto locked = lock_descriptor(fd, path, mode, kLockWait);
  if (!locked) return tl::unexpected(locked.error());
  if (*locked) return {};
  return fail(ExitCode::kLimit,
              fmt::format("{} is locked by another process for over {} s", quote_input(path),
                          kLockWait.count()),
              "see who holds it with 'fuser' or 'lslocks', and end it if it is stuck");
}

Expected<FileDescriptor> open_ledger_file(const std::string& path, int access, ExitCode code) {
  // Never through a link, and never waiting for the other end of a pipe.
  FileDescriptor fd(::open(path.c_str(), access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid()) return system_failure(code, "cannot open", path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ExitCode::kUsage, fmt::format("{} is not a file", quote_input(path)));
  }
  return fd;
}

Expected<std::string> read_locked(const FileDescriptor& fd, const std::string& path) {
  if (const Status locked = take_lock(fd.get(), path, LockMode::kShared); !locked) {
    return tl::unexpected(locked.error());
  }
  const HeldLock held(fd.get());
  return read_descriptor(fd.get(), path, kMaxLedgerBytes);
}

std::size_t whole_lines(std::string_view text) {
  const std::size_t last = text.rfind('\n');
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace

Expected<LedgerHistory> read_ledger(const std::string& path, std::string_view task_digest) {
  const auto fd = open_ledger_file(path, O_RDONLY, ExitCode::kUsage);
  if (!fd) return tl::unexpected(fd.error());
  const auto text = read_locked(*fd, path);
  if (!text) return tl::unexpected(text.error());
  return parse_ledger(*text, path, task_digest);
}

Expected<Ledger> Ledger::open(const std::string& path, std::string_view task_digest) {
  auto fd = open_ledger_file(path, O_RDWR, ExitCode::kEnvironment);
  if (!fd) return tl::unexpected(fd.error());
  const auto text = read_locked(*fd, path);
  if (!text) return tl::unexpected(text.error());
  auto history = parse_ledger(*text, path, task_digest);
  if (!history) return tl::unexpected(history.error());
  Ledger ledger;
  ledger.path_ = path;
  ledger.fd_ = std::move(*fd);
  ledger.history_ = std::move(*history);
  ledger.end_ = whole_lines(*text);
  ledger.last_line_ = ledger.end_ - whole_lines(std::string_view(*text).substr(0, ledger.end_ - 1));
  ledger.torn_ = text->substr(ledger.end_);
  return ledger;
}

// What others did since: the line this knew as the last is still there, and what follows it goes on
// from it.
Status Ledger::catch_up() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return system_failure(ExitCode::kEnvironment, "cannot read", path_, errno);
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (status.st_nlink == 0) {
    return fail(ExitCode::kUsage,
                fmt::format("{} was removed or replaced while it was in use", quote_input(path_)),
                "open the run again");
  }
  if (Status fine = check_tail(size); !fine) return fine;
  if (size > kMaxLedgerBytes) {
    return fail(ExitCode::kLimit, fmt::format("{} is larger than {}", quote_input(path_),
                                              human_bytes(static_cast<double>(kMaxLedgerBytes))));
  }
  const auto added = read_descriptor_at(fd_.get(), path_, end_, size - end_);
  if (!added) return tl::unexpected(added.error());
  std::string_view rest = *added;
  for (std::size_t line = rest.find('\n'); line != std::string_view::npos; line = rest.find('\n')) {
    if (Status taken = history_.take(rest.substr(0, line), path_); !taken) return taken;
    last_line_ = line + 1;
    end_ += last_line_;
    rest.remove_prefix(last_line_);
  }
  torn_ = std::string(rest);
  history_.torn_bytes_ = torn_.size();
  return {};
}

Status Ledger::check_tail(std::size_t size) const {
  if (size >= end_) {
    const auto line = read_descriptor_at(fd_.get(), path_, end_ - last_line_, last_line_);
    if (!line) return tl::unexpected(line.error());
    const std::string_view text = *line;
    if (text.ends_with('\n') && line_has_hash(text.substr(0, text.size() - 1), history_.head())) {
      return {};
    }
  }
  return fail_at({path_, static_cast<int>(history_.entries().size()), 0},
                 "the line that was the last is not there any more",
                 "the ledger was changed after it was written: restore it from a copy, or start a "
                 "new run");
}

// Over the torn line, if there is one: it has no newline, so that a kill in here leaves again a
// torn line, or the new lines and a torn rest.
Status Ledger::write_lines(const std::string& lines) {
  if (end_ + lines.size() > kMaxLedgerBytes) {
    return fail(ExitCode::kLimit,
                fmt::format("{} would be larger than {}", quote_input(path_),
                            human_bytes(static_cast<double>(kMaxLedgerBytes))),
                "start a new run");
  }
  const auto cut = [&](std::size_t size) {
    return ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0;
  };
  if (write_all_at(fd_.get(), lines, end_) &&
      (torn_.size() <= lines.size() || cut(end_ + lines.size())) && ::fsync(fd_.get()) == 0) {
    return {};
  }
  const int error = errno;
  (void)write_all_at(fd_.get(), torn_, end_);
  (void)cut(end_ + torn_.size());
  return system_failure(ExitCode::kEnvironment, "cannot write", path_, error,
                        "the ledger is as it was");
}

Expected<LedgerEntry> Ledger::append_locked(LedgerEvent event, int attempt, const Json& data,
                                            WallTime time) {
  if (const Status allowed = history_.check(event, attempt, data); !allowed) {
    return tl::unexpected(allowed.error());
  }
  // On a copy of the chain's end, so that nothing is taken in before it is on disk.
  std::vector<LedgerEntry> entries;
  std::string lines;
  std::size_t last_line = 0;
  std::string head = history_.head();
  const auto add = [&](LedgerEvent what, int of, const Json& with) -> Status {
    LedgerEntry entry;
    entry.seq = static_cast<int>(history_.entries().size() + entries.size()) + 1;
    entry.time = utc_text(time);
    entry.event = what;
    entry.attempt = of;
    entry.data = with;
    entry.prev = head;
    const auto line = ledger_line(entry);
    if (!line) return tl::unexpected(line.error());
    entry.hash = head = hash_of_line(*line);
    last_line = line->size() + 1;
    lines += *line + '\n';
    entries.push_back(std::move(entry));
    return {};
  };
  if (!torn_.empty()) {
    const Json dropped{{"dropped_bytes", torn_.size()}, {"dropped_sha256", sha256_hex(torn_)}};
    if (const Status added = add(LedgerEvent::kRecovered, 0, dropped); !added) {
      return tl::unexpected(added.error());
    }
  }
  if (const Status added = add(event, attempt, data); !added) return tl::unexpected(added.error());
  if (const Status written = write_lines(lines); !written) return tl::unexpected(written.error());
  end_ += lines.size();
  last_line_ = last_line;
  torn_.clear();
  history_.torn_bytes_ = 0;
  for (LedgerEntry& entry : entries) history_.apply(entry);
  return entries.back();
}

Expected<LedgerEntry> Ledger::locked(const std::function<Expected<LedgerEntry>()>& work) {
  if (const Status locked = take_lock(fd_.get(), path_, LockMode::kExclusive); !locked) {
    return tl::unexpected(locked.error());
  }
  const HeldLock held(fd_.get());
  if (const Status caught_up = catch_up(); !caught_up) return tl::unexpected(caught_up.error());
  return work();
}

Expected<LedgerEntry> Ledger::append(LedgerEvent event, int attempt, const Json& data,
                                     WallTime time) {
  return locked([&] { return append_locked(event, attempt, data, time); });
}

Expected<int> Ledger::begin_attempt(const Json& data, WallTime time) {
  const auto entry = locked(
      [&] { return append_locked(LedgerEvent::kProposed, history_.attempts() + 1, data, time); });
  if (!entry) return tl::unexpected(entry.error());
  return entry->attempt;
}

Expected<std::vector<int>> Ledger::void_unfinished(WallTime time) {
  std::vector<int> voided;
  const auto last = locked([&]() -> Expected<LedgerEntry> {
    for (int attempt = 1; attempt <= history_.attempts(); ++attempt) {
      const auto now = history_.state_of(attempt);
      if (!now || !may_follow(now->state, LedgerEvent::kVoid)) continue;
      auto entry = append_locked(LedgerEvent::kVoid, attempt, Json::object(), time);
      if (!entry) return entry;
      voided.push_back(attempt);
    }
    return history_.entries().back();
  });
  if (!last) return tl::unexpected(last.error());
  return voided;
}

}  // namespace tensorpath::forge
