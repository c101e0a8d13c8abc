// What a program inside can see, change and reach, at each level.
#include "sandbox_fixture.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <set>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace tensorpath;

namespace {

class Listener {
 public:
  Listener(int family, const sockaddr* address, socklen_t size)
      : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(::bind(fd_, address, size) == 0);
    REQUIRE(::listen(fd_, 1) == 0);
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] int port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    return ntohs(address.sin_port);
  }

 private:
  int fd_;
};

Listener listen_on_loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return {AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address};
}

Listener listen_on_abstract(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, name.size());
  return {AF_UNIX, reinterpret_cast<const sockaddr*>(&address),
          static_cast<socklen_t>(sizeof(sa_family_t) + 1 + name.size())};
}

bool worked(const SandboxOutcome& outcome) {
  return outcome.end == SandboxEnd::kExited && outcome.exit_code == 0;
}

bool refused(const SandboxOutcome& outcome) {
  return outcome.end == SandboxEnd::kExited && outcome.exit_code != 0;
}

std::set<std::string> lines(const std::string& text) {
  std::set<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.insert(line);
  return out;
}

}  // namespace

TEST_CASE("files outside of the view cannot be read") {
  const Hostile hostile;
  REQUIRE(write_file_atomic(hostile.path("secret"), "x"));
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      // The attempt itself works where it may.
      CHECK(worked(attempt(way, hostile.spec({"read", hostile.program()}))));
      if (!way.view_holds()) continue;
      CHECK(refused(attempt(way, hostile.spec({"read", "/etc/passwd"}))));
      CHECK(refused(attempt(way, hostile.spec({"read", hostile.path("secret")}))));
      CHECK(refused(attempt(way, hostile.spec({"read", "/proc/self/environ"}))));
      CHECK(refused(attempt(way, hostile.spec({"list", "/home"}))));
      CHECK(refused(attempt(way, hostile.spec({"list", "/root"}))));
      CHECK(refused(attempt(way, hostile.spec({"list", "/dev/shm"}))));
    }
  }
}

TEST_CASE("with namespaces nothing exists but the view") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.namespaces()) continue;
    DYNAMIC_SECTION(way.name) {
      CHECK(lines(attempt(way, hostile.spec({"list", "/"})).out) ==
            std::set<std::string>{".", "..", "dev", "tmp"});
      SandboxSpec spec = hostile.spec({"read", "/box/file"});
      REQUIRE(write_file_atomic(hostile.path("file"), "x"));
      REQUIRE(give_to_sandbox(hostile.path("file")));
      spec.view.push_back({hostile.path("file"), "/box/file", false, false});
      CHECK(worked(attempt(way, spec)));
      spec.argv = {hostile.program(), "write", "/box/file"};
      CHECK(attempt(way, spec).exit_code == EROFS);
      spec.argv = {hostile.program(), "list", hostile.path("")};
      const std::string listed = attempt(way, spec).out;
      CHECK(listed.find("file") == std::string::npos);
      CHECK(listed.find("hostile") != std::string::npos);
    }
  }
}

TEST_CASE("a view inside a view is what the inner one says") {
  const Hostile hostile;
  REQUIRE(make_directories(hostile.path("outer/inner")));
  REQUIRE(give_to_sandbox(hostile.path("outer/inner")));
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"write", hostile.path("outer/inner/file")});
      spec.view.push_back({hostile.path("outer/inner"), {}, true, false});
      spec.view.push_back({hostile.path("outer"), {}, false, false});
      CHECK(worked(attempt(way, spec)));
      spec.argv.back() = hostile.path("outer/file");
      CHECK(refused(attempt(way, spec)));
    }
  }
}

TEST_CASE("what was given to a sandbox can be written, whoever it runs as") {
  const Hostile hostile;
  // Nobody but its owner may enter: root's sandbox stays root's, without capabilities.
  REQUIRE(make_directories(hostile.path("closed")));
  std::filesystem::permissions(hostile.path("closed"), std::filesystem::perms::owner_all);
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"write", hostile.writable() + "/file"});
      CHECK(worked(attempt(way, spec)));
      std::filesystem::remove(hostile.writable() + "/file");
      spec.view.push_back({hostile.path("closed"), {}, false, false});
      CHECK(worked(attempt(way, spec)));
      std::filesystem::remove(hostile.writable() + "/file");
    }
  }
}

TEST_CASE("a view that cannot be made does not lower the level") {
  const Hostile hostile;
  REQUIRE(make_directories(hostile.path("outer")));
  std::filesystem::create_directory_symlink("/usr", hostile.path("outer/link"));
  for (const Way& way : ways()) {
    if (!way.namespaces()) continue;
    DYNAMIC_SECTION(way.name) {
      for (const char* inside : {"absent", "link/lib"}) {
        SandboxSpec spec = hostile.spec({"exit", "0"});
        spec.view.push_back({hostile.path("outer"), {}, false, false});
        spec.view.push_back({"/usr", hostile.path("outer/") + inside, false, false});
        const auto outcome = run_on(way, spec);
        REQUIRE(outcome);
        CHECK(outcome->end == SandboxEnd::kStartFailed);
        CHECK(outcome->start_error.find(hostile.path("outer/") + inside) != std::string::npos);
      }
      CHECK(!file_exists(hostile.path("outer/absent")));
    }
  }
}

TEST_CASE("nothing can be written but the writable part of the view") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const std::string target = hostile.path("out/new-" + way.name);
      CHECK(worked(attempt(way, hostile.spec({"write", target}))));
      CHECK(file_exists(target));
      if (!way.view_holds()) continue;
      for (const std::string& path :
           {hostile.program(), hostile.path("new"), std::string("/tmp/sandbox-test-new"),
            std::string("/dev/shm/sandbox-test-new"), std::string("/new"),
            std::string("/proc/sys/kernel/core_pattern")}) {
        INFO(path);
        CHECK(refused(attempt(way, hostile.spec({"write", path}))));
        SandboxSpec spec = hostile.spec({"write", path});
        spec.need_proc = true;
        CHECK(refused(attempt(way, spec)));
      }
    }
  }
}

TEST_CASE("no file can be left behind that runs as its owner") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      const std::string target = hostile.path("out/owner-" + way.name);
      CHECK(refused(attempt(way, hostile.spec({"set_user_id", target}))));
      struct stat status {};
      REQUIRE(::stat(target.c_str(), &status) == 0);
      CHECK((status.st_mode & (S_ISUID | S_ISGID)) == 0);
    }
  }
}

TEST_CASE("there is no network, and no socket of the host") {
  const Hostile hostile;
  const Listener tcp = listen_on_loopback();
  const std::string name = "sandbox-test-" + std::to_string(::getpid());
  const Listener abstract = listen_on_abstract(name);
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto by_tcp = attempt(way, hostile.spec({"connect", std::to_string(tcp.port())}));
      const auto by_name = attempt(way, hostile.spec({"connect_abstract", name}));
      CHECK(worked(by_tcp) == !way.view_holds());  // the attempt itself works
      CHECK(worked(by_name) == !way.view_holds());
    }
  }
}

TEST_CASE("the parent cannot be seen, signalled, traced or read") {
  const Hostile hostile;
  const std::string parent = std::to_string(::getpid());
  const std::uint64_t secret = 42;
  const std::string address = std::to_string(reinterpret_cast<std::uintptr_t>(&secret));
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      for (const bool proc : {false, true}) {
        SandboxSpec spec = hostile.spec({"signal", parent, "0"});
        spec.need_proc = proc;
        CHECK(refused(attempt(way, spec)));
        spec.argv = {hostile.program(), "trace", parent};
        CHECK(refused(attempt(way, spec)));
        spec.argv = {hostile.program(), "read_memory", parent, address};
        CHECK(refused(attempt(way, spec)));
        spec.argv = {hostile.program(), "read", "/proc/" + parent + "/environ"};
        CHECK(refused(attempt(way, spec)));
        spec.argv = {hostile.program(), "read", "/proc/self/status"};
        CHECK(worked(attempt(way, spec)) == proc);
      }
    }
  }
}

TEST_CASE("the sandbox's own init cannot be ended, stopped or read from inside") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.namespaces()) continue;
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"signal", "1", std::to_string(SIGKILL)});
      spec.need_proc = true;
      CHECK(attempt(way, spec).end == SandboxEnd::kExited);
      spec.argv = {hostile.program(), "signal", "1", std::to_string(SIGSTOP)};
      CHECK(attempt(way, spec).end == SandboxEnd::kExited);
      spec.argv = {hostile.program(), "read", "/proc/1/mem"};
      CHECK(refused(attempt(way, spec)));
      spec.argv = {hostile.program(), "read", "/proc/1/environ"};
      CHECK(refused(attempt(way, spec)));
    }
  }
}

TEST_CASE("system calls that lead out are refused") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      CHECK(attempt(way, hostile.spec({"escape"})).out.empty());
      SandboxSpec spec = hostile.spec({"escape"});
      spec.memfd = true;
      CHECK(attempt(way, spec).out == "memfd_create\n");
    }
  }
}

TEST_CASE(
    "limits and priorities of other processes are out of reach, and so is a signal by descriptor") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.view_holds()) continue;
    DYNAMIC_SECTION(way.name) {
      // The init in its own namespace; outside of one, this very process.
      const std::string pid = way.namespaces() ? "1" : std::to_string(::getpid());
      const auto outcome = attempt(way, hostile.spec({"meddle", pid}));
      CHECK(outcome.end == SandboxEnd::kExited);
      CHECK(outcome.out.empty());
    }
  }
}

TEST_CASE("root's sandboxes run as an unprivileged user where the view allows it") {
  if (::geteuid() != 0) return;
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const std::string target = hostile.path("out/owned-" + way.name);
      const auto given = attempt(way, hostile.spec({"write", target}));
      CHECK(given.level_reason.find("runs as user 65534") != std::string::npos);
      struct stat status {};
      REQUIRE(::stat(target.c_str(), &status) == 0);
      CHECK(status.st_uid == 65534);
      // A directory that is root's alone is still writable, and the report says what that took.
      REQUIRE(make_directories(hostile.path("own")));
      REQUIRE(::chmod(hostile.path("own").c_str(), 0700) == 0);
      SandboxSpec spec = hostile.spec({"write", hostile.path("own/file")});
      spec.view.push_back({hostile.path("own"), {}, true, false});
      const auto kept = attempt(way, spec);
      CHECK(worked(kept));
      CHECK(kept.level_reason.find("runs as root without capabilities") != std::string::npos);
      if (!way.view_holds()) continue;
      spec.need_proc = true;
      for (const bool own : {false, true}) {
        spec.own_proc = own;
        spec.argv = {hostile.program(), "open_to_write", "/proc/sys/kernel/core_pattern"};
        CHECK(refused(attempt(way, spec)));
        spec.argv.back() = "/proc/sysrq-trigger";
        CHECK(refused(attempt(way, spec)));
        spec.argv.back() = "/proc/self/comm";
        CHECK(worked(attempt(way, spec)) == own);
      }
    }
  }
}

TEST_CASE("all of it holds for a plain user") { repeat_as_plain_user(); }
