// A program that lives beside this one: frozen, thawed, watched, killed; and gone when we are.
#include "sandbox_fixture.h"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace tensorpath;

namespace {

struct Counters {
  int fd = -1;
  std::atomic<std::uint64_t>* values = nullptr;

  Counters() : fd(::memfd_create("counters", MFD_CLOEXEC)) {
    REQUIRE(::ftruncate(fd, 4096) == 0);
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REQUIRE(memory != MAP_FAILED);
    values = static_cast<std::atomic<std::uint64_t>*>(memory);
  }
  ~Counters() {
    ::munmap(values, 4096);
    ::close(fd);
  }
  Counters(const Counters&) = delete;
  Counters& operator=(const Counters&) = delete;

  // From what it is now, within a minute or so.
  [[nodiscard]] bool grows(int index) const {
    const std::uint64_t before = values[index];
    for (int round = 0; round < 60'000 && values[index] == before; ++round) ::usleep(1000);
    return values[index] != before;
  }
  [[nodiscard]] bool rests(int index) const {
    const std::uint64_t before = values[index];
    ::usleep(20'000);
    return values[index] == before;
  }
};

SandboxedProcess start_on(const Way& way, const SandboxSpec& spec) {
  auto process = SandboxLaunch::start(spec, SandboxMode::kBestEffort, way.machine);
  if (!process) FAIL(process.error().to_string());
  CHECK(process->level() == way.level);
  return std::move(*process);
}

// What becomes readable, or reaches its end, within a minute.
bool readable(int fd) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, 60'000) == 1;
}

bool at_end(int fd) {
  char byte = 0;
  while (readable(fd)) {
    const ssize_t count = ::read(fd, &byte, 1);
    if (count == 0) return true;
    if (count < 0) return false;
  }
  return false;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(
      std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

TEST_CASE("a frozen program rests, all its threads with it, and goes on when thawed") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const Counters counters;
      SandboxSpec spec = hostile.spec({"count", "5", "alone"});
      spec.fds = {{counters.fd, 5}};
      SandboxedProcess process = start_on(way, spec);
      REQUIRE(counters.grows(0));
      for (int round = 0; round < 5; ++round) {
        REQUIRE(process.freeze());
        CHECK(process.frozen_or_stopped());
        CHECK(counters.rests(0));
        CHECK(process.alive());
        REQUIRE(process.thaw());
        CHECK(counters.grows(0));
        CHECK(!process.frozen_or_stopped());
      }
      const auto outcome = process.kill_and_wait();
      CHECK(outcome.end == SandboxEnd::kKilled);
      CHECK(outcome.nothing_left);
      CHECK(!process.alive());
      CHECK(!process.freeze());
      CHECK(!process.thaw());
    }
  }
}

TEST_CASE("a child that undoes the stop of its parent is frozen with it") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const Counters counters;
      SandboxSpec spec = hostile.spec({"count", "5", "child"});
      spec.fds = {{counters.fd, 5}};
      SandboxedProcess process = start_on(way, spec);
      REQUIRE(counters.grows(1));
      REQUIRE(process.freeze());
      CHECK(counters.rests(0));
      CHECK(counters.rests(1));
      CHECK(process.frozen_or_stopped());
      const auto outcome = process.kill_and_wait();
      CHECK(outcome.nothing_left);
    }
  }
}

TEST_CASE("a program that stops itself is noticed") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxedProcess process = start_on(way, hostile.spec({"stop_self"}));
      bool stopped = false;
      for (int round = 0; round < 60'000 && !stopped; ++round) {
        stopped = process.frozen_or_stopped();
        ::usleep(1000);
      }
      CHECK(stopped);
      CHECK(process.alive());
      REQUIRE(process.thaw());
      const auto outcome = process.wait(100);
      CHECK(outcome.end == SandboxEnd::kExited);
    }
  }
}

TEST_CASE("the end can be polled for, and waiting has an end") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxedProcess ending = start_on(way, hostile.spec({"exit", "3"}));
      CHECK(readable(ending.pidfd()));
      const auto ended = ending.wait(100);
      CHECK(ended.end == SandboxEnd::kExited);
      CHECK(ended.exit_code == 3);
      CHECK(ending.kill_and_wait().exit_code == 3);  // asked again, told the same

      SandboxedProcess lasting = start_on(way, hostile.spec({"wait"}));
      CHECK(lasting.wait(0.05).end == SandboxEnd::kWallLimit);
      CHECK(!lasting.alive());
    }
  }
}

TEST_CASE("descriptors arrive under their numbers, whatever the numbers are") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      constexpr int kFirst = 3;
      constexpr int kLast = 40;
      // In reverse, over every number that may be in use on the way, so that whoever does not look
      // overwrites one.
      SandboxSpec spec =
          hostile.spec({"write_descriptors", std::to_string(kFirst), std::to_string(kLast)});
      int ends[kLast + 1][2];
      for (int fd = kFirst; fd <= kLast; ++fd) REQUIRE(::pipe2(ends[fd], O_CLOEXEC) == 0);
      for (int fd = kLast; fd >= kFirst; --fd) spec.fds.push_back({ends[fd][1], fd});
      CHECK(attempt(way, spec).exit_code == 0);
      for (int fd = kFirst; fd <= kLast; ++fd) {
        ::close(ends[fd][1]);
        char text[8] = {};
        CHECK(::read(ends[fd][0], text, sizeof text - 1) > 0);
        CHECK(text == std::to_string(fd));
        CHECK(at_end(ends[fd][0]));
        ::close(ends[fd][0]);
      }
    }
  }
}

TEST_CASE("the program starts clean: descriptors, signals, environment, directory") {
  const Hostile hostile;
  const int leaked = ::open("/dev/null", O_RDONLY);  // without close-on-exec
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"state"});
      spec.working_directory = hostile.writable();
      CHECK(attempt(way, spec).out ==
            "fd 0\nfd 1\nfd 2\nstdin 0\ncore 0\ncwd " + hostile.writable() + "\n");
      spec.argv = {hostile.program(), "environment"};
      CHECK(attempt(way, spec).out.empty());
      spec.environment = {"A=1", "B=x=y"};
      CHECK(attempt(way, spec).out == "A=1\nB=x=y\n");
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::close(leaked);
}

TEST_CASE("addresses can be fixed") {
  const Hostile hostile;
  SandboxSpec spec = hostile.spec({"address"});
  spec.fixed_addresses = true;
  const Way way = ways().front();
  CHECK(attempt(way, spec).out == attempt(way, spec).out);
  spec.fixed_addresses = false;
  const std::string first = attempt(way, spec).out;
  bool varies = false;
  for (int round = 0; round < 10 && !varies; ++round) varies = attempt(way, spec).out != first;
  CHECK(varies);
}

TEST_CASE("nothing is left when the parent is killed, at whatever moment") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      for (int round = 0; round < 25; ++round) {
        int held[2];
        REQUIRE(::pipe2(held, O_CLOEXEC) == 0);
        const pid_t parent = ::fork();
        REQUIRE(parent >= 0);
        if (parent == 0) {
          SandboxSpec spec = hostile.spec({"hold", "7"});
          spec.fds = {{held[1], 7}};
          spec.tmp = true;
          const auto outcome = run_on(way, spec);
          ::_exit(outcome ? 0 : 1);
        }
        ::close(held[1]);
        // From before the first system call to well after the start; the last ones wait for it.
        if (round < 20) {
          ::usleep(static_cast<useconds_t>(700 * round));
        } else {
          CHECK(readable(held[0]));
        }
        ::kill(parent, SIGKILL);
        REQUIRE(::waitpid(parent, nullptr, 0) == parent);
        INFO("round " << round);
        // The end of the pipe: no process holds it any more.
        CHECK(at_end(held[0]));
        ::close(held[0]);
      }
    }
  }
}

TEST_CASE("it does not end with the thread that started it") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      std::unique_ptr<SandboxedProcess> process;
      std::thread([&] {
        process = std::make_unique<SandboxedProcess>(start_on(way, hostile.spec({"wait"})));
      }).join();
      ::usleep(20'000);
      CHECK(process->alive());
    }
  }
}

TEST_CASE("200 runs leave no descriptor and no process behind") {
  const Hostile hostile;
  const Way way = ways().front();
  (void)attempt(way, hostile.spec({"exit", "0"}));
  const std::size_t before = open_descriptors();
  for (int round = 0; round < 200; ++round) {
    const auto outcome = run_on(way, hostile.spec({round % 2 == 0 ? "exit" : "absent", "0"}));
    REQUIRE(outcome);
  }
  SandboxSpec wrong = hostile.spec({});
  wrong.argv[0] = "/absent";
  CHECK(run_on(way, wrong)->end == SandboxEnd::kStartFailed);
  CHECK(open_descriptors() == before);
  CHECK(!has_children());
}

TEST_CASE("many sandboxes at once keep apart") {
  const Hostile hostile;
  const Way way = ways().front();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 5; ++round) {
        const std::string word = std::to_string(i) + "-" + std::to_string(round);
        const auto outcome = run_on(way, hostile.spec({"print", word, ""}));
        if (outcome && outcome->out == word && outcome->nothing_left) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 40);
}

TEST_CASE("all of it holds for a plain user") { repeat_as_plain_user(); }
