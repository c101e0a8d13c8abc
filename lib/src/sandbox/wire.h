// What the library and the init tell each other: one shared memory file (the spec one way, progress
// and outcome the other) and one-byte messages over a socket. Both sides are of the same build.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tensorpath::sandbox {

// Descriptors of the init, by argument position on its command line.
enum InitArgument { kArgShared = 1, kArgControl, kArgParent, kArgCount };

// Messages to the init, each answered by kYes or kNo.
inline constexpr char kAskFreeze = 'F';
inline constexpr char kAskThaw = 'T';
inline constexpr char kAskStopped = 'S';
inline constexpr char kAskKill = 'K';  // no answer: the init goes
// From the init: the answers, and once the program runs (or cannot).
inline constexpr char kYes = 'y';
inline constexpr char kNo = 'n';
inline constexpr char kStarted = 's';

enum class Isolation : std::uint32_t {
  kLimits = 0,
  kLandlock = 1,
  kUserNamespace = 2,  // namespaces made by a plain user
  kRootNamespace = 3,  // namespaces made by root, who then gives up everything
};

enum class StartFailure : std::uint32_t {
  kNone = 0,
  kRefused = 1,  // the machine does not allow this level; a weaker one may work
  kBroken = 2,   // this program cannot be started at any level
};

enum class WireEnd : std::uint32_t {
  kNone = 0,
  kExited,
  kSignalled,
  kWallLimit,
  kCpuLimit,
  kMemoryLimit,
  kProcessLimit,
  kOutputLimit,
  kKilled,
};

// Bits of Report::notes.
inline constexpr std::uint32_t kNoteOwnUserNamespace = 1;  // the program has one of its own
inline constexpr std::uint32_t kNoteNoSampling = 2;        // no /proc to sample the processes from

struct Report {
  StartFailure failure;
  WireEnd end;
  std::int32_t exit_code;
  std::int32_t signal;
  std::int32_t leftovers;
  std::uint32_t nothing_left;
  std::uint32_t output_cut;
  std::uint32_t notes;
  std::uint64_t out_size;
  std::uint64_t err_size;
  std::uint64_t peak_bytes;
  double wall_s;
  double cpu_s;
  char text[1024];  // why the start failed
};

inline constexpr std::uint32_t kNoProc = 0, kReadProc = 1, kOwnProc = 2;

struct Settings {
  Isolation isolation;
  std::uint32_t run_as_uid;  // kKeepUser: as whom it was started
  std::uint32_t fixed_addresses;
  std::uint32_t need_proc;  // kNoProc, kReadProc or kOwnProc
  std::uint32_t tmp;
  std::uint32_t probe;   // set up, start nothing, exit 0
  std::uint32_t sample;  // look at all processes while they run
  std::int32_t landlock_abi;
  std::int32_t processes;
  std::int32_t open_files;
  std::int32_t
      pid_placeholder_at;  // index of the filter's instruction that holds the program's pid
  std::uint64_t address_space_bytes;
  std::uint64_t resident_bytes;
  std::uint64_t file_bytes;
  std::uint64_t tmp_bytes;
  double wall_s;
  double cpu_s;
};
inline constexpr std::uint32_t kKeepUser = 0xffffffffU;

inline constexpr std::uint32_t kViewWritable = 1;
inline constexpr std::uint32_t kViewDevice = 2;

// The shared file: this header, the spec's lists, then the two output areas of output_bytes each.
// Lists, in order, each a count and its items: argv, environment, {working directory}, view
// (source, target, flags), fds (init's, program's), seccomp instructions (8 bytes each). Strings
// are a length and bytes with a final NUL; numbers are 32-bit and aligned by 4.
struct Shared {
  std::uint64_t total_bytes;
  std::uint64_t lists_at;
  std::uint64_t lists_bytes;
  std::uint64_t out_at;
  std::uint64_t err_at;
  std::uint64_t output_bytes;
  Settings settings;
  Report report;
};

}  // namespace tensorpath::sandbox
