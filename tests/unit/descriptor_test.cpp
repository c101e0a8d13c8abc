#include "scratch.h"

#include <sys/resource.h>

#include <tensorpath/base/descriptor.h>

using namespace tensorpath;
using namespace tensorpath::test;
using std::chrono::milliseconds;

namespace {

FileDescriptor open_new(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(fd.valid());
  return fd;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

}  // namespace

TEST_CASE("a descriptor closes once, with its last owner") {
  const Scratch scratch;
  FileDescriptor first = open_new(scratch.file("a"));
  const int number = first.get();
  {
    const FileDescriptor second = std::move(first);
    CHECK(second.get() == number);
    CHECK(is_open(number));
  }
  CHECK(!is_open(number));
  FileDescriptor third = open_new(scratch.file("a"));
  CHECK(third.close_now());
  CHECK(!third.valid());
}

TEST_CASE("a new file is never written over another") {
  const Scratch scratch;
  REQUIRE(write_new_file(scratch.file("a"), "one"));
  const Status again = write_new_file(scratch.file("a"), "two");
  REQUIRE(!again);
  CHECK(again.error().to_string().find("File exists") != std::string::npos);
  CHECK(contents(scratch.file("a")) == "one");
  std::filesystem::create_symlink("nowhere", scratch.file("link"));
  CHECK(!write_new_file(scratch.file("link"), "x"));
}

TEST_CASE("a new file that does not fit is not left half written") {
  const Scratch scratch;
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    const Status written = write_new_file(scratch.file("a"), std::string(5000, 'x'));
    if (written || written.error().exit_code != ExitCode::kEnvironment) return 3;
    return written.error().to_string().find("ulimit -f") == std::string::npos ? 4 : 0;
  });
  CHECK(status == 0);
  CHECK(scratch.entries() == 0);
}

TEST_CASE("bytes are read and written at their offset") {
  const Scratch scratch;
  const FileDescriptor fd = open_new(scratch.file("a"));
  REQUIRE(write_all(fd.get(), "0123456789"));
  REQUIRE(write_all_at(fd.get(), "ab", 4));
  CHECK(read_descriptor_at(fd.get(), "a", 3, 4).value() == "3ab6");
  CHECK(read_descriptor_at(fd.get(), "a", 8, 100).value() == "89");
  CHECK(read_descriptor_at(fd.get(), "a", 100, 1).value().empty());
  CHECK(read_descriptor(fd.get(), "a", 100).value().empty());  // from the position on
}

TEST_CASE("a lock keeps others out until its holder ends, even by a kill") {
  const Scratch scratch;
  const std::string path = scratch.file("lock");
  (void)open_new(path);
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t holder = start_child([&] {
    const FileDescriptor fd = open_new(path);
    if (!lock_descriptor(fd.get(), path, LockMode::kExclusive).value_or(false)) return 1;
    if (::write(ready[1], "x", 1) != 1) return 2;
    while (true) ::pause();
  });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const FileDescriptor fd = open_new(path);
  CHECK(!lock_descriptor(fd.get(), path, LockMode::kExclusive).value());
  CHECK(!lock_descriptor(fd.get(), path, LockMode::kShared, milliseconds(30)).value());
  ::kill(holder, SIGKILL);
  CHECK(wait_for(holder) == 128 + SIGKILL);
  CHECK(lock_descriptor(fd.get(), path, LockMode::kExclusive, milliseconds(10'000)).value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("shared locks go together and exclude an exclusive one") {
  const Scratch scratch;
  const std::string path = scratch.file("lock");
  const FileDescriptor a = open_new(path);
  const FileDescriptor b = open_new(path);
  CHECK(lock_descriptor(a.get(), path, LockMode::kShared).value());
  CHECK(lock_descriptor(b.get(), path, LockMode::kShared).value());
  CHECK(!lock_descriptor(b.get(), path, LockMode::kExclusive).value());
  unlock_descriptor(a.get());
  CHECK(lock_descriptor(b.get(), path, LockMode::kExclusive).value());
  const auto closed = lock_descriptor(-1, path, LockMode::kShared);
  REQUIRE(!closed);
  CHECK(closed.error().exit_code == ExitCode::kEnvironment);
}
