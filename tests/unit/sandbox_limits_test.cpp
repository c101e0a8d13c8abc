// Each limit ends what exceeds it, and nothing is left.
#include "sandbox_fixture.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

using namespace tensorpath;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a program that ignores every signal, or stops itself, ends at the time limit") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      for (const char* what : {"ignore_signals", "stop_self", "spin", "wait"}) {
        INFO(what);
        SandboxSpec spec = hostile.spec({what});
        spec.limits.wall_s = 0.2;
        const auto outcome = attempt(way, spec);
        CHECK(outcome.end == SandboxEnd::kWallLimit);
        CHECK(outcome.wall_s >= 0.2);
      }
    }
  }
}

TEST_CASE("CPU time is limited, also when it is spread over processes") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"spin"});
      spec.limits.cpu_s = 0.15;
      const auto alone = attempt(way, spec);
      CHECK(alone.end == SandboxEnd::kCpuLimit);
      CHECK(alone.cpu_s >= 0.14);
      spec.argv = {hostile.program(), "spin_in_children", "6"};
      CHECK(attempt(way, spec).end == SandboxEnd::kCpuLimit);
    }
  }
}

TEST_CASE("a fork bomb is contained") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"fork_bomb"});
      spec.limits.processes = 20;
      spec.limits.wall_s = 0.5;
      const auto outcome = attempt(way, spec);
      CHECK((outcome.end == SandboxEnd::kWallLimit || outcome.end == SandboxEnd::kProcessLimit));
      // Held by the kernel at the limit, or noticed and ended; there is a bound either way.
      CHECK(outcome.leftovers >= 10);
      CHECK(outcome.leftovers < 5000);
    }
  }
}

TEST_CASE("the kernel itself holds the number of processes, as root and as a user") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    if (!way.namespaces()) continue;
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"children", "200"});
      spec.limits.processes = 20;
      const auto outcome = attempt(way, spec);
      CHECK(outcome.end == SandboxEnd::kExited);
      CHECK(outcome.out == "19\n");
      CHECK(outcome.leftovers == 19);
      if (::geteuid() != 0) continue;
      // Root that must stay root is beyond that limit: the sandbox looks, and ends it.
      REQUIRE(make_directories(hostile.path("own")));
      REQUIRE(::chmod(hostile.path("own").c_str(), 0700) == 0);
      spec = hostile.spec({"fork_bomb"});
      spec.view.push_back({hostile.path("own"), {}, true, false});
      spec.limits.processes = 20;
      CHECK(attempt(way, spec).end == SandboxEnd::kProcessLimit);
    }
  }
}

TEST_CASE("a memory bomb is ended, by address space or by what is resident") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      for (const char* kind : {"private", "shared"}) {
        INFO(kind);
        SandboxSpec spec = hostile.spec({"memory_bomb", kind});
        spec.limits.address_space_bytes = 256U << 20;
        const auto by_address = attempt(way, spec);
        CHECK(by_address.end == SandboxEnd::kExited);
        CHECK(by_address.exit_code == ENOMEM);
        CHECK(by_address.peak_bytes < (300U << 20));
        spec.limits.address_space_bytes = 0;
        spec.limits.resident_bytes = 128U << 20;
        const auto by_resident = attempt(way, spec);
        CHECK(by_resident.end == SandboxEnd::kMemoryLimit);
        CHECK(by_resident.peak_bytes > (128U << 20));
      }
    }
  }
}

TEST_CASE("resident memory is that of all processes together") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"many_small", "6", "20000000"});
      spec.limits.resident_bytes = 100U << 20;
      CHECK(attempt(way, spec).end == SandboxEnd::kMemoryLimit);
    }
  }
}

TEST_CASE("a flood of output is cut and ended; its beginning is kept") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({"flood", "o"});
      spec.limits.output_bytes = 10'000;
      const auto out = attempt(way, spec);
      CHECK(out.end == SandboxEnd::kOutputLimit);
      CHECK(out.output_cut);
      CHECK(out.out == std::string(10'000, 'o'));
      spec.argv.back() = "e";
      const auto err = attempt(way, spec);
      CHECK(err.end == SandboxEnd::kOutputLimit);
      CHECK(err.err == std::string(10'000, 'e'));
      CHECK(err.out.empty());
    }
  }
}

TEST_CASE("output up to the limit is whole") {
  const Hostile hostile;
  SandboxSpec spec = hostile.spec({"print", std::string(6'000, 'a'), std::string(4'000, 'b')});
  spec.limits.output_bytes = 10'000;
  const auto outcome = attempt(ways().front(), spec);
  CHECK(outcome.end == SandboxEnd::kExited);
  CHECK(outcome.out == std::string(6'000, 'a'));
  CHECK(outcome.err == std::string(4'000, 'b'));
  CHECK(!outcome.output_cut);
}

TEST_CASE("a file cannot grow beyond its limit, nor the private /tmp") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const std::string target = hostile.path("out/big-" + way.name);
      SandboxSpec spec = hostile.spec({"fill", target, "10000000"});
      spec.limits.file_bytes = 1U << 20;
      CHECK(attempt(way, spec).exit_code == EFBIG);
      CHECK(std::filesystem::file_size(target) == 1U << 20);
      if (!way.namespaces()) continue;
      spec.argv = {hostile.program(), "fill", "/tmp/big", "10000000"};
      spec.limits.file_bytes = 1U << 30;
      spec.limits.tmp_bytes = 2U << 20;
      spec.tmp = true;
      CHECK(attempt(way, spec).exit_code == ENOSPC);
    }
  }
}

TEST_CASE("a daemon that is left behind is counted and gone") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto outcome = attempt(way, hostile.spec({"daemon"}));
      CHECK(outcome.end == SandboxEnd::kExited);
      CHECK(outcome.exit_code == 0);
      CHECK(outcome.leftovers == 1);
      CHECK(attempt(way, hostile.spec({"exit", "0"})).leftovers == 0);
    }
  }
}

TEST_CASE("the private temporary directory leaves nothing on the host") {
  const Hostile hostile;
  const auto entries = [] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("tensorpath-sandbox-", 0) == 0) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto before = entries();
      SandboxSpec spec = hostile.spec({"leave_in_tmp", way.namespaces() ? "/tmp" : ""});
      spec.tmp = true;
      spec.environment = {"TMPDIR=/tmp"};
      CHECK(attempt(way, spec).exit_code == 0);
      // Other tests may run beside this one, so only what was there before is certain to compare.
      for (const std::string& name : entries()) {
        INFO(name);
        const bool mine = !std::binary_search(before.begin(), before.end(), name) &&
                          std::filesystem::exists("/tmp/" + name + "/left");
        CHECK(!mine);
      }
    }
  }
}

TEST_CASE("an end by exit, by signal and by abort is told as it was") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto exited = attempt(way, hostile.spec({"exit", "17"}));
      CHECK(exited.end == SandboxEnd::kExited);
      CHECK(exited.exit_code == 17);
      for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
        const auto outcome = attempt(way, hostile.spec({"raise", std::to_string(signal)}));
        CHECK(outcome.end == SandboxEnd::kSignalled);
        CHECK(outcome.signal == signal);
      }
      CHECK(has(exited.level_reason, "runs as"));
    }
  }
}

TEST_CASE("all of it holds for a plain user") { repeat_as_plain_user(); }
