// Publishing: whole or not at all, and never the same version twice, whoever is killed when.
#include "registry_fixture.h"

#include <atomic>
#include <map>
#include <set>

using namespace tensorpath;
using namespace tensorpath::registry;
using namespace tensorpath::test;
namespace fs = std::filesystem;

namespace {

constexpr int kWriters = 16;
constexpr int kMostStops = 2000;

Entry from_run(const std::string& run_id) {
  Entry entry = rmsnorm_entry();
  entry.run_id = run_id;
  return entry;
}

std::size_t hidden_in(const std::string& directory) {
  std::size_t count = 0;
  if (!fs::exists(directory)) return count;
  for (const auto& entry : fs::directory_iterator(directory)) {
    count += entry.path().filename().string().front() == '.';
  }
  return count;
}

// Every entry of the root is whole; by id, the run it says it is from.
std::map<std::string, std::string> whole_entries(const std::string& root) {
  const Registry registry = load({root});
  for (const Diagnostic& warning : registry.warnings) FAIL(warning.to_string());
  std::map<std::string, std::string> runs;
  for (const Entry& entry : registry.entries) {
    for (const EntryFile& file : entry_files()) {
      REQUIRE(contents(path_join(entry.directory, file.path)) == file.contents);
    }
    runs[entry.id] = entry.run_id;
  }
  return runs;
}

}  // namespace

TEST_CASE("versions of a kernel count up from 1, each kernel's by itself") {
  const Scratch scratch;
  const std::string root = scratch.file("not/there/yet");
  CHECK(publish_or_throw(root, rmsnorm_entry()) == "cpp_rmsnorm_host_fp32_16x4096_v1");
  CHECK(publish_or_throw(root, rmsnorm_entry()) == "cpp_rmsnorm_host_fp32_16x4096_v2");
  Entry other = rmsnorm_entry();
  other.dtype = "bf16";
  CHECK(publish_or_throw(root, other) == "cpp_rmsnorm_host_bf16_16x4096_v1");
  // Not given again while a later one stands.
  fs::remove_all(path_join(root, "rmsnorm/cpp_rmsnorm_host_fp32_16x4096_v1"));
  CHECK(publish_or_throw(root, rmsnorm_entry()) == "cpp_rmsnorm_host_fp32_16x4096_v3");
  // A file in the place of the next one is stepped over.
  REQUIRE(write_file_atomic(path_join(root, "rmsnorm/cpp_rmsnorm_host_fp32_16x4096_v4"), "mine"));
  CHECK(publish_or_throw(root, rmsnorm_entry()) == "cpp_rmsnorm_host_fp32_16x4096_v5");
  CHECK(whole_entries(root).size() == 4);
  CHECK(hidden_in(path_join(root, "rmsnorm")) == 0);
}

TEST_CASE("what is not fit to be published leaves nothing") {
  const Scratch scratch;
  const std::string root = scratch.file("kernels");
  const auto refused = [&](const Entry& entry, std::vector<EntryFile> files) {
    const auto id = publish(root, entry, files);
    REQUIRE(!id);
    CHECK(id.error().exit_code == ExitCode::kUsage);
    CHECK(!directory_exists(root));
    return id.error().to_string();
  };
  CHECK(has(refused(rmsnorm_entry(), {{"kernel.cpp", "x"}}), "is not among the files"));
  CHECK(has(refused(rmsnorm_entry(), {{"packet/packet.json", "x"}}), "another SHA-256"));
  for (const char* path : {"../x", "/x", "a//b", "", "entry.json", "a/./b"}) {
    CHECK(has(refused(rmsnorm_entry(), {{path, "x"}}), "is no path"));
  }
  auto twice = entry_files();
  twice.push_back(twice.front());
  CHECK(has(refused(rmsnorm_entry(), twice), "given twice"));
  Entry entry = rmsnorm_entry();
  entry.op = "../../etc";
  CHECK(has(refused(entry, entry_files()), "op is '../../etc'"));
  entry = rmsnorm_entry();
  entry.performance.cases.clear();
  CHECK(has(refused(entry, entry_files()), "expected a list of cases"));
  const auto unwritable = publish("/proc/kernels", rmsnorm_entry(), entry_files());
  REQUIRE(!unwritable);
  CHECK(unwritable.error().exit_code == ExitCode::kEnvironment);
}

TEST_CASE("a kill at any system call of publish leaves no entry or a whole one, and no litter") {
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("kernels");
  int killed = 0;
  int published = 0;
  int stop = 0;
  for (; stop < kMostStops; ++stop) {
    INFO("killed at stop " << stop);
    const KillOutcome outcome =
        kill_at_system_call(stop, [&] { (void)publish(root, rmsnorm_entry(), entry_files()); });
    if (outcome == KillOutcome::kNoTracing) {
      WARN("no right to trace a child here");
      return;
    }
    if (outcome == KillOutcome::kFinished) break;
    ++killed;
    const std::size_t there = whole_entries(root).size();
    REQUIRE(there <= 1);
    published += static_cast<int>(there);
    (void)publish_or_throw(root, rmsnorm_entry());
    REQUIRE(hidden_in(path_join(root, "rmsnorm")) == 0);
    REQUIRE(whole_entries(root).size() == there + 1);
    fs::remove_all(root);
  }
  CHECK(stop < kMostStops);
  CHECK(killed > 60);
  CHECK(published > 0);
  CHECK(published < killed);
}

TEST_CASE("16 processes that publish the same kernel lose nothing and share no version") {
  constexpr int kRounds = 12;
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("kernels");
  std::vector<pid_t> children;
  for (int writer = 0; writer < kWriters; ++writer) {
    children.push_back(start_child([&] {
      for (int round = 0; round < kRounds; ++round) {
        const std::string run = fmt::format("run-{}-{}", writer, round);
        const auto id = publish(root, from_run(run), entry_files());
        if (!id) return 1;
        // What was promised stays, and is one's own.
        const auto text = read_file(path_join(root, "rmsnorm/" + *id + "/entry.json"));
        if (!text || !has(*text, "\"" + run + "\"")) return 2;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) CHECK(wait_for(child) == 0);
  const auto runs = whole_entries(root);
  CHECK(runs.size() == kWriters * kRounds);
  std::set<std::string> distinct;
  for (const auto& [id, run] : runs) distinct.insert(run);
  CHECK(distinct.size() == kWriters * kRounds);
  for (int version = 1; version <= kWriters * kRounds; ++version) {
    CHECK(runs.count(fmt::format("cpp_rmsnorm_host_fp32_16x4096_v{}", version)) == 1);
  }
  CHECK(hidden_in(path_join(root, "rmsnorm")) == 0);
}

TEST_CASE("16 processes that publish, half of them killed: what is there is whole") {
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("kernels");
  std::size_t promised = 0;
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::vector<pid_t> children;
    for (int writer = 0; writer < kWriters; ++writer) {
      children.push_back(start_child([&] {
        // Those that are to die go on until they do.
        for (int i = 0; writer % 2 == 0 || i < 3; ++i) {
          const auto id =
              publish(root, from_run(fmt::format("run-{}-{}-{}", round, writer, i)), entry_files());
          if (!id) return 1;
          if (::write(ends[1], ".", 1) != 1) return 2;
        }
        return 0;
      }));
    }
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(2000 + 3571 * round));
    for (int writer = 0; writer < kWriters; writer += 2) {
      ::kill(children[static_cast<std::size_t>(writer)], SIGKILL);
    }
    for (int writer = 0; writer < kWriters; ++writer) {
      CHECK(wait_for(children[static_cast<std::size_t>(writer)]) ==
            (writer % 2 == 0 ? 128 + SIGKILL : 0));
    }
    char byte = 0;
    while (::read(ends[0], &byte, 1) == 1) ++promised;
    ::close(ends[0]);
    const auto runs = whole_entries(root);
    // One that was killed between the publishing and the promise counts too.
    CHECK(runs.size() >= promised);
    std::set<std::string> distinct;
    for (const auto& [id, run] : runs) distinct.insert(run);
    CHECK(distinct.size() == runs.size());
  }
  (void)publish_or_throw(root, rmsnorm_entry());
  CHECK(hidden_in(path_join(root, "rmsnorm")) == 0);
}

TEST_CASE("a full disk fails a publish and leaves nothing half done") {
  const Scratch scratch;
  const int status = in_child([&] {
    if (!mount_private_tmpfs(scratch.path(), "size=64k")) return 77;
    auto files = entry_files();
    files.push_back({"big", std::string(200'000, 'x')});
    const auto none = publish(scratch.path(), rmsnorm_entry(), files);
    if (none || none.error().exit_code != ExitCode::kEnvironment) return 2;
    if (!has(none.error().to_string(), "disk is full")) return 3;
    if (hidden_in(scratch.file("rmsnorm")) != 0) return 4;
    return publish(scratch.path(), rmsnorm_entry(), entry_files()) ? 0 : 5;
  });
  if (status == 77) {
    WARN("no right to mount here");
    return;
  }
  CHECK(status == 0);
}
