#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/random.h>

#include <tensorpath/base/random.h>

namespace tensorpath {

Expected<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t have = 0; have < count;) {
    const ssize_t got = ::getrandom(bytes.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("no random bytes from the kernel: {}", std::strerror(errno)),
                  "a seccomp filter or a very old kernel may refuse getrandom(2)");
    }
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

}  // namespace tensorpath
