#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/evidence/file_hash.h>

namespace tensorpath {
namespace {

// Large enough that a system call costs nothing beside hashing it, small enough for the L2 cache.
constexpr std::size_t kChunk = 256U << 10;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

}  // namespace

Expected<std::string> sha256_file(const std::string& path) {
  // A pipe or a device in the place of a file must not make the reader wait.
  const FileDescriptor fd(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return system_failure(ExitCode::kUsage, "cannot read", path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ExitCode::kUsage, fmt::format("{} is no regular file", quote_input(path)));
  }
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return fail(ExitCode::kEnvironment, "OpenSSL has no SHA-256");
  }
  std::vector<unsigned char> chunk(kChunk);
  while (true) {
    const ssize_t size = ::read(fd.get(), chunk.data(), chunk.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return system_failure(ExitCode::kUsage, "cannot read", path, errno);
    if (size == 0) break;
    EVP_DigestUpdate(context.get(), chunk.data(), static_cast<std::size_t>(size));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  return hex(digest.data(), size);
}

}  // namespace tensorpath
