#include "init.h"

#include <cerrno>
#include <cstdio>

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

// What the program's user is called in its own user namespace, whoever that is outside.
constexpr unsigned kInsideUser = 65534;
constexpr int kHighestCapability = 63;

bool map_self(const Spec& spec, const char* file, unsigned inside, unsigned outside) {
  char text[64];
  std::snprintf(text, sizeof text, "%u %u 1", inside, outside);
  return write_text(spec.host_proc, file, text);
}

void write_maps(const Spec& spec, unsigned inside, unsigned uid, unsigned gid) {
  // A change of user hides the process's files in /proc, the maps among them.
  (void)::prctl(PR_SET_DUMPABLE, 1);
  if (!write_text(spec.host_proc, "self/setgroups", "deny") && errno != ENOENT) {
    fail_start(spec, StartFailure::kRefused, "cannot write", "/proc/self/setgroups", errno);
  }
  if (!map_self(spec, "self/uid_map", inside, uid) ||
      !map_self(spec, "self/gid_map", inside, gid)) {
    fail_start(spec, StartFailure::kRefused, "cannot write", "/proc/self/uid_map", errno);
  }
  (void)::prctl(PR_SET_DUMPABLE, 0);
}

void change_user(const Spec& spec) {
  const std::uint32_t uid = spec.settings().run_as_uid;
  if (uid == kKeepUser) return;
  if (::setgroups(0, nullptr) != 0 || ::setresgid(uid, uid, uid) != 0 ||
      ::setresuid(uid, uid, uid) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot become an unprivileged user", "", errno);
  }
}

// Root without a capability is still the owner of much; a user namespace of its own, without a
// capability in it either, also counts the program's processes from nought.
bool enter_own_user_namespace(const Spec& spec) {
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return false;
  write_maps(spec, kInsideUser, uid, gid);
  return true;
}

}  // namespace

void make_namespaces(const Spec& spec) {
  change_user(spec);
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                CLONE_NEWUTS) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot make namespaces", "", errno);
  }
  write_maps(spec, 0, uid, gid);
}

void drop_bounding_set() {
  for (int capability = 0; capability <= kHighestCapability; ++capability) {
    if (::prctl(PR_CAPBSET_DROP, capability) != 0 && errno == EINVAL) return;
  }
}

void drop_capabilities(std::uint64_t keep) {
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int half = 0; half < 2; ++half) {
    data[half].effective = data[half].permitted = static_cast<std::uint32_t>(keep >> (32 * half));
  }
  (void)::syscall(SYS_capset, &header, data);
}

void become_user(const Spec& spec) {
  drop_bounding_set();
  if (spec.settings().isolation != Isolation::kUserNamespace) change_user(spec);
  if (spec.namespaces() && enter_own_user_namespace(spec)) {
    spec.shared->report.notes |= kNoteOwnUserNamespace;
    drop_bounding_set();
  }
  (void)::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                       SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED);
  drop_capabilities(0);
}

}  // namespace tensorpath::sandbox
