// The init of a sandbox: a static program without exceptions or libstdc++, started from memory. It
// reads its Spec from the shared file, makes the surroundings, starts the program and supervises
// it.
#pragma once

#include "../wire.h"

#include <cstddef>
#include <cstdint>

#include <linux/filter.h>
#include <sys/types.h>

namespace tensorpath::sandbox {

struct ViewItem {
  const char* source;
  const char* target;
  std::uint32_t flags;
};

struct FdPair {
  int here;
  int there;
};

// What every program may count on.
inline constexpr const char* kDeviceNodes[] = {"/dev/full", "/dev/null", "/dev/random",
                                               "/dev/urandom", "/dev/zero"};

template <typename T>
struct List {
  T* data = nullptr;
  std::size_t size = 0;

  T* begin() const { return data; }
  T* end() const { return data + size; }
};

struct Spec {
  Shared* shared = nullptr;
  List<char*> argv;         // with a final null
  List<char*> environment;  // with a final null; room for one more
  const char* working_directory = nullptr;
  List<ViewItem> view;
  List<FdPair> fds;
  List<sock_filter> filter;
  int control = -1;
  int parent = -1;        // pidfd of the process that started the sandbox
  int host_proc = -1;     // /proc as it was outside, O_PATH
  int proc = -1;          // a /proc that shows the sandbox's processes, or -1
  int out[2] = {-1, -1};  // read end, write end
  int err[2] = {-1, -1};
  pid_t init_pid = 0;
  const char* temporary = nullptr;  // directory to remove at the end, below kNamespaces

  [[nodiscard]] const Settings& settings() const { return shared->settings; }
  [[nodiscard]] bool namespaces() const {
    return settings().isolation >= Isolation::kUserNamespace;
  }
};

// Notes why the sandbox cannot start and ends this process.
[[noreturn]] void fail_start(const Spec& spec, StartFailure failure, const char* what,
                             const char* path, int error);
// Memory for the life of the process.
void* allocate(std::size_t bytes);
// open, write, close; for the small files of /proc.
bool write_text(int directory, const char* path, const char* text);

// mounts.cpp: a root that holds the view and nothing else. Fails the start where it cannot.
void make_root(Spec& spec);

// landlock.cpp: a ruleset that holds the view, or the start fails. -1: not asked for.
int make_ruleset(const Spec& spec);
void enter_ruleset(const Spec& spec, int ruleset);

// identity.cpp
void drop_bounding_set();
void drop_capabilities(std::uint64_t keep);
// Namespaces of the unprivileged user that root's sandbox runs as, where root cannot make any. The
// next child is the first process in them.
void make_namespaces(const Spec& spec);
// Becomes the user that the program runs as, without any capability.
void become_user(const Spec& spec);

// program.cpp: what the program's process does before it is the program. `started` is a pipe's end
// that closes when the program runs, or when it cannot and the report says why.
[[noreturn]] void become_program(const Spec& spec, int started);

// temporary.cpp: a private directory for levels that cannot mount one.
void make_temporary(Spec& spec);
void remove_temporary(const Spec& spec);

// processes.cpp
struct Process {
  pid_t pid;
  pid_t parent;
  char state;  // as in proc(5): T is stopped, Z a zombie
  std::uint32_t threads;
  std::uint64_t started;  // with the pid, a name that is never used again
  std::uint64_t resident_bytes;
  double cpu_s;  // its own and of those it has waited for
};
// The living descendants of this process; `ok` is false where /proc cannot be read.
struct Descendants {
  const Process* data;
  std::size_t size;
  bool ok;

  [[nodiscard]] const Process* begin() const { return data; }
  [[nodiscard]] const Process* end() const { return data + size; }
};
Descendants list_descendants(const Spec& spec);
// Signals that process and no other: by now its pid may be somebody else's.
void signal_process(const Spec& spec, const Process& process, int signal);
bool all_threads_stopped(const Spec& spec, pid_t pid);
std::uint64_t count_tasks_of(const Spec& spec, unsigned uid);

// supervise.cpp: until the program has ended and nothing is left. Returns the exit status.
int supervise(Spec& spec, pid_t program);

}  // namespace tensorpath::sandbox
