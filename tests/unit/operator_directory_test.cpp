// Operators from outside (--ops DIR): what the cache takes for its own, which objects are loaded,
// what a definition's digest covers, and the limits on compiler and reference.
#include "harness/compile.h"
#include "harness/operator_cache.h"
#include "harness/reference_object.h"
#include "scratch.h"

#include <atomic>
#include <regex>
#include <thread>

#include <sys/stat.h>

#include <tensorpath/harness/operator_directory.h>
#include <tensorpath/harness/toolchain.h>

using namespace tensorpath;
using namespace tensorpath::test;

namespace {

const std::string kExample = TENSORPATH_SOURCE_DIR "/tests/data/operators/l2_normalize";
const std::string kKernels = TENSORPATH_SOURCE_DIR "/kernels";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// A directory with the example in one type, its reference changed.
void write_example(const Scratch& scratch, const std::string& from, const std::string& to) {
  REQUIRE(
      write_file_atomic(scratch.file("l2_normalize.yaml"),
                        replaced(contents(kExample + ".yaml"), "[fp32, fp16, bf16]", "[fp32]")));
  REQUIRE(write_file_atomic(scratch.file("l2_normalize.cpp"),
                            replaced(contents(kExample + ".cpp"), from, to)));
}

Error mistake(const Scratch& scratch, OperatorDirectoryOptions options) {
  options.cache = scratch.file("cache");
  options.sandbox = SandboxMode::kBestEffort;
  Operators operators;
  const Status added = add_operators(operators, {scratch.path()}, options);
  REQUIRE_FALSE(added);
  CHECK(operators.all().empty());
  // Nothing is kept of what was refused, nor left of its build.
  CHECK(std::filesystem::is_empty(options.cache));
  return added.error();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A shared object of one small source.
std::string compiled(const Scratch& scratch, const std::string& source) {
  for (const char* directory : {"in", "out"}) REQUIRE(make_directories(scratch.file(directory)));
  REQUIRE(write_file_atomic(scratch.file("in/small.cpp"), source));
  CompileJob job;
  job.in = scratch.file("in");
  job.out = scratch.file("out");
  job.limits = compile_limits(60, 0);
  job.sandbox = SandboxMode::kBestEffort;
  std::string object = path_join(job.out, "small.so");
  job.command = {host_compiler(), "-shared", "-fPIC", "-o", object, path_join(job.in, "small.cpp")};
  const auto built = compile_in_sandbox(job);
  REQUIRE(built);
  REQUIRE(built->refusal.detail.empty());
  return object;
}

}  // namespace

TEST_CASE("an object that was built against other headers is not read") {
  const Scratch scratch;
  // What another tensorpath's might look like: the same names, anything behind them.
  const std::string other = compiled(scratch, R"(
    extern "C" { extern const unsigned long tensorpath_layout_other, tensorpath_reference_other; }
    const unsigned long tensorpath_layout_other = 1, tensorpath_reference_other = 1;)");
  const auto entry = open_reference(other, "other");
  REQUIRE_FALSE(entry);
  CHECK(contains(entry.error().to_string(), "built against headers of another tensorpath"));

  const auto unnamed = open_reference(other, "another");
  REQUIRE_FALSE(unnamed);
  CHECK(contains(unnamed.error().to_string(), "TENSORPATH_REFERENCE(another)"));
  REQUIRE(write_file_atomic(scratch.file("text.so"), "no object"));
  CHECK_FALSE(open_reference(scratch.file("text.so"), "other"));
}

TEST_CASE("the cache gives back what was stored under the key, and nothing else") {
  const Scratch scratch;
  const std::string key(64, 'a');
  const auto cache = OperatorCache::open(scratch.file("deep/ops"));
  REQUIRE(cache);
  struct stat status {};
  REQUIRE(::stat(cache->path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0700);
  CHECK_FALSE(cache->find("one", key));

  const std::string object(5000, 'x');
  const auto stored = cache->store("one", key, object);
  REQUIRE(stored);
  CHECK(cache->find("one", key) == *stored);
  CHECK_FALSE(cache->find("two", key));
  CHECK_FALSE(cache->find("one", std::string(64, 'b')));

  SECTION("torn") {
    REQUIRE(::truncate(stored->c_str(), 4000) == 0);
    CHECK_FALSE(cache->find("one", key));
  }
  SECTION("empty") {
    REQUIRE(::truncate(stored->c_str(), 0) == 0);
    CHECK_FALSE(cache->find("one", key));
  }
  SECTION("one byte is another") {
    std::string bytes = contents(*stored);
    bytes[17] ^= 1;
    REQUIRE(write_file_atomic(*stored, bytes));
    CHECK_FALSE(cache->find("one", key));
  }
  SECTION("of another key, under this one's name") {
    const auto other = cache->store("one", std::string(64, 'b'), object);
    REQUIRE(other);
    std::filesystem::rename(*other, *stored);
    CHECK_FALSE(cache->find("one", key));
  }
  SECTION("others may write to it") {
    for (const mode_t mode : {0620U, 0602U}) {
      REQUIRE(::chmod(stored->c_str(), mode) == 0);
      CHECK_FALSE(cache->find("one", key));
    }
  }
  SECTION("another user's") {
    if (::geteuid() != 0) return;  // who else could make one
    REQUIRE(::chown(stored->c_str(), 12345, 12345) == 0);
    CHECK_FALSE(cache->find("one", key));
  }
  SECTION("a link") {
    std::filesystem::rename(*stored, scratch.file("elsewhere"));
    REQUIRE(::symlink(scratch.file("elsewhere").c_str(), stored->c_str()) == 0);
    CHECK_FALSE(cache->find("one", key));
  }
  // Whatever was there, storing again mends it, and follows no link.
  const auto again = cache->store("one", key, object);
  REQUIRE(again);
  CHECK(cache->find("one", key) == *stored);
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(*stored)));
  REQUIRE(::stat(stored->c_str(), &status) == 0);
  CHECK(status.st_uid == ::geteuid());
  CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("storing again takes nothing from a process that is about to load what is stored") {
  const Scratch scratch;
  const auto cache = OperatorCache::open(scratch.file("ops"));
  REQUIRE(cache);
  const std::string key(64, 'a');
  REQUIRE(cache->store("one", key, "object"));
  std::atomic<bool> done = false;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) (void)cache->store("one", key, "object");
    done = true;
  });
  int missed = 0;
  while (!done) missed += cache->find("one", key) ? 0 : 1;
  other.join();
  CHECK(missed == 0);
}

TEST_CASE("a cache that is not the user's own is refused") {
  const Scratch scratch;
  const std::string path = scratch.file("ops");
  REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  REQUIRE(OperatorCache::open(path));
  REQUIRE(::chmod(path.c_str(), 0770) == 0);
  const auto shared = OperatorCache::open(path);
  REQUIRE_FALSE(shared);
  CHECK(shared.error().exit_code == ExitCode::kEnvironment);
  CHECK(contains(shared.error().to_string(), "chmod go-w"));
  if (::geteuid() == 0) {
    REQUIRE(::chmod(path.c_str(), 0700) == 0);
    REQUIRE(::chown(path.c_str(), 12345, 12345) == 0);
    const auto foreign = OperatorCache::open(path);
    REQUIRE_FALSE(foreign);
    CHECK(contains(foreign.error().to_string(), "another user's"));
  }
  REQUIRE(write_file_atomic(scratch.file("file"), ""));
  CHECK_FALSE(OperatorCache::open(scratch.file("file")));
  CHECK_FALSE(OperatorCache::open(""));
}

TEST_CASE("a compiler that takes too long is stopped") {
  const Scratch scratch;
  write_example(scratch, "namespace {", R"(namespace {
template <int kRound>
constexpr unsigned burn() {
  unsigned x = kRound;
  for (int outer = 0; outer < 10; ++outer) {
    for (int i = 0; i < 100000; ++i) x = x * 1664525U + 1013904223U;
  }
  return x;
}
template <int kRound>
constexpr unsigned kBurnt = burn<kRound>() + kBurnt<kRound - 1>;
template <>
constexpr unsigned kBurnt<0> = 0;
static_assert(kBurnt<40> != 1);)");
  OperatorDirectoryOptions options;
  options.compile_s = 1;
  const Error error = mistake(scratch, options);
  CHECK(error.exit_code == ExitCode::kLimit);
  CHECK(contains(error.to_string(), "l2_normalize.cpp"));
}

TEST_CASE("a reference that never ends is stopped") {
  const Scratch scratch;
  write_example(scratch,
                "const Tensor& x = ", "for (volatile int i = 0; i < 1;) {}\n  const Tensor& x = ");
  OperatorDirectoryOptions options;
  options.proof_s = 0.5;
  const Error error = mistake(scratch, options);
  CHECK(error.exit_code == ExitCode::kLimit);
  CHECK(contains(error.to_string(), "takes longer than"));
}

TEST_CASE("a digest covers both files, and the same files are the same operator") {
  const std::string yaml = contents(kKernels + "/ops/relu.yaml");
  const std::string source = contents(kKernels + "/reference/relu.cpp");
  const auto digest = [](const std::string& yaml_text, const std::string& source_text) {
    const auto spec =
        read_operator(yaml_text, "relu.yaml", find_reference("relu"), sha256_hex(source_text));
    REQUIRE(spec);
    return spec->digest;
  };
  const auto built_in = Operators::load({kKernels + "/ops"});
  REQUIRE(built_in);
  const OperatorSpec* relu = *built_in->find("relu");
  CHECK(digest(yaml, source) == relu->digest);
  CHECK(digest(yaml + "\n", source) != relu->digest);
  CHECK(digest(yaml, source + "\n") != relu->digest);
  CHECK(relu->file == kKernels + "/ops/relu.yaml");
}

TEST_CASE("the headers that are carried are those that references include, as they are") {
  const auto find = [](const std::string& path) {
    for (const ReferenceHeader& header : reference_headers()) {
      if (header.path == path) return true;
    }
    return false;
  };
  std::vector<std::string> texts;
  for (const std::string& file : list_files(kKernels + "/reference", ".cpp")) {
    texts.push_back(contents(path_join(kKernels + "/reference", file)));
  }
  for (const ReferenceHeader& header : reference_headers()) {
    texts.emplace_back(header.text);
    CHECK(header.text ==
          contents(TENSORPATH_SOURCE_DIR "/lib/include/" + std::string(header.path)));
  }
  const std::regex include("#include <(tensorpath/[^>]*)>");
  std::size_t includes = 0;
  for (const std::string& text : texts) {
    for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it) {
      INFO((*it)[1].str());
      CHECK(find((*it)[1].str()));
      ++includes;
    }
  }
  CHECK(includes > list_files(kKernels + "/reference", ".cpp").size());
}
