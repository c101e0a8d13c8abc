// Wrong specs, programs that cannot be started, and machines that allow less.
#include "sandbox_fixture.h"

using namespace tensorpath;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string refusal(const SandboxSpec& spec) {
  const auto outcome = run_sandboxed(spec, SandboxMode::kBestEffort);
  REQUIRE(!outcome);
  CHECK(outcome.error().exit_code == ExitCode::kUsage);
  return outcome.error().to_string();
}

}  // namespace

TEST_CASE("a wrong spec is refused by name") {
  const Hostile hostile;
  const SandboxSpec right = hostile.spec({"exit", "0"});
  SandboxSpec spec = right;
  spec.argv = {};
  CHECK(has(refusal(spec), "no program"));
  spec.argv = {"hostile"};
  CHECK(has(refusal(spec), "'hostile' is not a plain absolute path"));
  spec = right;
  spec.working_directory = "/tmp/../etc";
  CHECK(has(refusal(spec), "'/tmp/../etc'"));
  for (const char* path : {"relative", "/a/../b", "/a//b", "/a/", "/./a", ""}) {
    INFO(path);
    spec = right;
    spec.view.push_back({path, {}, false, false});
    CHECK(has(refusal(spec), "is not a plain absolute path"));
  }
  spec = right;
  spec.view.push_back({"/usr", "usr", false, false});
  CHECK(has(refusal(spec), "'usr'"));
  spec = right;
  spec.view.push_back({hostile.path("absent"), {}, false, false});
  CHECK(has(refusal(spec), hostile.path("absent") + "' into the view: No such file"));
  spec = right;
  spec.view.push_back({"/usr", {}, false, true});
  CHECK(has(refusal(spec), "'/usr' is not a device"));
  spec = right;
  spec.environment = {"NAME"};
  CHECK(has(refusal(spec), "'NAME' is not NAME=value"));
  spec = right;
  spec.fds = {{0, 2}};
  CHECK(has(refusal(spec), "descriptor 2 cannot be"));
  spec.fds = {{999, 5}};
  CHECK(has(refusal(spec), "descriptor 999 is not open"));
  spec.fds = {{0, 5}, {1, 5}};
  CHECK(has(refusal(spec), "passed twice"));
  spec = right;
  spec.limits.wall_s = -1;
  CHECK(has(refusal(spec), "negative"));
  spec = right;
  spec.limits.processes = 0;
  CHECK(has(refusal(spec), "1 process"));
}

TEST_CASE("a program that cannot be run says why") {
  const Hostile hostile;
  REQUIRE(write_file_atomic(hostile.path("out/text"), "not a program"));
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec = hostile.spec({});
      spec.argv[0] = hostile.path("absent");
      const auto absent = run_on(way, spec);
      REQUIRE(absent);
      CHECK(absent->end == SandboxEnd::kStartFailed);
      CHECK(has(absent->start_error, "cannot run '" + hostile.path("absent") + "': "));
      CHECK(absent->nothing_left);
      CHECK(absent->level == way.level);
      spec.argv[0] = hostile.path("out/text");
      const auto text = run_on(way, spec);
      REQUIRE(text);
      CHECK(text->end == SandboxEnd::kStartFailed);
      spec = hostile.spec({"exit", "0"});
      spec.working_directory = "/absent";
      CHECK(has(run_on(way, spec)->start_error, "cannot enter '/absent'"));
      const auto process = SandboxLaunch::start(spec, SandboxMode::kBestEffort, way.machine);
      REQUIRE(!process);
      CHECK(process.error().exit_code == ExitCode::kEnvironment);
      CHECK(has(process.error().to_string(), "cannot enter '/absent'"));
    }
  }
}

TEST_CASE("strict is namespaces or an error that says what is missing") {
  const Hostile hostile;
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto outcome =
          SandboxLaunch::run(hostile.spec({"exit", "0"}), SandboxMode::kStrict, way.machine);
      if (way.namespaces()) {
        REQUIRE(outcome);
        CHECK(outcome->level == SandboxLevel::kNamespaces);
      } else {
        REQUIRE(!outcome);
        CHECK(outcome.error().exit_code == ExitCode::kEnvironment);
        CHECK(has(outcome.error().to_string(), "strict sandbox is not possible here"));
        CHECK(has(outcome.error().to_string(), "best-effort"));
      }
    }
  }
}

TEST_CASE("a kernel that refuses namespaces is fallen back from, and the report says so") {
  const Hostile hostile;
  // A limit of nought on namespaces is such a kernel, for this process and its children.
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWUSER) != 0) return 77;
    // Without a map this user may make no namespace inside.
    const auto outcome = run_sandboxed(hostile.spec({"exit", "5"}), SandboxMode::kBestEffort);
    if (!outcome) return 2;
    if (outcome->level == SandboxLevel::kNamespaces) return 3;
    if (outcome->exit_code != 5 || !outcome->nothing_left) return 4;
    if (!has(outcome->level_reason, "cannot make namespaces: ")) return 5;
    const auto strict = run_sandboxed(hostile.spec({"exit", "5"}), SandboxMode::kStrict);
    if (strict || strict.error().exit_code != ExitCode::kEnvironment) return 6;
    return has(strict.error().to_string(), "cannot make namespaces: ") ? 0 : 7;
  });
  if (status == 77) {
    WARN("no user namespaces here at all");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("a view that renames needs namespaces") {
  const Hostile hostile;
  SandboxSpec spec = hostile.spec({"exit", "0"});
  spec.view.push_back({"/usr", "/box", false, false});
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      const auto outcome = run_on(way, spec);
      if (way.namespaces()) {
        REQUIRE(outcome);
        CHECK(outcome->exit_code == 0);
      } else {
        REQUIRE(!outcome);
        CHECK(has(outcome.error().to_string(), "shows '/usr' as '/box' needs namespaces"));
      }
    }
  }
}

TEST_CASE("what this machine allows is what a run reaches") {
  const Hostile hostile;
  const SandboxSupport support = probe_sandbox();
  const auto outcome = run_sandboxed(hostile.spec({"exit", "0"}), SandboxMode::kBestEffort);
  REQUIRE(outcome);
  CHECK(support.user_namespaces == (outcome->level == SandboxLevel::kNamespaces));
  CHECK(support.reason.empty() == support.user_namespaces);
  CHECK(support.landlock == (support.landlock_abi > 0));
}

TEST_CASE("a compiler finds what it needs in the toolchain's view, and nothing else") {
  const Hostile hostile;
  REQUIRE(write_file_atomic(
      hostile.path("out/a.cpp"),
      "#include <vector>\n#include <cstdio>\n"
      "int main() { std::vector<int> v{1, 2}; std::printf(\"%zu\", v.size()); }"));
  REQUIRE(write_file_atomic(hostile.path("out/steal.cpp"), "#include \"/etc/passwd\"\n"));
  for (const Way& way : ways()) {
    DYNAMIC_SECTION(way.name) {
      SandboxSpec spec;
      spec.view = toolchain_view();
      spec.view.push_back({hostile.writable(), {}, true, false});
      spec.working_directory = hostile.writable();
      spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
      spec.tmp = true;
      const std::string program = hostile.path("out/program-" + way.name);
      spec.argv = {"/usr/bin/g++", "a.cpp", "-o", program};
      const auto compiled = attempt(way, spec);
      CHECK(compiled.exit_code == 0);
      CHECK(compiled.leftovers == 0);
      spec.argv = {program};
      CHECK(attempt(way, spec).out == "2");
      if (!way.view_holds()) continue;
      spec.argv = {"/usr/bin/g++", "-c", "steal.cpp"};
      const auto stolen = attempt(way, spec);
      CHECK(stolen.exit_code != 0);
      CHECK(!has(stolen.err, "root:"));
    }
  }
}

TEST_CASE("all of it holds for a plain user") { repeat_as_plain_user(); }
