#include "init.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

// More than any machine's usual pid_max; pages that are not used cost nothing.
constexpr std::size_t kMostProcesses = 1U << 17;

bool is_number(const char* name) { return *name >= '0' && *name <= '9'; }

// Calls `visit` with each number that names an entry of a directory.
template <typename Visit>
bool for_each_number(int directory, const char* path, Visit visit) {
  const int fd = ::openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  DIR* entries = ::fdopendir(fd);
  if (entries == nullptr) {
    ::close(fd);
    return false;
  }
  while (const dirent* entry = ::readdir(entries)) {
    if (is_number(entry->d_name)) visit(static_cast<int>(std::strtol(entry->d_name, nullptr, 10)));
  }
  ::closedir(entries);
  return true;
}

bool read_stat(int directory, const char* path, Process& process) {
  char text[1024];
  const int fd = ::openat(directory, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (size <= 0) return false;
  text[size] = 0;
  // A program may have spaces and parentheses in its name: the last one ends it.
  const char* after = std::strrchr(text, ')');
  if (after == nullptr) return false;
  int parent = 0;
  unsigned long long ticks[4] = {};
  long threads = 0;
  unsigned long long started = 0;
  long long pages = 0;
  const int fields = std::sscanf(  // NOLINT(cert-err34-c): the kernel's own numbers
      after + 1,
      " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %ld %*d %llu %*u "
      "%lld",
      &process.state, &parent, &ticks[0], &ticks[1], &ticks[2], &ticks[3], &threads, &started,
      &pages);
  if (fields != 9) return false;
  process.parent = parent;
  process.started = started;
  process.threads = static_cast<std::uint32_t>(threads);
  process.resident_bytes =
      static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(::getpagesize());
  process.cpu_s = static_cast<double>(ticks[0] + ticks[1] + ticks[2] + ticks[3]) /
                  static_cast<double>(::sysconf(_SC_CLK_TCK));
  return true;
}

Process* storage() {
  static Process* const memory = [] {
    void* pages = ::mmap(nullptr, kMostProcesses * sizeof(Process), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? nullptr : static_cast<Process*>(pages);
  }();
  return memory;
}

// Moves the descendants of `root` to the front. A child is usually listed after its parent, so few
// passes do.
std::size_t keep_descendants(Process* all, std::size_t size, pid_t root) {
  std::size_t kept = 0;
  const auto is_ours = [&](pid_t pid) {
    if (pid == root) return true;
    for (std::size_t i = 0; i < kept; ++i) {
      if (all[i].pid == pid) return true;
    }
    return false;
  };
  for (std::size_t before = size + 1; before != kept;) {
    before = kept;
    for (std::size_t i = kept; i < size; ++i) {
      if (!is_ours(all[i].parent)) continue;
      const Process found = all[i];
      all[i] = all[kept];
      all[kept++] = found;
    }
  }
  return kept;
}

}  // namespace

Descendants list_descendants(const Spec& spec) {
  Process* all = storage();
  if (spec.proc < 0 || all == nullptr) return {nullptr, 0, false};
  std::size_t size = 0;
  const bool read = for_each_number(spec.proc, ".", [&](int number) {
    char path[64];
    std::snprintf(path, sizeof path, "%d/stat", number);
    if (size == kMostProcesses || !read_stat(spec.proc, path, all[size])) return;
    all[size].pid = number;
    if (all[size].state != 'Z' && all[size].state != 'X') ++size;
  });
  if (!read) return {nullptr, 0, false};
  return {all, keep_descendants(all, size, spec.init_pid), true};
}

void signal_process(const Spec& spec, const Process& process, int signal) {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0) return;
  char path[64];
  std::snprintf(path, sizeof path, "%d/stat", process.pid);
  Process now{};
  // Whoever has the pid after the descriptor was opened is who the descriptor means.
  if (read_stat(spec.proc, path, now) && now.started == process.started) {
    (void)::syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0);
  }
  ::close(fd);
}

bool all_threads_stopped(const Spec& spec, pid_t pid) {
  char tasks[32];
  std::snprintf(tasks, sizeof tasks, "%d/task", pid);
  bool stopped = true;
  (void)for_each_number(spec.proc, tasks, [&](int number) {
    char path[64];
    std::snprintf(path, sizeof path, "%d/task/%d/stat", pid, number);
    Process thread{};
    if (read_stat(spec.proc, path, thread) && std::strchr("TtZX", thread.state) == nullptr) {
      stopped = false;
    }
  });
  return stopped;
}

std::uint64_t count_tasks_of(const Spec& spec, unsigned uid) {
  std::uint64_t tasks = 0;
  (void)for_each_number(spec.proc, ".", [&](int number) {
    char path[64];
    std::snprintf(path, sizeof path, "%d/stat", number);
    struct stat status {};
    Process process{};
    if (::fstatat(spec.proc, path, &status, 0) == 0 && status.st_uid == uid &&
        read_stat(spec.proc, path, process)) {
      tasks += process.threads;
    }
  });
  return tasks;
}

}  // namespace tensorpath::sandbox
