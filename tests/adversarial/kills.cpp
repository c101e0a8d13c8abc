#include "kills.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge.h>

namespace tensorpath::selftest {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// For the kernel to take down and hand over what a killed process had started.
constexpr std::chrono::seconds kGrace{5};
constexpr std::chrono::milliseconds kStep{5};
constexpr std::chrono::milliseconds kTick{1};
// Every so many kills one verification without the sanitizers' builds, which take most of the time.
constexpr int kShortEvery = 2;
constexpr double kHang = 300;  // seconds
constexpr int kMostTries = 50;
constexpr double kLonger = 1.02;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A directory for the runs, and one that the command takes for the temporary one.
class Place {
 public:
  Place() {
    path_ = (fs::temp_directory_path() / "selftest-kills-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
    if (!path_.empty()) fs::create_directories(temporary());
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string runs() const { return path_join(path_, "runs"); }
  [[nodiscard]] std::string temporary() const { return path_join(path_, "tmp"); }
  [[nodiscard]] std::string out() const { return path_join(path_, "out"); }
  [[nodiscard]] std::string err() const { return path_join(path_, "err"); }

 private:
  std::string path_;
};

std::string contents_of(const std::string& path) { return read_file(path).value_or(""); }

// Orphans come to this process instead of the machine's first one, so that none is lost sight of.
class Subreaper {
 public:
  Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
  Subreaper(const Subreaper&) = delete;
  Subreaper& operator=(const Subreaper&) = delete;
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); }
};

// Command lines of all processes below this one or that name `path`, this one left out.
std::vector<std::string> survivors(const std::string& path) {
  std::map<pid_t, std::pair<pid_t, std::string>> processes;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const pid_t pid = std::atoi(it->path().filename().c_str());
    if (pid <= 0) continue;
    std::ifstream stat(it->path() / "stat");
    std::string line;
    std::getline(stat, line);
    const std::size_t name_end = line.rfind(')');
    char state = 0;
    int parent = 0;
    if (name_end == std::string::npos ||
        std::sscanf(line.c_str() + name_end + 1, " %c %d", &state, &parent) != 2) {
      continue;
    }
    std::ifstream file(it->path() / "cmdline", std::ios::binary);
    std::string command{std::istreambuf_iterator<char>(file), {}};
    std::replace(command.begin(), command.end(), '\0', ' ');
    processes[pid] = {parent, fmt::format("{} {} {}", pid, state, command)};
  }
  std::vector<std::string> found;
  for (const auto& [pid, process] : processes) {
    if (pid == ::getpid()) continue;
    bool below = process.second.find(path) != std::string::npos;
    for (auto at = processes.find(pid); !below && at != processes.end();) {
      below = at->second.first == ::getpid();
      at = processes.find(at->second.first);
    }
    if (below) found.push_back(process.second);
  }
  return found;
}

// What is in the shared directories under names that sandboxes give, whatever TMPDIR says. Other
// users of the machine may run some too, so that only what stays counts.
std::set<std::string> shared_leftovers() {
  std::set<std::string> found;
  for (const char* directory : {"/tmp", "/dev/shm"}) {
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      const bool ours =
          name.starts_with("tensorpath-sandbox") || std::string_view(directory) != "/tmp";
      if (ours) found.insert(it->path().string());
    }
  }
  return found;
}

class Kills {
 public:
  Kills(std::string tensorpath, std::string candidate)
      : tensorpath_(std::move(tensorpath)),
        candidate_(std::move(candidate)),
        random_(std::random_device{}()) {}

  KillReport run(int count) {
    report_.tried = count;
    if (place_.path().empty()) {
      problem("no temporary directory");
      return report_;
    }
    shared_ = shared_leftovers();
    if (!create()) return report_;
    for (const bool brief : {false, true}) {
      const auto start = Clock::now();
      if (!verify_whole(brief)) return report_;
      length_[brief ? 1 : 0] = seconds_since(start);
    }
    check_the_checks();
    std::printf("verify takes %.2f s, without sanitizers %.2f s\n", length_[0], length_[1]);
    std::fflush(stdout);
    for (int i = 1; i <= count; ++i) {
      if (kill_one(i)) ++report_.clean;
    }
    check_end();
    std::string reached;
    for (const auto& [gate, times] : reached_) reached += fmt::format(", {} {}", gate, times);
    std::printf("killed after: %s\n", reached.empty() ? "" : reached.c_str() + 2);
    return report_;
  }

 private:
  void problem(const std::string& text) { report_.problems.push_back("kills: " + text); }

  pid_t start(const std::vector<std::string>& words) {
    std::vector<std::string> argv = {tensorpath_};
    argv.insert(argv.end(), words.begin(), words.end());
    std::vector<std::string> environment = {"TMPDIR=" + place_.temporary()};
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (std::strncmp(*entry, "TMPDIR=", 7) != 0) environment.emplace_back(*entry);
    }
    std::vector<char*> words_of;
    std::vector<char*> environment_of;
    for (std::string& word : argv) words_of.push_back(word.data());
    for (std::string& entry : environment) environment_of.push_back(entry.data());
    words_of.push_back(nullptr);
    environment_of.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
    ::posix_spawn_file_actions_addopen(&actions, 1, place_.out().c_str(), kFlags, 0600);
    ::posix_spawn_file_actions_addopen(&actions, 2, place_.err().c_str(), kFlags, 0600);
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, tensorpath_.c_str(), &actions, nullptr, words_of.data(),
                                     environment_of.data());
    ::posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? pid : -1;
  }

  // Waits at most `seconds`; takes in orphans meanwhile, as a machine's first process does.
  static bool ends_within(pid_t pid, double seconds, int& status) {
    const auto start = Clock::now();
    do {
      int other = 0;
      for (pid_t ended = 1; ended > 0;) {
        ended = ::waitpid(-1, &other, WNOHANG);
        if (ended == pid) status = other;
        if (ended == pid) return true;
      }
      std::this_thread::sleep_for(kTick);
    } while (seconds_since(start) < seconds);
    return false;
  }

  // The exit status; -1: it did not exit.
  static int status_of(pid_t pid) {
    int status = 0;
    if (pid < 0 || !ends_within(pid, kHang, status)) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  bool create() {
    const int status =
        status_of(start({"forge", "create", "--op", "rmsnorm", "--dtype", "fp32", "--shape",
                         "rows=1..16,hidden=1..300", "--cases", "8", "--runs", place_.runs()}));
    id_ = contents_of(place_.out());
    id_ = id_.substr(0, id_.find('\n'));
    if (status == 0 && !id_.empty()) return true;
    problem(
        fmt::format("forge create ended with status {}: {}", status, contents_of(place_.err())));
    return false;
  }

  pid_t start_verify(bool brief) {
    std::vector<std::string> words = {"forge",     "verify",      "--run-id",    id_,
                                      "--runs",    place_.runs(), "--candidate", candidate_,
                                      "--sandbox", "best-effort"};
    if (brief) words.emplace_back("--no-sanitizers");
    return start(words);
  }

  bool verify_whole(bool brief) {
    const int status = status_of(start_verify(brief));
    if (status == 0) return true;
    problem(fmt::format("verify ended with status {}: {}{}", status, contents_of(place_.out()),
                        contents_of(place_.err())));
    return false;
  }

  bool kill_one(int number) {
    const bool brief = number % kShortEvery == 0;
    const std::size_t before = report_.problems.size();
    double& length = length_[brief ? 1 : 0];
    int status = 0;
    double delay = 0;
    // A run that was over sooner says that runs are shorter than thought, and does not count.
    for (int i = 0; i < kMostTries && !WIFSIGNALED(status); ++i) {
      delay = std::uniform_real_distribution<>(0, length)(random_);
      const auto start = Clock::now();
      if (!kill_after(delay, brief, status)) return false;
      length = WIFSIGNALED(status) ? length * kLonger : std::min(length, seconds_since(start));
    }
    where_ = fmt::format("kill {} after {:.0f} ms ({})", number, delay * 1e3, note_gate(status));
    if (!WIFSIGNALED(status)) problem(where_ + ": it always ended before it was killed");
    check_processes();
    check_shared();
    check_directory(false);
    check_ledger();
    return report_.problems.size() == before;
  }

  // False: it does not start, or ended with an error before it was killed.
  bool kill_after(double delay, bool brief, int& status) {
    const pid_t pid = start_verify(brief);
    if (pid < 0) {
      problem("verify does not start");
      return false;
    }
    if (!ends_within(pid, delay, status)) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    if (WIFSIGNALED(status) || WEXITSTATUS(status) == 0) return true;
    problem(fmt::format("verify after a kill ended with status {}: {}{}", WEXITSTATUS(status),
                        contents_of(place_.out()), contents_of(place_.err())));
    return false;
  }

  std::string note_gate(int status) {
    std::string text = contents_of(place_.err());
    std::string gate = "start";
    for (std::size_t from = 0, end = 0; (end = text.find('\n', from)) != std::string::npos;
         from = end + 1) {
      gate = text.substr(from, std::min(text.find(' ', from), end) - from);
    }
    if (!WIFSIGNALED(status)) gate = "the end";
    ++reached_[gate];
    return "after " + gate;
  }

  void check_processes() {
    const auto start = Clock::now();
    std::vector<std::string> left;
    do {
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      left = survivors(place_.runs());
      if (left.empty()) return;
      std::this_thread::sleep_for(kStep);
    } while (Clock::now() - start < kGrace);
    for (const std::string& process : left) problem(where_ + ": process left: " + process);
  }

  void check_shared() {
    std::error_code error;
    for (fs::directory_iterator it(place_.temporary(), error), end; !error && it != end;
         it.increment(error)) {
      problem(where_ + ": left in the temporary directory: " + it->path().filename().string());
      fs::remove_all(it->path(), error);
    }
    for (const std::string& path : shared_leftovers()) {
      if (shared_.insert(path).second) suspects_[path] = where_;
    }
  }

  // Files are whole. What a killed attempt was compiling may lie there until the next one begins.
  // Where the killed verification kept an attempt that has no verdict yet: the next one removes it
  // whole. Empty: there is none.
  std::string undecided_attempt() {
    const auto run = forge::RunDirectory::open(place_.runs(), id_);
    const auto history = run ? run->read_ledger() : tl::unexpected(run.error());
    if (!history || history->attempts() == 0) return {};
    const forge::LedgerEvent last = history->latest().state;
    const bool ended = last == forge::LedgerEvent::kVerified ||
                       last == forge::LedgerEvent::kRejected || last == forge::LedgerEvent::kVoid;
    return ended ? "" : fmt::format("attempts/{}/", history->attempts());
  }

  void check_directory(bool resumed) {
    const std::string root = path_join(place_.runs(), id_);
    const std::string undecided = resumed ? "" : undecided_attempt();
    std::error_code error;
    for (fs::recursive_directory_iterator it(root, error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      const std::string path = fs::path(it->path()).lexically_relative(root).string();
      if (it->is_directory() && name == "build") {
        if (resumed) problem("after the last verify there is still " + path);
        it.disable_recursion_pending();
        continue;
      }
      if (name.starts_with('.') || name.ends_with(".tmp")) {
        if (!undecided.empty() && path.starts_with(undecided)) continue;
        problem(fmt::format("{}: a temporary file: {}", where_, path));
      } else if (name.ends_with(".json") &&
                 Json::parse(contents_of(it->path()), nullptr, false).is_discarded()) {
        problem(fmt::format("{}: not whole: {}", where_, path));
      } else if (it->is_regular_file() && name != "lock" && name != "ledger.jsonl" &&
                 it->file_size() == 0) {
        problem(fmt::format("{}: empty: {}", where_, path));
      }
    }
    if (error) problem(fmt::format("{}: {}", root, error.message()));
    for (const std::string& name : list_directories(place_.runs())) {
      if (name != id_) problem(fmt::format("{}: {} appeared beside the run", where_, name));
    }
  }

  void check_ledger() {
    const auto run = forge::RunDirectory::open(place_.runs(), id_);
    const auto history = run ? run->read_ledger() : tl::unexpected(run.error());
    if (!history) problem(fmt::format("{}: {}", where_, history.error().to_string()));
  }

  // A check that cannot fail proves nothing: each is shown what it is there to find.
  void check_the_checks() {
    const auto finds = [this](const std::string& what, const std::string& expected,
                              const auto& plant, const auto& check, const auto& remove) {
      const std::vector<std::string> before = report_.problems;
      plant();
      check();
      remove();
      const bool found = std::any_of(
          report_.problems.begin() + static_cast<std::ptrdiff_t>(before.size()),
          report_.problems.end(),
          [&](const std::string& text) { return text.find(expected) != std::string::npos; });
      report_.problems = before;
      if (!found) problem("the checks do not see " + what);
    };
    where_ = "planted";
    const std::string run = path_join(place_.runs(), id_);
    const auto in_file = [](const std::string& path, const std::string& text) {
      return [path, text] { std::ofstream(path, std::ios::app) << text; };
    };
    const auto without = [](const std::string& path) { return [path] { fs::remove(path); }; };
    const std::string stray = path_join(place_.temporary(), "stray");
    finds(
        "a file in the temporary directory", "left in the temporary directory", in_file(stray, "x"),
        [this] { check_shared(); }, without(stray));
    const std::string torn = path_join(run, "torn.json");
    finds(
        "half a file", "not whole", in_file(torn, "{\"a\": "), [this] { check_directory(false); },
        without(torn));
    const std::string temporary = path_join(run, ".task.yaml.1");
    finds(
        "a temporary file", "a temporary file", in_file(temporary, "x"),
        [this] { check_directory(false); }, without(temporary));
    const std::string ledger = path_join(run, "ledger.jsonl");
    const std::string lines = contents_of(ledger);
    finds(
        "a ledger that was changed", "ledger",
        [&] {
          std::string changed = lines;
          changed[lines.size() / 2] = changed[lines.size() / 2] == '0' ? '1' : '0';
          std::ofstream(ledger, std::ios::trunc) << changed;
        },
        [this] { check_ledger(); }, [&] { std::ofstream(ledger, std::ios::trunc) << lines; });
    pid_t orphan = -1;
    finds(
        "a process", "process left",
        [&] {
          orphan = ::fork();
          if (orphan == 0) {
            ::pause();
            ::_exit(0);
          }
        },
        [this] { check_processes(); },
        [&] {
          ::kill(orphan, SIGKILL);
          ::waitpid(orphan, nullptr, 0);
        });
  }

  // The next verification works, and no attempt is left without an end.
  void check_end() {
    where_ = "at the end";
    if (!verify_whole(false)) return;
    check_processes();
    check_directory(true);
    const auto run = forge::RunDirectory::open(place_.runs(), id_);
    const auto history = run ? run->read_ledger() : tl::unexpected(run.error());
    if (!history) {
      problem(history.error().to_string());
      return;
    }
    for (int attempt = 1; attempt <= history->attempts(); ++attempt) {
      const auto state = history->state_of(attempt);
      if (!state || (state->state != forge::LedgerEvent::kVoid &&
                     state->state != forge::LedgerEvent::kVerified)) {
        problem("at the end: " + (state ? forge::state_sentence(*state) : "no state"));
      }
    }
    if (history->latest().state != forge::LedgerEvent::kVerified) {
      problem("the last attempt is not verified");
    }
    const std::set<std::string> still = shared_leftovers();
    for (const auto& [path, where] : suspects_) {
      if (still.contains(path)) problem(fmt::format("{}: left behind: {}", where, path));
    }
  }

  std::string tensorpath_;
  std::string candidate_;
  std::mt19937_64 random_;
  Subreaper subreaper_;
  Place place_;
  std::string id_;
  std::string where_;
  double length_[2] = {0, 0};
  std::set<std::string> shared_;
  std::map<std::string, std::string> suspects_;  // path -> the kill after which it was there
  std::map<std::string, int> reached_;
  KillReport report_;
};

}  // namespace

KillReport run_kills(int count, const std::string& tensorpath, const std::string& candidate) {
  return Kills(tensorpath, candidate).run(count);
}

}  // namespace tensorpath::selftest
