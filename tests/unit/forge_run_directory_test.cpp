#include "forge_fixture.h"

#include <sys/stat.h>

using namespace tensorpath;
using namespace tensorpath::forge;
using namespace tensorpath::test;
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

const std::string kId = "20261129-120000-000-00abcde";

// A child that holds the run's lock until it is killed.
pid_t start_holder(const RunDirectory& run) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = start_child([&] {
    const auto held = run.lock("verify");
    if (!held || ::write(ready[1], "x", 1) != 1) return 1;
    while (true) ::pause();
  });
  ::close(ready[1]);
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  return holder;
}

void end_holder(pid_t holder) {
  ::kill(holder, SIGKILL);
  CHECK(wait_for(holder) == 128 + SIGKILL);
}

void wait_until_open(pid_t process, const std::string& path) {
  const std::string open_files = fmt::format("/proc/{}/fd", process);
  for (int tries = 0; tries < 60'000; ++tries) {
    for (const auto& entry : fs::directory_iterator(open_files)) {
      std::error_code ignored;
      if (fs::read_symlink(entry.path(), ignored) == path) return;
    }
    ::usleep(1000);
  }
  FAIL("the waiter never opened " << path);
}

template <typename T>
std::string error_of(const Expected<T>& result) {
  REQUIRE(!result);
  return result.error().to_string();
}

}  // namespace

TEST_CASE("a new run holds its files, an empty candidate, and a ledger that knows its task") {
  const Scratch scratch;
  const std::string root = scratch.file("a/b/runs");
  const auto run = RunDirectory::create(root, kId, kFiles, kNoon, {{"op", "rmsnorm"}});
  REQUIRE(run);
  CHECK(run->id() == kId);
  CHECK(run->path() == root + "/" + kId);
  CHECK(contents(run->task_path()) == kTask);
  CHECK(contents(run->file("contract/CONTRACT.md")) == "what a kernel must do\n");
  CHECK(fs::is_empty(run->candidate_path()));
  CHECK(run->attempt_path(3) == run->path() + "/attempts/3");
  struct stat status {};
  REQUIRE(::stat(run->file("contract/run.sh").c_str(), &status) == 0);
  CHECK((status.st_mode & 0100U) != 0);
  const auto ledger = run->read_ledger();
  REQUIRE(ledger);
  CHECK(ledger->task_digest() == sha256_hex(kTask));
  CHECK(ledger->entries().front().data["op"] == "rmsnorm");
  CHECK(ledger->entries().front().time == "2026-11-29T12:00:00.000000Z");
  CHECK(ledger->attempts() == 0);
  // Nothing else in the root, hidden or not.
  CHECK(std::distance(fs::directory_iterator(root), fs::directory_iterator()) == 1);
}

TEST_CASE("the same arguments make the same bytes") {
  const Scratch scratch;
  for (const char* root : {"one", "two"}) {
    REQUIRE(RunDirectory::create(scratch.file(root), kId, kFiles, kNoon));
  }
  for (const char* name : {"task.yaml", "ledger.jsonl", "contract/CONTRACT.md"}) {
    CHECK(contents(scratch.file("one/" + kId + "/" + name)) ==
          contents(scratch.file("two/" + kId + "/" + name)));
  }
}

TEST_CASE("a run is never replaced") {
  const Scratch scratch;
  REQUIRE(RunDirectory::create(scratch.path(), kId, kFiles, kNoon));
  const auto again = RunDirectory::create(scratch.path(), kId, {{"task.yaml", "other"}}, kNoon);
  CHECK(has(error_of(again), "there is a run " + kId));
  CHECK(again.error().exit_code == ExitCode::kUsage);
  CHECK(contents(scratch.file(kId + "/task.yaml")) == kTask);
  CHECK(scratch.entries() == 1);
  // Nor is anything else of that name.
  const std::string other = "20261129-120000-000-00abcdf";
  REQUIRE(fs::create_directory(scratch.file(other)));
  CHECK(!RunDirectory::create(scratch.path(), other, kFiles, kNoon));
  CHECK(fs::is_empty(scratch.file(other)));
}

TEST_CASE("what cannot be a run is refused before anything is written") {
  const Scratch scratch;
  const auto error_with = [&](const std::string& path) {
    return error_of(RunDirectory::create(scratch.file("runs"), kId,
                                         {{"task.yaml", kTask}, {path, "x"}}, kNoon));
  };
  for (const std::string path :
       {"", "/etc/x", "..", "../x", "a/../../x", "a//b", "a/", "./a", "a/.", "a\nb", "a/..", "/"}) {
    INFO(quote_input(path));
    CHECK(has(error_with(path), "is no path for a file of a run"));
  }
  CHECK(has(error_with(std::string("a\0b", 3)), "is no path"));
  CHECK(has(error_with("ledger.jsonl"), "written by runs themselves"));
  CHECK(has(error_with("attempts/1/x"), "written by runs themselves"));
  CHECK(has(error_with("lock"), "written by runs themselves"));
  CHECK(has(error_with("task.yaml"), "is given twice"));
  CHECK(has(error_of(RunDirectory::create(scratch.file("runs"), kId, {}, kNoon)),
            "a run needs task.yaml"));
  CHECK(has(error_of(RunDirectory::create(scratch.file("runs"), "../x", kFiles, kNoon)),
            "'../x' is no run id"));
  CHECK(scratch.entries() == 0);
}

TEST_CASE("a run is opened by its id or what is enough of it") {
  const Scratch scratch;
  REQUIRE(RunDirectory::create(scratch.path(), kId, kFiles, kNoon));
  REQUIRE(RunDirectory::create(scratch.path(), "20261130-120000-000-00abcde", kFiles, kNoon));
  CHECK(RunDirectory::open(scratch.path(), kId)->path() == scratch.file(kId));
  CHECK(RunDirectory::open(scratch.path(), "20261129")->id() == kId);
  CHECK(has(error_of(RunDirectory::open(scratch.path(), "2026")),
            scratch.path() + ": '2026' may be any of 2 runs"));
  CHECK(has(error_of(RunDirectory::open(scratch.path(), "x")), scratch.path() + ": no run 'x'"));
  CHECK(has(error_of(RunDirectory::open(scratch.file("absent"), "x")), "there are no runs here"));
  CHECK(!RunDirectory::open(scratch.path(), "../" + kId));
  REQUIRE(fs::remove(scratch.file(kId + "/ledger.jsonl")));
  CHECK(has(error_of(RunDirectory::open(scratch.path(), kId)), "is no whole run: there is no"));
}

TEST_CASE("runs are listed oldest first, and nothing else is") {
  const Scratch scratch;
  CHECK(list_runs(scratch.file("absent")).value().empty());
  const std::vector<std::string> ids{"20261128-120000-000-00abcde", kId,
                                     "20261129-120000-001-00abcde"};
  for (const std::size_t i : {2U, 0U, 1U}) {
    REQUIRE(RunDirectory::create(scratch.path(), ids[i], kFiles, kNoon));
  }
  REQUIRE(fs::create_directory(scratch.file("notes")));
  REQUIRE(fs::create_directory(scratch.file(".building-x")));
  REQUIRE(write_file_atomic(scratch.file("20261129-120000-002-00abcde"), "a file"));
  CHECK(list_runs(scratch.path()).value() == ids);
  REQUIRE(write_file_atomic(scratch.file("file"), ""));
  CHECK(has(error_of(list_runs(scratch.file("file"))), "Not a directory"));
}

TEST_CASE("the root is the flag, else the environment, else beside the work") {
  ::unsetenv("TENSORPATH_RUNS");
  CHECK(runs_root("") == ".tensorpath/runs");
  ::setenv("TENSORPATH_RUNS", "", 1);
  CHECK(runs_root("") == ".tensorpath/runs");
  ::setenv("TENSORPATH_RUNS", "/srv/runs", 1);
  CHECK(runs_root("") == "/srv/runs");
  CHECK(runs_root("mine") == "mine");
  ::unsetenv("TENSORPATH_RUNS");
}

TEST_CASE("a task that was changed after the run was created is seen") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  REQUIRE(run->open_ledger());
  REQUIRE(write_file_atomic(run->task_path(), kTask + "tolerance: 1\n"));
  CHECK(has(error_of(run->read_ledger()), "the task was changed after the run was created"));
  CHECK(has(error_of(run->open_ledger()), "ledger.jsonl:1: the ledger is of a task"));
}

TEST_CASE("attempt directories are made once each") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  CHECK(run->make_attempt_directory(1).value() == run->attempt_path(1));
  REQUIRE(write_file_atomic(run->attempt_path(1) + "/log", "x"));
  CHECK(run->make_attempt_directory(1).value() == run->attempt_path(1));
  CHECK(contents(run->attempt_path(1) + "/log") == "x");
}

TEST_CASE("one process works on a run at a time, and the next one is told who does") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  {
    const auto held = run->lock("verify");
    REQUIRE(held);
    for (const milliseconds wait : {milliseconds(0), milliseconds(20)}) {
      const auto second = run->lock("bench", wait);
      CHECK(has(error_of(second), fmt::format("run {} is in use by verify (process {})", kId,
                                              static_cast<int>(::getpid()))));
      CHECK(second.error().exit_code == ExitCode::kLimit);
    }
    // Readers need no lock.
    CHECK(run->read_ledger());
  }
  CHECK(run->lock("bench"));
}

TEST_CASE("a waiting process gets the run when the other is done or killed") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  const pid_t holder = start_holder(*run);
  CHECK(!run->lock("bench"));
  const pid_t waiter =
      start_child([&] { return run->lock("bench", std::chrono::seconds(60)).has_value() ? 0 : 1; });
  end_holder(holder);
  CHECK(wait_for(waiter) == 0);
  CHECK(run->lock("promote"));
}

TEST_CASE("a removed lock file does not let two work at once") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  const std::string path = fs::canonical(run->file("lock")).string();
  const pid_t holder = start_holder(*run);
  const pid_t waiter = start_child([&] {
    const auto lock = run->lock("bench", std::chrono::seconds(2));
    return !lock && lock.error().exit_code == ExitCode::kLimit ? 0 : 1;
  });
  wait_until_open(waiter, path);
  REQUIRE(fs::remove(path));
  const auto held = run->lock("promote");
  REQUIRE(held);
  // The waiter gets the lock of a file that is gone, and must go on waiting for the other.
  end_holder(holder);
  CHECK(wait_for(waiter) == 0);
}

TEST_CASE("a lock file that was removed is made again") {
  const Scratch scratch;
  const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
  REQUIRE(run);
  REQUIRE(fs::remove(run->file("lock")));
  const auto held = run->lock("verify");
  REQUIRE(held);
  CHECK(!run->lock("verify"));
}
