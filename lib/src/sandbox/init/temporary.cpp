#include "init.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

// Deeper than a compiler ever nests; a program that digs on purpose leaves its hole behind.
constexpr int kDeepest = 256;

void remove_entries(int parent, const char* name, int depth) {
  (void)::fchmodat(parent, name, 0700, 0);
  const int fd = ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  DIR* entries = ::fdopendir(fd);
  if (entries == nullptr) {
    ::close(fd);
    return;
  }
  while (const dirent* entry = ::readdir(entries)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    if (::unlinkat(fd, entry->d_name, 0) == 0 || depth == kDeepest) continue;
    remove_entries(fd, entry->d_name, depth + 1);
    (void)::unlinkat(fd, entry->d_name, AT_REMOVEDIR);
  }
  ::closedir(entries);
}

}  // namespace

void make_temporary(Spec& spec) {
  if (spec.settings().tmp == 0) return;
  static char path[] = "/tmp/tensorpath-sandbox-XXXXXX";
  static char variable[sizeof path + 8];
  if (::mkdtemp(path) == nullptr) {
    fail_start(spec, StartFailure::kBroken, "cannot make a directory in", "/tmp", errno);
  }
  spec.temporary = path;
  const std::uint32_t uid = spec.settings().run_as_uid;
  if (uid != kKeepUser && ::chown(path, uid, uid) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot give away", path, errno);
  }
  std::snprintf(variable, sizeof variable, "TMPDIR=%s", path);
  for (char*& entry : spec.environment) {
    if (std::strncmp(entry, "TMPDIR=", 7) == 0) {
      entry = variable;
      return;
    }
  }
  spec.environment.data[spec.environment.size++] = variable;
}

void remove_temporary(const Spec& spec) {
  if (spec.temporary == nullptr) return;
  remove_entries(AT_FDCWD, spec.temporary, 0);
  (void)::rmdir(spec.temporary);
}

}  // namespace tensorpath::sandbox
