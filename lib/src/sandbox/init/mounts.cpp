#include "init.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

// A place to mount the new root on while it is filled; each exists on any system. What is below it
// was opened before, so it may well hold parts of the view.
constexpr const char* kScaffolds[] = {"/tmp", "/usr", "/proc", "/dev"};

// A machine that allows namespaces but not what is done in them (AppArmor, a masked /proc) may
// still allow a weaker level.
[[noreturn]] void refuse(const Spec& spec, const char* what, const char* path) {
  fail_start(spec, StartFailure::kRefused, what, path, errno);
}

// A path that is not there, or leads elsewhere, is the view's fault: no weaker level would mend it.
[[noreturn]] void refuse_path(const Spec& spec, const char* what, const char* path) {
  for (const int error : {ENOENT, ENOTDIR, ELOOP, EXDEV, ENAMETOOLONG, ENOSPC}) {
    if (errno == error) fail_start(spec, StartFailure::kBroken, what, path, error);
  }
  refuse(spec, what, path);
}

struct Mount {
  int tree;
  bool directory;
  const char* target;
};

Mount clone_tree(const Spec& spec, const ViewItem& item) {
  const int tree =
      ::open_tree(AT_FDCWD, item.source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) refuse_path(spec, "cannot take into the view", item.source);
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_NOSUID;
  if ((item.flags & kViewWritable) == 0) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  attributes.attr_set |= (item.flags & kViewDevice) != 0 ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) !=
      0) {
    refuse(spec, "cannot restrict the mount of", item.source);
  }
  struct stat status {};
  if (::fstat(tree, &status) != 0) refuse_path(spec, "cannot look at", item.source);
  return {tree, S_ISDIR(status.st_mode), item.target};
}

List<Mount> clone_view(const Spec& spec) {
  constexpr std::size_t kNodes = sizeof kDeviceNodes / sizeof kDeviceNodes[0];
  List<Mount> mounts{static_cast<Mount*>(allocate((spec.view.size + kNodes) * sizeof(Mount))), 0};
  for (const ViewItem& item : spec.view) mounts.data[mounts.size++] = clone_tree(spec, item);
  for (const char* node : kDeviceNodes) {
    mounts.data[mounts.size++] = clone_tree(spec, {node, node, kViewDevice});
  }
  return mounts;
}

// The mount point and the directories above it, relative to the new root.
void make_mount_point(const Spec& spec, const Mount& mount) {
  char path[4096];
  if (std::snprintf(path, sizeof path, "%s", mount.target + 1) >= static_cast<int>(sizeof path)) {
    errno = ENAMETOOLONG;
    refuse_path(spec, "cannot make in the view", mount.target);
  }
  for (char* slash = std::strchr(path, '/'); slash != nullptr;
       slash = std::strchr(slash + 1, '/')) {
    *slash = 0;
    if (::mkdir(path, 0755) != 0 && errno != EEXIST) {
      refuse_path(spec, "cannot make in the view", mount.target);
    }
    *slash = '/';
  }
  if (mount.directory) {
    if (::mkdir(path, 0755) == 0 || errno == EEXIST) return;
  } else if (::mknod(path, S_IFREG | 0644, 0) == 0 || errno == EEXIST) {
    return;
  }
  refuse_path(spec, "cannot make in the view", mount.target);
}

void attach(const Spec& spec, const Mount& mount) {
  // A link inside a part of the view must not lead the mount elsewhere.
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  const auto place =
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, mount.target + 1, &how, sizeof how));
  if (place < 0 || ::move_mount(mount.tree, "", place, "",
                                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    refuse_path(spec, "cannot place in the view", mount.target);
  }
  ::close(place);
  ::close(mount.tree);
}

void mount_tmpfs(const Spec& spec, const char* on, std::uint64_t bytes, const char* mode) {
  char options[96];
  std::snprintf(options, sizeof options, "mode=%s,size=%llu,nr_inodes=65536", mode,
                static_cast<unsigned long long>(bytes));
  if (::mount("tmpfs", on, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0) {
    refuse(spec, "cannot mount a tmpfs on", on);
  }
}

const char* mount_scaffold(const Spec& spec) {
  for (const char* place : kScaffolds) {
    struct stat status {};
    if (::stat(place, &status) != 0 || !S_ISDIR(status.st_mode)) continue;
    // It holds directories and empty files only.
    mount_tmpfs(spec, place, 1U << 20, "0755");
    return place;
  }
  errno = ENOENT;
  refuse(spec, "cannot find a place for the root", kScaffolds[0]);
}

void mount_proc(const Spec& spec) {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const bool own = spec.settings().need_proc == kOwnProc;
  const unsigned long flags = own ? kFlags : kFlags | MS_RDONLY;
  (void)::mkdir("proc", 0555);
  // Where parts of /proc are masked, a plain user may have the processes alone at most.
  if (::mount("proc", "proc", "proc", flags, nullptr) != 0 &&
      ::mount("proc", "proc", "proc", flags, "subset=pid") != 0) {
    refuse(spec, "cannot mount", "/proc");
  }
  if (!own) return;
  // What is not a process stays read-only, whoever the program runs as.
  for (const char* part : {"proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus", "proc/fs",
                           "proc/acpi", "proc/scsi", "proc/mtrr"}) {
    if (::access(part, F_OK) != 0) continue;
    if (::mount(part, part, nullptr, MS_BIND | MS_REC, nullptr) != 0 ||
        ::mount(nullptr, part, nullptr, MS_BIND | MS_REMOUNT | kFlags | MS_RDONLY, nullptr) != 0) {
      refuse(spec, "cannot make read-only", part);
    }
  }
}

// A /proc of the new pid namespace for the init alone, attached nowhere.
int open_private_proc() {
  const int context = ::fsopen("proc", FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  int mounted = -1;
  if (::fsconfig(context, FSCONFIG_SET_STRING, "subset", "pid", 0) == 0 &&
      ::fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    mounted = ::fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  }
  ::close(context);
  if (mounted < 0) return -1;
  const int root = ::openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ::close(mounted);
  return root;
}

}  // namespace

void make_root(Spec& spec) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    refuse(spec, "cannot make mounts private", "");
  }
  const List<Mount> mounts = clone_view(spec);
  spec.proc = open_private_proc();
  if (spec.proc < 0) spec.shared->report.notes |= kNoteNoSampling;
  const char* scaffold = mount_scaffold(spec);
  if (::chdir(scaffold) != 0) refuse(spec, "cannot enter", scaffold);
  if (spec.settings().tmp != 0) {
    (void)::mkdir("tmp", 0755);
    mount_tmpfs(spec, "tmp", spec.settings().tmp_bytes, "1777");
  }
  if (spec.settings().need_proc != 0) mount_proc(spec);
  for (const Mount& mount : mounts) make_mount_point(spec, mount);
  for (const Mount& mount : mounts) attach(spec, mount);
  if (::syscall(SYS_pivot_root, ".", ".") != 0) refuse(spec, "cannot change the root", "");
  if (::umount2(".", MNT_DETACH) != 0) refuse(spec, "cannot leave the old root", "");
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  if (::chdir("/") != 0 || ::mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only) != 0) {
    refuse(spec, "cannot make the root read-only", "");
  }
}

}  // namespace tensorpath::sandbox
