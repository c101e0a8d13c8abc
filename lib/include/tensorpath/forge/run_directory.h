// Where a run lives: ROOT/<run id>/ with
//   task.yaml      what is to be done; its digest opens the ledger
//   ...            the public contract and whatever else `create` was given
//   candidate/     where a candidate is put to be verified
//   attempts/<n>/  what attempt n left behind
//   ledger.jsonl   what happened (forge/ledger.h)
//   lock           held by whoever works on the run
// A run appears whole or not at all: it is built and synced in a hidden directory beside its place
// and renamed there. A creator that is killed leaves such a directory; the next one removes it.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/ledger.h>

namespace tensorpath::forge {

// One file of a new run. `path` is relative, may name directories, and stays inside.
struct RunFile {
  std::string path;
  std::string contents;
  bool executable = false;
};

// The right to work on a run; ends with this object or with the process, however it ends. A child
// that was forked and not exec'ed keeps it as long as it lives.
class RunLock {
 private:
  friend class RunDirectory;
  explicit RunLock(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

class RunDirectory {
 public:
  // Builds the run. `files` must hold task.yaml; `data` goes into the ledger's first line.
  // Errors (usage): not a run id, the id is taken, a path that is not allowed; (environment): it
  // cannot be written, and then nothing of it is left.
  [[nodiscard]] static Expected<RunDirectory> create(const std::string& root, const std::string& id,
                                                     const std::vector<RunFile>& files,
                                                     WallTime time,
                                                     const Json& data = Json::object());
  // The same under a new id, another one when somebody just took it.
  [[nodiscard]] static Expected<RunDirectory> create(const std::string& root,
                                                     const std::vector<RunFile>& files,
                                                     WallTime time,
                                                     const Json& data = Json::object());
  // By id or by what resolve_run_id takes for one. Errors (usage): none or several match, or what
  // is there is no whole run.
  [[nodiscard]] static Expected<RunDirectory> open(const std::string& root, std::string_view id);

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view relative) const;
  [[nodiscard]] std::string task_path() const { return file("task.yaml"); }
  [[nodiscard]] std::string candidate_path() const { return file("candidate"); }
  [[nodiscard]] std::string ledger_path() const { return file("ledger.jsonl"); }
  [[nodiscard]] std::string attempt_path(int attempt) const;
  // attempts/<n>/, made where it is not there yet.
  [[nodiscard]] Expected<std::string> make_attempt_directory(int attempt) const;

  // SHA-256 of task.yaml as it is on disk now.
  [[nodiscard]] Expected<std::string> task_digest() const;
  // The ledger; a task.yaml that is not the one the run was created with is an error.
  [[nodiscard]] Expected<LedgerHistory> read_ledger() const;
  [[nodiscard]] Expected<Ledger> open_ledger() const;

  // For verify, bench and promote: one at a time. `purpose` ("verify") and this process's id are
  // what the next one is told. Error (limit): somebody else still had it after `wait`.
  [[nodiscard]] Expected<RunLock> lock(std::string_view purpose,
                                       std::chrono::milliseconds wait = std::chrono::milliseconds{
                                           0}) const;

 private:
  RunDirectory(std::string path, std::string id) : path_(std::move(path)), id_(std::move(id)) {}

  std::string path_;
  std::string id_;
};

// Where runs are: `flag` (--runs DIR), else $TENSORPATH_RUNS, else .tensorpath/runs.
[[nodiscard]] std::string runs_root(std::string_view flag);
// Ids of all runs, oldest first; none where the root is not there. Error: it cannot be read.
[[nodiscard]] Expected<std::vector<std::string>> list_runs(const std::string& root);

}  // namespace tensorpath::forge
