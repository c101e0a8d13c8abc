#include "init_image.h"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

// TENSORPATH_SANDBOX_INIT is the path of the linked init (CMakeLists.txt).
asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".globl tensorpath_sandbox_init_begin, tensorpath_sandbox_init_end\n"
    ".hidden tensorpath_sandbox_init_begin, tensorpath_sandbox_init_end\n"
    "tensorpath_sandbox_init_begin:\n"
    ".incbin \"" TENSORPATH_SANDBOX_INIT
    "\"\n"
    "tensorpath_sandbox_init_end:\n"
    ".byte 0\n"
    ".popsection\n");

extern "C" {
[[gnu::visibility("hidden")]] extern const char tensorpath_sandbox_init_begin[];
[[gnu::visibility("hidden")]] extern const char tensorpath_sandbox_init_end[];
}

namespace tensorpath::sandbox {
namespace {

constexpr unsigned kMayBeExecuted = 0x10U;  // MFD_EXEC, Linux 6.3; older kernels need no leave

Expected<int> make_image() {
  const char* name = "tensorpath-sandbox";
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  int fd = ::memfd_create(name, flags | kMayBeExecuted);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(name, flags);
  if (fd < 0) {
    return fail(
        ExitCode::kEnvironment,
        fmt::format("cannot make a file in memory for the sandbox: {}", std::strerror(errno)),
        errno == EACCES ? "sysctl vm.memfd_noexec=1 allows it" : "");
  }
  std::string_view rest(
      tensorpath_sandbox_init_begin,
      static_cast<std::size_t>(tensorpath_sandbox_init_end - tensorpath_sandbox_init_begin));
  while (!rest.empty()) {
    const ssize_t count = ::write(fd, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const int error = errno;
      ::close(fd);
      return fail(
          ExitCode::kEnvironment,
          fmt::format("cannot fill the sandbox's file in memory: {}", std::strerror(error)));
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  (void)::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  return fd;
}

}  // namespace

Expected<int> init_image() {
  static const Expected<int> image = make_image();
  return image;
}

}  // namespace tensorpath::sandbox
