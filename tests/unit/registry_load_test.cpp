// Loading: several roots, broken entries, and an index that is never believed over the files.
#include "registry_fixture.h"

#include <chrono>
#include <fstream>

#include <sys/stat.h>

#include <tensorpath/base/file.h>

using namespace tensorpath;
using namespace tensorpath::registry;
using namespace tensorpath::test;
namespace fs = std::filesystem;

namespace {

const std::string kName = "cpp_rmsnorm_host_fp32_16x4096";
constexpr int kMany = 80;  // enough for an index

std::string text_of(const Registry& registry) {
  std::string text;
  for (const Entry& entry : registry.entries) text += entry.directory + entry_text(entry);
  for (const Diagnostic& warning : registry.warnings) text += warning.to_string();
  return text;
}

std::string entry_path(const std::string& root, int version) {
  return fmt::format("{}/rmsnorm/{}_v{}/entry.json", root, kName, version);
}

// Entries that were last changed long enough ago for an index to hold them.
void publish_many(const std::string& root) {
  for (int i = 0; i < kMany; ++i) (void)publish_or_throw(root, rmsnorm_entry());
}

std::vector<std::string> indexes(const std::string& cache) { return list_files(cache, ".index"); }

}  // namespace

TEST_CASE("of equal ids the first root's entry counts, and roots may be absent") {
  const Scratch scratch;
  const std::string mine = scratch.file("mine");
  const std::string shipped = scratch.file("shipped");
  Entry entry = rmsnorm_entry();
  entry.run_id = "mine";
  (void)publish_or_throw(mine, entry);
  entry.run_id = "shipped";
  (void)publish_or_throw(shipped, entry);
  (void)publish_or_throw(shipped, entry);
  const Registry registry = load({scratch.file("absent"), mine, shipped});
  CHECK(registry.warnings.empty());
  REQUIRE(registry.entries.size() == 2);
  CHECK(registry.entries[0].run_id == "mine");
  CHECK(registry.entries[0].directory == path_join(mine, "rmsnorm/" + kName + "_v1"));
  CHECK(registry.entries[1].run_id == "shipped");
  CHECK(load({}).entries.empty());
}

TEST_CASE("a broken entry is told with its place and hides no other") {
  const Scratch scratch;
  const std::string root = scratch.file("kernels");
  const std::string backup = scratch.file("backup");
  for (int i = 0; i < 6; ++i) (void)publish_or_throw(root, rmsnorm_entry());
  (void)publish_or_throw(backup, rmsnorm_entry());
  REQUIRE(write_file_atomic(entry_path(root, 1), "{\n  \"schema\": 7,\n"));
  fs::remove(entry_path(root, 2));
  fs::rename(fmt::format("{}/rmsnorm/{}_v3", root, kName),
             fmt::format("{}/rmsnorm/{}_v30", root, kName));
  fs::remove(entry_path(root, 4));
  fs::create_directory(entry_path(root, 4));
  fs::remove(entry_path(root, 5));
  REQUIRE(::mkfifo(entry_path(root, 5).c_str(), 0600) == 0);
  fs::create_directory(root + "/rmsnorm/.building-x");
  REQUIRE(write_file_atomic(root + "/notes.txt", "mine"));
  const Registry registry = load({root, backup});
  REQUIRE(registry.entries.size() == 2);
  // What the first root has broken, the second has whole.
  CHECK(registry.entries[0].id == kName + "_v1");
  CHECK(registry.entries[0].directory == path_join(backup, "rmsnorm/" + kName + "_v1"));
  CHECK(registry.entries[1].id == kName + "_v6");
  REQUIRE(registry.warnings.size() == 5);
  const std::string text = text_of(registry);
  CHECK(has(text, entry_path(root, 1) + ":3:1: not valid JSON"));
  CHECK(has(text, "_v2/entry.json: cannot be read: No such file"));
  CHECK(has(text, "in a directory of another name"));
}

TEST_CASE("an index changes nothing of what is loaded") {
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("kernels");
  const std::string cache = scratch.file("cache");
  publish_many(root);
  const std::string plain = text_of(load({root}));
  // Files of this very moment may change without their stamp changing: they are not kept.
  CHECK(text_of(load({root}, {cache, true})) == plain);
  CHECK(indexes(cache).empty());
  ::usleep(2'300'000);
  CHECK(text_of(load({root}, {cache, true})) == plain);
  REQUIRE(indexes(cache).size() == 1);
  const std::string index = path_join(cache, indexes(cache).front());
  const std::string kept = contents(index);
  CHECK(text_of(load({root}, {cache, true})) == plain);
  CHECK(contents(index) == kept);

  SECTION("an entry that was edited is read anew, even under its old time") {
    const std::string path = entry_path(root, 5);
    const auto time = fs::last_write_time(path);
    const std::string edited = replaced(contents(path), "1.23", "1.22");
    std::ofstream(path) << edited;
    fs::last_write_time(path, time);
    const Registry registry = load({root}, {cache, true});
    CHECK(text_of(registry) == text_of(load({root})));
    CHECK(find(registry.entries, kName + "_v5").value()->performance.ratio == 1.22);
  }
  SECTION("entries that came or went are seen") {
    fs::remove_all(root + "/rmsnorm/" + kName + "_v7");
    (void)publish_or_throw(root, rmsnorm_entry());
    CHECK(text_of(load({root}, {cache, true})) == text_of(load({root})));
    CHECK(load({root}, {cache, true}).entries.size() == kMany);
  }
  SECTION("a broken entry is not answered from the index") {
    REQUIRE(write_file_atomic(entry_path(root, 9), "{}"));
    const Registry registry = load({root}, {cache, true});
    CHECK(registry.entries.size() == kMany - 1);
    CHECK(registry.warnings.size() == 1);
  }
  SECTION("an index with any byte changed, cut short or grown counts for nothing") {
    for (std::size_t at = 0; at < kept.size(); at += kept.size() / 61) {
      std::string bad = kept;
      bad[at] = static_cast<char>(bad[at] ^ 4);
      REQUIRE(write_private_file(index, bad));
      REQUIRE(text_of(load({root}, {cache, true})) == plain);
      REQUIRE(write_private_file(index, kept.substr(0, at)));
      REQUIRE(text_of(load({root}, {cache, true})) == plain);
    }
    REQUIRE(write_private_file(index, kept + kept));
    CHECK(text_of(load({root}, {cache, true})) == plain);
  }
  SECTION("an index that others may write is not read") {
    // Of another registry: what it says of the entries is wrong here.
    REQUIRE(::chmod(index.c_str(), 0666) == 0);
    CHECK(text_of(load({root}, {cache, true})) == plain);
    CHECK(contents(index) == kept);
  }
  SECTION("the index of another root is not taken for this one's") {
    const std::string other = scratch.file("other");
    fs::copy(root, other, fs::copy_options::recursive);
    ::usleep(2'300'000);
    (void)load({other}, {cache, true});
    REQUIRE(indexes(cache).size() == 2);
    for (const std::string& name : indexes(cache)) {
      REQUIRE(write_private_file(path_join(cache, name), kept));
    }
    CHECK(text_of(load({other}, {cache, true})) == text_of(load({other})));
  }
  SECTION("a place that cannot hold an index is no matter") {
    CHECK(text_of(load({root}, {"/proc/none", true})) == plain);
    CHECK(text_of(load({root}, {index, true})) == plain);
  }
}

TEST_CASE("who only lists need not have the cases, from the files or from the index") {
  const Scratch scratch(in_memory());
  const std::string root = scratch.file("kernels");
  const std::string cache = scratch.file("cache");
  publish_many(root);
  ::usleep(2'300'000);
  std::vector<Entry> bare = load({root}).entries;
  for (Entry& entry : bare) entry.performance.cases.clear();
  const std::string expected = text_of({bare, {}});
  CHECK(text_of(load({root}, {"", false})) == expected);
  // The first leaves an index that has them, whatever it was asked for; so does one that adds to
  // it.
  CHECK(text_of(load({root}, {cache, false})) == expected);
  CHECK(text_of(load({root}, {cache, false})) == expected);
  CHECK(text_of(load({root}, {cache, true})) == text_of(load({root})));
  (void)publish_or_throw(root, rmsnorm_entry());
  ::usleep(2'300'000);
  CHECK(load({root}, {cache, false}).entries.size() == kMany + 1);
  CHECK(text_of(load({root}, {cache, true})) == text_of(load({root})));
}

TEST_CASE("an entry is found by its id or a beginning that only it has") {
  std::vector<Entry> entries(3, rmsnorm_entry());
  entries[0].id = kName + "_v1";
  entries[1].id = kName + "_v12";
  entries[2].id = "cuda_rmsnorm_h200_sxm_fp32_16x4096_v1";
  CHECK(find(entries, "cuda").value() == &entries[2]);
  // An id that another one begins with is still an id.
  CHECK(find(entries, kName + "_v1").value() == &entries[0]);
  CHECK(has(find(entries, "cpp").error().to_string(), "may be any of 2 kernels"));
  CHECK(has(find(entries, "").error().to_string(), "there is no kernel ''"));
  CHECK(has(find(entries, kName + "_v13").error().to_string(), "did you mean"));
  CHECK(has(find({}, "x").error().to_string(), "the registry is empty"));
}
