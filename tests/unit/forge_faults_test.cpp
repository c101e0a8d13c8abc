// Kills, full disks, and many processes at once.
#include "forge_fixture.h"

#include <set>

#include <sys/resource.h>
#include <sys/stat.h>

using namespace tensorpath;
using namespace tensorpath::forge;
using namespace tensorpath::test;
namespace fs = std::filesystem;
using enum tensorpath::forge::LedgerEvent;

namespace {

const std::string kId = "20261129-120000-000-00abcde";

// More system calls than creating a run or appending a line makes, twice over.
constexpr int kMostStops = 2000;

std::vector<std::string> hidden_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().front() == '.') {
      names.push_back(entry.path().filename().string());
    }
  }
  return names;
}

// Every run in the root is whole.
int whole_runs(const std::string& root) {
  const auto ids = list_runs(root);
  REQUIRE(ids);
  for (const std::string& id : *ids) {
    INFO(id);
    const auto run = RunDirectory::open(root, id);
    REQUIRE(run);
    const auto ledger = run->read_ledger();
    REQUIRE(ledger);
    REQUIRE(ledger->torn_bytes() == 0);
    for (const RunFile& file : kFiles) REQUIRE(contents(run->file(file.path)) == file.contents);
    REQUIRE(directory_exists(run->candidate_path()));
    REQUIRE(directory_exists(run->file("attempts")));
    REQUIRE(run->lock("check"));
  }
  return static_cast<int>(ids->size());
}

// The attempt a line of the loop below is about, in turn proposed and rejected.
void append_forever(const std::string& path) {
  auto ledger = Ledger::open(path);
  while (ledger) {
    const auto attempt = ledger->begin_attempt(
        {{"candidate_digest", candidate("a")}, {"log", std::string(20'000, 'x')}}, kNoon);
    if (!attempt || !ledger->append(kRejected, *attempt, failed_by("crash"), kNoon)) return;
  }
}

}  // namespace

TEST_CASE("a kill at any system call of create leaves no run or a whole one, and no litter") {
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("runs");
  int killed = 0;
  int with_run = 0;
  int stop = 0;
  for (; stop < kMostStops; ++stop) {
    INFO("killed at stop " << stop);
    const KillOutcome outcome =
        kill_at_system_call(stop, [&] { (void)RunDirectory::create(root, kId, kFiles, kNoon); });
    if (outcome == KillOutcome::kNoTracing) {
      WARN("no right to trace a child here");
      return;
    }
    if (outcome == KillOutcome::kFinished) break;
    ++killed;
    if (directory_exists(root)) {
      const int runs = whole_runs(root);
      REQUIRE(runs <= 1);
      with_run += runs;
    }
    // The next create, of whatever id, cleans up.
    REQUIRE(RunDirectory::create(root, kFiles, kNoon));
    REQUIRE(hidden_in(root).empty());
    fs::remove_all(root);
  }
  CHECK(stop < kMostStops);
  CHECK(killed > 60);
  CHECK(with_run > 0);
  CHECK(with_run < killed);
}

TEST_CASE("a kill at any system call of append leaves the ledger before it or after it") {
  const Scratch scratch(in_memory());
  const std::string path = new_ledger(scratch);
  fill(path);
  const std::string whole = contents(path);
  const std::string torn(700, 't');
  for (const bool starts_torn : {false, true}) {
    const std::string before = starts_torn ? whole + torn : whole;
    bool seen_before = false;
    bool seen_after = false;
    int stop = 0;
    for (; stop < kMostStops; ++stop) {
      INFO("killed at stop " << stop << (starts_torn ? " of a torn ledger" : ""));
      REQUIRE(write_file_atomic(path, before));
      const KillOutcome outcome = kill_at_system_call(stop, [&] {
        auto ledger = Ledger::open(path);
        if (ledger) (void)ledger->begin_attempt(of_candidate("c"), kNoon);
      });
      if (outcome == KillOutcome::kNoTracing) {
        WARN("no right to trace a child here");
        return;
      }
      if (outcome == KillOutcome::kFinished) break;
      const auto read = read_ledger(path);
      REQUIRE(read);
      const bool appended = read->attempts() == 3;
      (appended ? seen_after : seen_before) = true;
      if (!appended) REQUIRE(contents(path) == before);
      auto ledger = Ledger::open(path);
      REQUIRE(ledger);
      REQUIRE(ledger->begin_attempt(of_candidate("d"), kNoon).value() == (appended ? 4 : 3));
      REQUIRE(read_ledger(path)->torn_bytes() == 0);
      REQUIRE(contents(path).starts_with(whole));
    }
    CHECK(stop < kMostStops);
    CHECK(seen_before);
    CHECK(seen_after);
  }
}

TEST_CASE("a kill at random while runs are created leaves whole runs") {
  const Scratch scratch;
  const std::string root = scratch.file("runs");
  for (int round = 0; round < 30; ++round) {
    const pid_t pid = start_child([&] {
      while (RunDirectory::create(root, kFiles, wall_now())) {
      }
      return 1;
    });
    ::usleep(static_cast<useconds_t>(300 + 1731 * (round % 13)));
    ::kill(pid, SIGKILL);
    REQUIRE(wait_for(pid) == 128 + SIGKILL);
  }
  REQUIRE(RunDirectory::create(root, kFiles, wall_now()));
  CHECK(whole_runs(root) > 0);
  CHECK(hidden_in(root).empty());
}

TEST_CASE("a kill at random while lines are appended leaves a sound ledger") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  std::size_t entries = 1;
  for (int round = 0; round < 40; ++round) {
    const pid_t pid = start_child([&] {
      append_forever(path);
      return 1;
    });
    ::usleep(static_cast<useconds_t>(500 + 1117 * (round % 17)));
    ::kill(pid, SIGKILL);
    REQUIRE(wait_for(pid) == 128 + SIGKILL);
    auto ledger = Ledger::open(path);
    REQUIRE(ledger);
    // Nothing that was there is lost.
    REQUIRE(ledger->history().entries().size() >= entries);
    REQUIRE(ledger->void_unfinished(kNoon));
    REQUIRE(ledger->begin_attempt(of_candidate("b"), kNoon));
    REQUIRE(ledger->void_unfinished(kNoon));
    REQUIRE(ledger->history().torn_bytes() == 0);
    entries = ledger->history().entries().size();
  }
  const auto last = read_ledger(path);
  REQUIRE(last);
  CHECK(last->entries().size() == entries);
}

TEST_CASE("32 processes that create at once get 32 runs") {
  const Scratch scratch;
  const std::string root = scratch.file("not/there/yet");
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 32; ++i) {
    children.push_back(start_child([&] {
      ::close(gate[1]);
      char byte = 0;
      (void)::read(gate[0], &byte, 1);  // all start when the parent closes its end
      // Half of them by the same clock.
      const auto run = RunDirectory::create(root, kFiles, i % 2 == 0 ? kNoon : wall_now());
      return run && run->read_ledger() ? 0 : 1;
    }));
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (const pid_t child : children) CHECK(wait_for(child) == 0);
  CHECK(whole_runs(root) == 32);
  CHECK(hidden_in(root).empty());
}

TEST_CASE("a clean-up takes nothing from a creator that is still at it") {
  const Scratch scratch;
  const std::string root = scratch.file("runs");
  // Four loops that each build and each clean up after the others.
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(start_child([&] {
      for (int round = 0; round < 10; ++round) {
        if (!RunDirectory::create(root, kFiles, wall_now())) return 1;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) CHECK(wait_for(child) == 0);
  CHECK(whole_runs(root) == 40);
  CHECK(hidden_in(root).empty());
}

TEST_CASE("8 processes that append at once lose no line and share no attempt") {
  constexpr int kWriters = 8;
  constexpr int kRounds = 20;
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(start_child([&] {
      auto ledger = Ledger::open(path);
      for (int round = 0; ledger && round < kRounds; ++round) {
        const std::string name = fmt::format("{}/{}", writer, round);
        const auto attempt =
            ledger->begin_attempt({{"candidate_digest", candidate(name)}, {"name", name}}, kNoon);
        if (!attempt || !ledger->append(kCompiled, *attempt, of_candidate(name), kNoon)) return 1;
      }
      return ledger ? 0 : 1;
    }));
  }
  // A reader meanwhile sees no half of a line.
  for (int i = 0; i < 20; ++i) {
    const auto seen = read_ledger(path);
    REQUIRE(seen);
    REQUIRE(seen->torn_bytes() == 0);
  }
  for (const pid_t child : children) CHECK(wait_for(child) == 0);
  const auto ledger = read_ledger(path);
  REQUIRE(ledger);
  CHECK(ledger->entries().size() == 1 + 2 * kWriters * kRounds);
  CHECK(ledger->attempts() == kWriters * kRounds);
  std::set<std::string> names;
  for (int attempt = 1; attempt <= ledger->attempts(); ++attempt) {
    CHECK(ledger->state_of(attempt)->state == kCompiled);
    names.insert(ledger->entries_of(attempt).front()->data["name"].get<std::string>());
  }
  CHECK(names.size() == kWriters * kRounds);
}

TEST_CASE("a file size limit fails an append and leaves the ledger as it was") {
  const Scratch scratch;
  const std::string path = new_ledger(scratch);
  fill(path);
  for (const std::string& torn : {std::string(), std::string(300, 't')}) {
    std::ofstream(path, std::ios::app) << torn;
    const std::string before = contents(path);
    const int status = in_child([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      // In the middle of the line, and after a whole one of recovery.
      const rlimit limit{before.size() + 1000, before.size() + 1000};
      auto ledger = Ledger::open(path);
      if (!ledger || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
      const auto entry = ledger->begin_attempt(
          {{"candidate_digest", candidate("c")}, {"log", std::string(5000, 'x')}}, kNoon);
      if (entry || entry.error().exit_code != ExitCode::kEnvironment) return 3;
      if (!has(entry.error().to_string(), "the ledger is as it was")) return 4;
      // What fits is taken.
      return torn.empty() && !ledger->begin_attempt(of_candidate("c"), kNoon) ? 5 : 0;
    });
    CHECK(status == 0);
    if (!torn.empty()) CHECK(contents(path) == before);
    CHECK(read_ledger(path));
  }
}

TEST_CASE("a full disk fails create and append and leaves nothing half done") {
  const Scratch scratch;
  const int status = in_child([&] {
    if (!mount_private_tmpfs(scratch.path(), "size=64k")) return 77;
    std::vector<RunFile> files = kFiles;
    files.push_back({"contract/big", std::string(100'000, 'x')});
    const auto none = RunDirectory::create(scratch.path(), kId, files, kNoon);
    if (none || none.error().exit_code != ExitCode::kEnvironment) return 2;
    if (!has(none.error().to_string(), "disk is full")) return 3;
    if (scratch.entries() != 0) return 4;
    const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
    if (!run) return 5;
    auto ledger = run->open_ledger();
    if (!ledger || !ledger->begin_attempt(of_candidate("a"), kNoon)) return 6;
    const std::string before = contents(run->ledger_path());
    const auto full = ledger->append(
        kRejected, 1, {{"failure_class", "crash"}, {"log", std::string(90'000, 'x')}}, kNoon);
    if (full || full.error().exit_code != ExitCode::kEnvironment) return 7;
    if (!has(full.error().to_string(), "disk is full")) return 8;
    if (contents(run->ledger_path()) != before) return 9;
    return ledger->append(kRejected, 1, failed_by("crash"), kNoon) && run->read_ledger() ? 0 : 10;
  });
  if (status == 77) {
    WARN("no right to mount a small tmpfs here");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("runs on a read-only file system can be read and not be worked on") {
  const Scratch scratch;
  const int status = in_child([&] {
    if (!mount_private_tmpfs(scratch.path(), "size=1m")) return 77;
    const auto run = RunDirectory::create(scratch.path(), kId, kFiles, kNoon);
    if (!run) return 2;
    if (!make_read_only(scratch.path())) return 77;
    const auto open = RunDirectory::open(scratch.path(), kId);
    if (!open || !open->read_ledger()) return 3;
    const auto ledger = open->open_ledger();
    if (ledger || ledger.error().exit_code != ExitCode::kEnvironment) return 4;
    const auto lock = open->lock("verify");
    if (lock || !has(lock.error().to_string(), "read-only: choose another place")) return 5;
    const auto other = RunDirectory::create(scratch.path(), kFiles, kNoon);
    if (other || other.error().exit_code != ExitCode::kEnvironment) return 6;
    return has(other.error().to_string(), "read-only") && list_runs(scratch.path()) ? 0 : 7;
  });
  if (status == 77) {
    WARN("no right to mount a tmpfs here");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("a directory without the right to write says so") {
  if (::getuid() == 0) {
    WARN("root may write everywhere: the read-only file system stands for this");
    return;
  }
  const Scratch scratch;
  const std::string root = scratch.file("runs");
  REQUIRE(RunDirectory::create(root, kId, kFiles, kNoon));
  REQUIRE(::chmod(root.c_str(), 0555) == 0);
  const auto run = RunDirectory::create(root, kFiles, kNoon);
  REQUIRE(::chmod(root.c_str(), 0755) == 0);
  REQUIRE(!run);
  CHECK(run.error().exit_code == ExitCode::kEnvironment);
  CHECK(has(run.error().to_string(), "check the permissions"));
}
