#include "scratch.h"

#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>

using namespace tensorpath;
using namespace tensorpath::test;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

}  // namespace

TEST_CASE("a file is written whole and replaced whole") {
  const Scratch scratch;
  const std::string path = scratch.file("a.txt");
  REQUIRE(write_file_atomic(path, "one"));
  REQUIRE(write_file_atomic(path, std::string("two\0!", 5)));
  CHECK(contents(path) == std::string("two\0!", 5));
  CHECK(scratch.entries() == 1);
}

TEST_CASE("a new file follows the umask; a replaced one keeps its mode") {
  const Scratch scratch;
  const mode_t old = ::umask(027);
  REQUIRE(write_file_atomic(scratch.file("plain"), "x"));
  REQUIRE(write_file_atomic(scratch.file("run.sh"), "x", true));
  CHECK(mode_of(scratch.file("plain")) == 0640);
  CHECK(mode_of(scratch.file("run.sh")) == 0750);
  REQUIRE(::chmod(scratch.file("plain").c_str(), 0604) == 0);
  REQUIRE(write_file_atomic(scratch.file("plain"), "y"));
  CHECK(mode_of(scratch.file("plain")) == 0604);
  ::umask(old);
}

TEST_CASE("writing through a symbolic link replaces its target") {
  const Scratch scratch;
  REQUIRE(write_file_atomic(scratch.file("target"), "old"));
  fs::create_symlink("target", scratch.file("link"));
  REQUIRE(write_file_atomic(scratch.file("link"), "new"));
  CHECK(fs::is_symlink(scratch.file("link")));
  CHECK(contents(scratch.file("target")) == "new");
}

TEST_CASE("a full disk leaves the old file and nothing beside it") {
  const Scratch scratch;
  const std::string path = scratch.file("plan.json");
  REQUIRE(write_file_atomic(path, "old"));
  // A file size limit fails a write in the middle, as a full disk does.
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const Status written = write_file_atomic(path, std::string(1'000'000, 'x'));
    if (written) return 3;
    return written.error().exit_code == ExitCode::kEnvironment ? 0 : 4;
  });
  CHECK(status == 0);
  CHECK(contents(path) == "old");
  CHECK(scratch.entries() == 1);
}

TEST_CASE("no space on a device is an error of the environment, with a hint") {
  // Where nobody may mount, /dev/full below stands for it.
  const Scratch scratch;
  const int status = in_child([&] {
    if (!mount_private_tmpfs(scratch.path(), "size=64k")) return 77;
    const std::string path = scratch.file("plan.json");
    if (!write_file_atomic(path, "old")) return 2;
    const Status written = write_file_atomic(path, std::string(1'000'000, 'x'));
    if (written || written.error().exit_code != ExitCode::kEnvironment) return 3;
    if (written.error().to_string().find("disk is full") == std::string::npos) return 4;
    if (contents(path) != "old" || scratch.entries() != 1) return 5;
    return 0;
  });
  if (status == 77) {
    WARN("no right to mount a small tmpfs here");
  } else {
    CHECK(status == 0);
  }
}

TEST_CASE("a device is written to and never replaced") {
  const Status written = write_file_atomic("/dev/full", "x");
  REQUIRE(!written);
  CHECK(written.error().exit_code == ExitCode::kEnvironment);
  CHECK(written.error().to_string().find("disk is full") != std::string::npos);
  CHECK(fs::is_character_file("/dev/full"));
  CHECK(write_file_atomic("/dev/null", "x"));
  CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("a kill in the middle leaves one of the two versions, whole") {
  const Scratch scratch;
  const std::string path = scratch.file("plan.json");
  const std::string a(300'000, 'a');
  const std::string b(500'000, 'b');
  REQUIRE(write_file_atomic(path, a));
  for (int round = 0; round < 25; ++round) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      for (bool turn = false;; turn = !turn) (void)write_file_atomic(path, turn ? a : b);
    }
    ::usleep(static_cast<useconds_t>(500 + 731 * round));
    ::kill(pid, SIGKILL);
    REQUIRE(::waitpid(pid, nullptr, 0) == pid);
    const std::string now = contents(path);
    INFO("round " << round << ", " << now.size() << " bytes");
    REQUIRE((now == a || now == b));
  }
}

TEST_CASE("reading says what is wrong with the path") {
  const Scratch scratch;
  const auto absent = read_file(scratch.file("absent"));
  REQUIRE(!absent);
  CHECK(absent.error().exit_code == ExitCode::kUsage);
  CHECK(absent.error().to_string().find("No such file") != std::string::npos);
  CHECK(read_file(scratch.path()).error().to_string().find("is a directory") != std::string::npos);
  REQUIRE(write_file_atomic(scratch.file("big"), std::string(1000, 'x')));
  CHECK(!read_file(scratch.file("big"), 999));
  CHECK(read_file(scratch.file("big"), 1000));
  // A device that never ends is cut off by the same limit.
  CHECK(!read_file("/dev/zero", 1000));
}

TEST_CASE("an empty path is an error and not a crash") {
  CHECK(!read_file(""));
  CHECK(!write_file_atomic("", "x"));
}

TEST_CASE("writing into a directory that is not there says so") {
  const Scratch scratch;
  const Status written = write_file_atomic(scratch.file("no/such/file"), "x");
  REQUIRE(!written);
  CHECK(written.error().to_string().find("No such file or directory") != std::string::npos);
  REQUIRE(make_directories(scratch.file("no/such")));
  CHECK(write_file_atomic(scratch.file("no/such/file"), "x"));
  CHECK(!make_directories(scratch.file("no/such/file")));
}

TEST_CASE("listings are sorted, filtered and leave hidden files out") {
  const Scratch scratch;
  for (const char* name : {"b.yaml", "a.yaml", ".hidden.yaml", "c.txt"}) {
    REQUIRE(write_file_atomic(scratch.file(name), "x"));
  }
  REQUIRE(make_directories(scratch.file("dir.yaml")));
  CHECK(list_files(scratch.path(), ".yaml") == std::vector<std::string>{"a.yaml", "b.yaml"});
  CHECK(list_directories(scratch.path()) == std::vector<std::string>{"dir.yaml"});
  CHECK(list_files(scratch.file("absent"), "").empty());
}

TEST_CASE("paths join without doubling the slash") {
  CHECK(path_join("a", "b") == "a/b");
  CHECK(path_join("a/", "b") == "a/b");
  CHECK(path_join("", "b") == "b");
  CHECK(path_join("a", "/b") == "/b");
}

TEST_CASE("SHA-256 gives the published digest of 'abc'") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
