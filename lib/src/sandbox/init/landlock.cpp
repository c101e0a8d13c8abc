#include "init.h"

#include <cerrno>
#include <cstdint>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel's header of the machine that builds may know fewer rights than the kernel that runs,
// so the interface (linux/landlock.h, stable) is written down here.
namespace tensorpath::sandbox {
namespace {

enum FileRight : std::uint64_t {
  kExecute = 1U << 0,
  kWriteFile = 1U << 1,
  kReadFile = 1U << 2,
  kReadDirectory = 1U << 3,
  kMakeCharacter = 1U << 6,
  kMakeBlock = 1U << 11,
  kAllOfAbi1 = (1U << 13) - 1,
  kRefer = 1U << 13,          // ABI 2
  kTruncate = 1U << 14,       // ABI 3
  kDeviceControl = 1U << 15,  // ABI 5
};
constexpr std::uint64_t kTcpBindAndConnect = 3;               // ABI 4
constexpr std::uint64_t kScopeAbstractSocketsAndSignals = 3;  // ABI 6

struct RulesetAttributes {
  std::uint64_t file_rights;
  std::uint64_t network_rights;
  std::uint64_t scoped;
};

struct [[gnu::packed]] PathRule {
  std::uint64_t rights;
  std::int32_t parent_fd;
};
constexpr int kPathBeneath = 1;

std::uint64_t rights_of_abi(int abi) {
  std::uint64_t rights = kAllOfAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  if (abi >= 5) rights |= kDeviceControl;
  return rights;
}

std::uint64_t rights_of_item(std::uint32_t flags) {
  if ((flags & kViewDevice) != 0) return kReadFile | kWriteFile | kDeviceControl | kTruncate;
  const std::uint64_t read = kExecute | kReadFile | kReadDirectory;
  if ((flags & kViewWritable) == 0) return read;
  return ~(static_cast<std::uint64_t>(kMakeCharacter) | kMakeBlock | kDeviceControl);
}

void add_rule(const Spec& spec, int ruleset, const char* path, std::uint64_t rights) {
  const int fd = ::open(path, O_PATH | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot take into the view", path, errno);
  }
  rights &= rights_of_abi(spec.settings().landlock_abi);
  if (!S_ISDIR(status.st_mode)) {
    rights &= kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;
  }
  PathRule rule{rights, fd};
  if (::syscall(SYS_landlock_add_rule, ruleset, kPathBeneath, &rule, 0) != 0) {
    fail_start(spec, StartFailure::kRefused, "Landlock does not take", path, errno);
  }
  ::close(fd);
}

}  // namespace

int make_ruleset(const Spec& spec) {
  const int abi = spec.settings().landlock_abi;
  if (abi < 1) return -1;
  RulesetAttributes attributes{rights_of_abi(abi), abi >= 4 ? kTcpBindAndConnect : 0,
                               abi >= 6 ? kScopeAbstractSocketsAndSignals : 0};
  const std::size_t size = sizeof(std::uint64_t) * (abi >= 6 ? 3 : abi >= 4 ? 2 : 1);
  const auto ruleset =
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  if (ruleset < 0) {
    fail_start(spec, StartFailure::kRefused, "cannot make a Landlock ruleset", "", errno);
  }
  for (const ViewItem& item : spec.view) {
    add_rule(spec, ruleset, item.source, rights_of_item(item.flags));
  }
  for (const char* node : kDeviceNodes) {
    add_rule(spec, ruleset, node, rights_of_item(kViewDevice));
  }
  // Memory and environment of processes outside stay closed: Landlock denies tracing them.
  if (spec.settings().need_proc != kNoProc) add_rule(spec, ruleset, "/proc", rights_of_item(0));
  // About itself alone: elsewhere in /proc are the kernel's settings, which root owns.
  if (spec.settings().need_proc == kOwnProc) {
    add_rule(spec, ruleset, "/proc/self", kReadFile | kReadDirectory | kWriteFile);
  }
  if (spec.temporary != nullptr) {
    add_rule(spec, ruleset, spec.temporary, rights_of_item(kViewWritable));
  }
  return ruleset;
}

void enter_ruleset(const Spec& spec, int ruleset) {
  if (ruleset < 0) return;
  if (::syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot enter the Landlock ruleset", "", errno);
  }
  ::close(ruleset);
}

}  // namespace tensorpath::sandbox
