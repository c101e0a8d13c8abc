#include "launch.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {
namespace {

// Programs, libraries and headers; the links that choose between versions; how the loader finds
// libraries. Of /etc nothing else: it holds names, addresses and keys.
constexpr const char* kToolchain[] = {"/usr",
                                      "/bin",
                                      "/sbin",
                                      "/lib",
                                      "/lib32",
                                      "/lib64",
                                      "/libx32",
                                      "/etc/alternatives",
                                      "/etc/ld.so.cache",
                                      "/etc/ld.so.conf",
                                      "/etc/ld.so.conf.d"};

}  // namespace

SandboxSupport probe_sandbox() {
  SandboxSupport out;
  out.landlock_abi = sandbox::landlock_abi();
  out.landlock = out.landlock_abi > 0;
  out.seccomp = sandbox::seccomp_available();
  SandboxSpec spec;
  spec.argv = {"/probe"};
  auto result = sandbox::start_sandbox(spec, SandboxMode::kStrict, {}, true);
  if (!result) {
    out.reason = result.error().diagnostics.front().message;
  } else if (result->started == nullptr) {
    out.reason = result->start_error;
  } else {
    out.user_namespaces = true;
  }
  return out;
}

std::vector<ViewEntry> toolchain_view() {
  std::vector<ViewEntry> out;
  for (const char* path : kToolchain) {
    if (::access(path, R_OK) == 0) out.push_back({path, path, false, false});
  }
  return out;
}

Status give_to_sandbox(const std::string& path) {
  if (::geteuid() != 0) return {};
  // Where the view is closed to that user, the sandbox is root's without capabilities, which opens
  // only what root's group may.
  constexpr mode_t kOwner = 0700;
  struct stat status {};
  const bool given = ::lstat(path.c_str(), &status) == 0 &&
                     ::lchown(path.c_str(), sandbox::kUnprivileged, ::getegid()) == 0;
  const mode_t owner = status.st_mode & kOwner;
  if (!given || ::chmod(path.c_str(), (status.st_mode & 07777U) | owner >> 3U) != 0) {
    return fail(ExitCode::kEnvironment, fmt::format("cannot give {} to the sandbox's user: {}",
                                                    quote_input(path), std::strerror(errno)));
  }
  return {};
}

}  // namespace tensorpath
