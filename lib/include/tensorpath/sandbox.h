// Runs what is not trusted: compilers on hostile sources, and a worker that has loaded hostile
// code. The program sees only the files of its view, no network and no process but its own, under
// limits on time, memory, processes, files and output. The outcome says how it ended, that nothing
// of it is left, and which level of isolation was reached.
//
// A small first process (the init) is started for each sandbox. It sets everything up, starts the
// program, watches it and takes it down; it goes, with all it started, when this process dies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

// Weakest to strongest.
enum class SandboxLevel {
  kLimits,      // resource limits and no new privileges; files and network as the caller's
  kLandlock,    // also: files by Landlock, system calls by seccomp
  kNamespaces,  // user, mount, pid, net, ipc and uts namespaces, and seccomp
};

enum class SandboxMode {
  kStrict,      // kNamespaces, or an error of class kEnvironment that says why not
  kBestEffort,  // the strongest level that this machine allows
};

// One file or directory that exists inside; read-only unless writable. Paths are absolute. Below
// kNamespaces nothing can be renamed: there `target` must equal `source`.
struct ViewEntry {
  std::string source;
  std::string target;  // empty: as the source
  bool writable = false;
  bool device = false;  // a device node that may be read and written (/dev/nvidia0)
};

// 0 is no limit, except where it says otherwise.
struct SandboxLimits {
  double wall_s = 60;
  double cpu_s = 0;                        // of all processes together
  std::uint64_t address_space_bytes = 0;   // of each process; 0 for CUDA and the sanitizers
  std::uint64_t resident_bytes = 0;        // of all processes together, sampled
  std::uint64_t file_bytes = 1ULL << 30;   // of each file
  std::uint64_t tmp_bytes = 256ULL << 20;  // of the private /tmp
  int processes = 64;                      // threads count too; at least 1
  int open_files = 256;                    // at least 3
  std::size_t output_bytes = 1U << 20;     // stdout and stderr together; at least 1
};

struct PassedFd {
  int parent_fd = -1;
  int child_fd = -1;  // above 2
};

struct SandboxSpec {
  std::vector<std::string> argv;         // argv[0] is an absolute path inside
  std::vector<std::string> environment;  // "NAME=value"; nothing else is in it
  std::string working_directory = "/";
  std::vector<ViewEntry> view;
  std::vector<PassedFd> fds;
  SandboxLimits limits;
  bool fixed_addresses = false;  // no address randomisation (ThreadSanitizer)
  bool need_proc = false;        // a read-only /proc of the sandbox's own processes
  bool own_proc = false;         // with need_proc: they may write there about themselves (CUDA's
                                 // driver names its threads); the kernel's settings stay read-only
  bool tmp = false;              // a private /tmp
  bool memfd = false;            // memfd_create is allowed (its pages escape every limit on memory)
};

enum class SandboxEnd {
  kExited,
  kSignalled,
  kWallLimit,
  kCpuLimit,
  kMemoryLimit,   // resident_bytes
  kProcessLimit,  // processes, where the kernel does not enforce it by itself
  kOutputLimit,
  kKilled,       // by kill_and_wait()
  kStartFailed,  // start_error says why
};

struct SandboxOutcome {
  SandboxEnd end = SandboxEnd::kStartFailed;
  int exit_code = 0;
  int signal = 0;
  std::string out, err;
  bool output_cut = false;
  double wall_s = 0;
  double cpu_s = 0;
  std::uint64_t peak_bytes = 0;  // resident; of the largest process, or of all where sampled
  int leftovers = 0;             // processes still alive when the main program ended
  bool nothing_left = false;     // proved: no process of the sandbox is alive
  SandboxLevel level = SandboxLevel::kLimits;
  std::string level_reason;  // what was reached and what was not, for a report
  std::string start_error;
};

[[nodiscard]] const char* to_string(SandboxLevel level);
[[nodiscard]] const char* to_string(SandboxEnd end);

// Runs a program to its end. An Error is a wrong spec (kUsage) or a machine that cannot do it
// (kEnvironment); a program that could not be started is an outcome.
[[nodiscard]] Expected<SandboxOutcome> run_sandboxed(const SandboxSpec& spec, SandboxMode mode);

// A program that talks over passed descriptors while it lives. One thread at a time may use it. It
// ends with this object.
class SandboxedProcess {
 public:
  [[nodiscard]] static Expected<SandboxedProcess> start(const SandboxSpec& spec, SandboxMode mode);
  SandboxedProcess(SandboxedProcess&& other) noexcept;
  SandboxedProcess& operator=(SandboxedProcess&& other) noexcept;
  SandboxedProcess(const SandboxedProcess&) = delete;
  SandboxedProcess& operator=(const SandboxedProcess&) = delete;
  ~SandboxedProcess();

  // Stops every thread of every process inside and returns once all are stopped; false: it ended.
  [[nodiscard]] bool freeze();
  [[nodiscard]] bool thaw();
  // The program alone, at once and without waiting for the effect: for who times it. freeze() is to
  // follow a stop. False where the kernel does not tell which process it is.
  [[nodiscard]] bool stop_now();
  [[nodiscard]] bool continue_now();
  // By freeze(), or because it stopped itself.
  [[nodiscard]] bool frozen_or_stopped();
  [[nodiscard]] bool alive() const;
  // The program's process as the caller sees it; 0 where the kernel does not tell.
  [[nodiscard]] int program_pid();
  // Readable once the sandbox is over (poll it; it is this object's).
  [[nodiscard]] int pidfd() const;
  [[nodiscard]] SandboxLevel level() const;
  [[nodiscard]] const std::string& level_reason() const;

  [[nodiscard]] SandboxOutcome kill_and_wait();
  // Until it ends by itself or at a limit, at most `seconds`; then it is killed (kWallLimit).
  [[nodiscard]] SandboxOutcome wait(double seconds);

 private:
  struct State;
  explicit SandboxedProcess(std::unique_ptr<State> state);
  friend struct SandboxLaunch;
  std::unique_ptr<State> state_;
};

// What this machine allows.
struct SandboxSupport {
  bool user_namespaces = false;  // kNamespaces works, tried just now
  bool landlock = false;
  bool seccomp = false;
  int landlock_abi = 0;
  std::string reason;  // why kNamespaces does not work; empty when it does
};
[[nodiscard]] SandboxSupport probe_sandbox();

// What a compiler needs and no more: /usr, the library and program directories, /etc/alternatives
// and the loader's cache, each where it is there, read-only.
[[nodiscard]] std::vector<ViewEntry> toolchain_view();

// Root's sandboxes run as an unprivileged user where the view lets that user in. Gives a directory
// that the caller made for a sandbox to that user; does nothing for a caller who is not root.
[[nodiscard]] Status give_to_sandbox(const std::string& path);

}  // namespace tensorpath
