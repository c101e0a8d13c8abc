// A hostile program in a directory of its own, and the ways in which this machine can hold it.
#pragma once

#include "catch.h"
#include "sandbox/launch.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

struct Way {
  std::string name;
  sandbox::Machine machine;
  SandboxLevel level;

  [[nodiscard]] bool namespaces() const { return level == SandboxLevel::kNamespaces; }
  [[nodiscard]] bool view_holds() const { return level != SandboxLevel::kLimits; }
};

class Hostile {
 public:
  Hostile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sandbox-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
    std::filesystem::copy_file(SANDBOX_HOSTILE, program());
    std::filesystem::create_directory(writable());
    // Open to the user that root's sandboxes run as.
    REQUIRE(::chmod(path_.c_str(), 0755) == 0);
    REQUIRE(::chmod(program().c_str(), 0755) == 0);
    REQUIRE(give_to_sandbox(writable()));
  }
  ~Hostile() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Hostile(const Hostile&) = delete;
  Hostile& operator=(const Hostile&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string program() const { return path("hostile"); }
  [[nodiscard]] std::string writable() const { return path("out"); }

  [[nodiscard]] SandboxSpec spec(const std::vector<std::string>& arguments) const {
    SandboxSpec out;
    out.argv = {program()};
    out.argv.insert(out.argv.end(), arguments.begin(), arguments.end());
    out.view = {{program(), {}, false, false}, {writable(), {}, true, false}};
    out.limits.wall_s = 300;  // never reached where a test does not mean it, on a busy machine too
    return out;
  }

 private:
  std::string path_;
};

inline Expected<SandboxOutcome> run_on(const Way& way, const SandboxSpec& spec) {
  return SandboxLaunch::run(spec, SandboxMode::kBestEffort, way.machine);
}

inline std::string describe(const SandboxOutcome& outcome) {
  return std::string(to_string(outcome.end)) + ", exit " + std::to_string(outcome.exit_code) +
         ", signal " + std::to_string(outcome.signal) + ", leftovers " +
         std::to_string(outcome.leftovers) + ", " + std::to_string(outcome.wall_s) + " s, " +
         outcome.level_reason + outcome.start_error + "\nout: " + outcome.out.substr(0, 400) +
         "\nerr: " + outcome.err.substr(0, 400);
}

// The outcome of one attempt; the level must be the way's own.
inline SandboxOutcome attempt(const Way& way, const SandboxSpec& spec) {
  const auto outcome = run_on(way, spec);
  if (!outcome) FAIL(outcome.error().to_string());
  UNSCOPED_INFO(describe(*outcome));
  CHECK(outcome->level == way.level);
  CHECK(outcome->nothing_left);
  return *outcome;
}

// Every way that works here; the others are named.
inline std::vector<Way> ways() {
  static const std::vector<Way> usable = [] {
    const Way all[] = {
        {"namespaces made by root", {true, false, true, 99}, SandboxLevel::kNamespaces},
        {"namespaces made by a user", {false, true, true, 99}, SandboxLevel::kNamespaces},
        {"Landlock", {false, false, true, 99}, SandboxLevel::kLandlock},
        {"Landlock of Linux 5.15", {false, false, true, 1}, SandboxLevel::kLandlock},
        {"limits", {false, false, false, 0}, SandboxLevel::kLimits}};
    std::vector<Way> out;
    const Hostile hostile;
    for (const Way& way : all) {
      const auto outcome = run_on(way, hostile.spec({"exit", "0"}));
      if (outcome && outcome->level == way.level) {
        out.push_back(way);
      } else if (!way.machine.root_namespaces || ::geteuid() == 0) {
        WARN("not here: " << way.name);
      }
    }
    return out;
  }();
  return usable;
}

// Runs `body` in a child process and returns its exit status.
inline int in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Runs this whole test program once more as a user without rights, when it runs as root. One whom
// nobody else is: below namespaces the kernel counts all processes of a user, and a test beside
// this one may be a fork bomb.
inline void repeat_as_plain_user() {
  if (::geteuid() != 0) return;
  const int status = in_child([] {
    constexpr unsigned kNobody = 65534;
    const unsigned own = 61184U + static_cast<unsigned>(::getpid()) % 4096U;
    if (::setresgid(kNobody, kNobody, kNobody) != 0 ||
        (::setresuid(own, own, own) != 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ||
        ::access("/proc/self/exe", X_OK) != 0) {
      return 77;
    }
    ::execl("/proc/self/exe", "sandbox_test_as_nobody", static_cast<char*>(nullptr));
    return 77;
  });
  if (status == 77) {
    WARN("cannot run these tests as a plain user here");
  } else {
    CHECK(status == 0);
  }
}

}  // namespace tensorpath
