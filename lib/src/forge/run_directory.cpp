#include "base/building_directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/forge/run_id.h>

namespace tensorpath::forge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTaskFile = "task.yaml";
constexpr const char* kLedgerFile = "ledger.jsonl";
constexpr const char* kLockFile = "lock";
constexpr const char* kCandidateDirectory = "candidate";
constexpr const char* kAttemptsDirectory = "attempts";
// Ids of one microsecond collide once in 33 million; more than a few times in a row is no accident.
constexpr int kMostIds = 8;
constexpr std::size_t kLongestHolder = 200;

Status check_path(const std::string& path) {
  if (!is_path_below(path)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is no path for a file of a run", quote_input(path)),
                "a relative path without '..'");
  }
  const std::string first = path.substr(0, path.find('/'));
  if (first == kLedgerFile || first == kLockFile || first == kAttemptsDirectory) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is written by runs themselves", quote_input(path)),
                "choose another name");
  }
  return {};
}

// The task among the files, if the files can make a run.
Expected<const RunFile*> check_files(const std::vector<RunFile>& files) {
  std::set<std::string> seen;
  const RunFile* task = nullptr;
  for (const RunFile& file : files) {
    if (const Status fine = check_path(file.path); !fine) return tl::unexpected(fine.error());
    if (!seen.insert(file.path).second) {
      return fail(ExitCode::kUsage, fmt::format("{} is given twice", quote_input(file.path)));
    }
    if (file.path == kTaskFile) task = &file;
  }
  if (task == nullptr) return fail(ExitCode::kUsage, fmt::format("a run needs {}", kTaskFile));
  return task;
}

Status build(BuildingDirectory& place, const std::vector<RunFile>& files,
             const std::string& first_line) {
  for (const char* directory : {kCandidateDirectory, kAttemptsDirectory}) {
    if (Status made = place.make_directory(directory); !made) return made;
  }
  for (const RunFile& file : files) {
    Status written = place.write(file.path, file.contents, file.executable);
    if (!written) return written;
  }
  if (Status written = place.write(kLockFile, "", false); !written) return written;
  return place.write(kLedgerFile, first_line, false);
}

// False: the id is taken.
Expected<bool> create_at(const std::string& root, const std::string& id,
                         const std::vector<RunFile>& files, WallTime time, const Json& data) {
  if (!is_run_id(id)) {
    return fail(ExitCode::kUsage, fmt::format("{} is no run id", quote_input(id)),
                "as 20261129-153316-123-g7f9q2x");
  }
  const auto task = check_files(files);
  if (!task) return tl::unexpected(task.error());
  const auto first_line = first_ledger_line(sha256_hex((*task)->contents), data, time);
  if (!first_line) return tl::unexpected(first_line.error());
  if (const Status made = make_directories(root); !made) return tl::unexpected(made.error());
  remove_abandoned_buildings(root);
  auto place = BuildingDirectory::make(root, id);
  if (!place) return tl::unexpected(place.error());
  if (const Status built = build(*place, files, *first_line); !built) {
    return tl::unexpected(built.error());
  }
  return place->move_to(path_join(root, id));
}

std::string holder_of(int fd) {
  const auto text = read_descriptor_at(fd, kLockFile, 0, kLongestHolder);
  if (!text || text->empty()) return "another process";
  return text->substr(0, text->find('\n'));
}

// Is the open file still the one at `path`?
bool still_there(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat on_disk {};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &on_disk) == 0 &&
         open_file.st_dev == on_disk.st_dev && open_file.st_ino == on_disk.st_ino;
}

}  // namespace

Expected<RunDirectory> RunDirectory::create(const std::string& root, const std::string& id,
                                            const std::vector<RunFile>& files, WallTime time,
                                            const Json& data) {
  const auto created = create_at(root, id, files, time, data);
  if (!created) return tl::unexpected(created.error());
  if (!*created) {
    return fail(ExitCode::kUsage,
                fmt::format("there is a run {} in {} already", id, quote_input(root)),
                "use another id");
  }
  return RunDirectory(path_join(root, id), id);
}

Expected<RunDirectory> RunDirectory::create(const std::string& root,
                                            const std::vector<RunFile>& files, WallTime time,
                                            const Json& data) {
  for (int round = 0; round < kMostIds; ++round) {
    const auto id = new_run_id(time);
    if (!id) return tl::unexpected(id.error());
    const auto created = create_at(root, *id, files, time, data);
    if (!created) return tl::unexpected(created.error());
    if (*created) return RunDirectory(path_join(root, *id), *id);
  }
  return fail(ExitCode::kEnvironment,
              fmt::format("no free run id in {} after {} tries", quote_input(root), kMostIds));
}

Expected<RunDirectory> RunDirectory::open(const std::string& root, std::string_view text) {
  std::string id(text);
  if (!is_run_id(id) || !directory_exists(path_join(root, id))) {
    const auto ids = list_runs(root);
    if (!ids) return tl::unexpected(ids.error());
    auto resolved = resolve_run_id(text, *ids);
    if (!resolved) {
      resolved.error().diagnostics.front().where.file = root;
      return tl::unexpected(resolved.error());
    }
    id = *resolved;
  }
  RunDirectory run(path_join(root, id), id);
  for (const std::string& needed : {run.task_path(), run.ledger_path()}) {
    if (!file_exists(needed)) {
      return fail(ExitCode::kUsage,
                  fmt::format("{} is no whole run: there is no {}", quote_input(run.path()),
                              quote_input(needed)),
                  "restore it from a copy, or remove it and create a new run");
    }
  }
  return run;
}

std::string RunDirectory::file(std::string_view relative) const {
  return path_join(path_, relative);
}

std::string RunDirectory::attempt_path(int attempt) const {
  return path_join(file(kAttemptsDirectory), std::to_string(attempt));
}

Expected<std::string> RunDirectory::make_attempt_directory(int attempt) const {
  std::string path = attempt_path(attempt);
  if (const Status made = make_directories(path); !made) return tl::unexpected(made.error());
  if (const Status synced = sync_directory(file(kAttemptsDirectory)); !synced) {
    return tl::unexpected(synced.error());
  }
  return path;
}

Expected<std::string> RunDirectory::task_digest() const {
  const auto task = read_file(task_path());
  if (!task) return tl::unexpected(task.error());
  return sha256_hex(*task);
}

Expected<LedgerHistory> RunDirectory::read_ledger() const {
  const auto digest = task_digest();
  if (!digest) return tl::unexpected(digest.error());
  return forge::read_ledger(ledger_path(), *digest);
}

Expected<Ledger> RunDirectory::open_ledger() const {
  const auto digest = task_digest();
  if (!digest) return tl::unexpected(digest.error());
  return Ledger::open(ledger_path(), *digest);
}

Expected<RunLock> RunDirectory::lock(std::string_view purpose,
                                     std::chrono::milliseconds wait) const {
  const std::string path = file(kLockFile);
  const auto end = std::chrono::steady_clock::now() + wait;
  while (true) {
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!fd.valid()) return system_failure(ExitCode::kEnvironment, "cannot lock", path, errno);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const auto locked = lock_descriptor(fd.get(), path, LockMode::kExclusive, left);
    if (!locked) return tl::unexpected(locked.error());
    if (!*locked) {
      return fail(ExitCode::kLimit, fmt::format("run {} is in use by {}", id_, holder_of(fd.get())),
                  "wait until it is done, or use another run");
    }
    // Somebody may have removed the file meanwhile, and a third process locked the next one.
    if (!still_there(fd.get(), path)) continue;
    const std::string holder = fmt::format("{} (process {})\n", purpose, ::getpid());
    // Only a courtesy to the next one: the lock is held without it.
    (void)(::ftruncate(fd.get(), 0) == 0 && write_all_at(fd.get(), holder, 0));
    return RunLock(std::move(fd));
  }
}

std::string runs_root(std::string_view flag) {
  if (!flag.empty()) return std::string(flag);
  const char* from_environment = std::getenv("TENSORPATH_RUNS");
  if (from_environment != nullptr && *from_environment != '\0') return from_environment;
  return ".tensorpath/runs";
}

Expected<std::vector<std::string>> list_runs(const std::string& root) {
  std::error_code error;
  fs::directory_iterator entry(root, error);
  if (error == std::errc::no_such_file_or_directory) return std::vector<std::string>{};
  std::vector<std::string> ids;
  for (const fs::directory_iterator end; !error && entry != end; entry.increment(error)) {
    std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (is_run_id(name) && entry->is_directory(ignored)) ids.push_back(std::move(name));
  }
  if (error) return system_failure(ExitCode::kUsage, "cannot read", root, error.value());
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace tensorpath::forge
