// Verification: the gates that a candidate passes, in order, and the report of them. The verdict is
// the harness's own: the process that runs the candidate gets inputs and returns bytes.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/random.h>
#include <tensorpath/base/table.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/emitted_code.h>
#include <tensorpath/harness/failure.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/ops/truth.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

enum class Gate : std::uint8_t {
  kContract,
  kCompile,
  kObject,
  kSmoke,
  kHoldout,
  kSteady,
  kSanitize,
  kCleanup,
};
[[nodiscard]] std::string_view name_of(Gate gate);

struct GateReport {
  enum class Status : std::uint8_t { kPassed, kFailed, kNotRun };
  Gate gate = Gate::kContract;
  Status status = Status::kNotRun;
  Failure failure = Failure::kNone;
  std::string detail;  // for the author; nothing of a hidden case
  double seconds = 0;
};

// The smallest public case at which the same thing goes wrong.
struct CounterExample {
  std::string case_text;  // "rows=3 hidden=257, probe"
  std::string output;
  std::int64_t index = 0;
  double got = 0;
  double expected = 0;
  double allowed = 0;
};

// What the compiler gave one kernel of a device, per thread or block.
struct KernelResources {
  std::string kernel;
  std::string architecture;
  std::int64_t registers = 0;
  std::int64_t stack_bytes = 0;
  std::int64_t spill_store_bytes = 0;
  std::int64_t spill_load_bytes = 0;
  std::int64_t shared_bytes = 0;  // static
  std::int64_t barriers = 0;

  // "rmsnorm: 32 registers, no spills, 1024 bytes of shared memory"
  [[nodiscard]] std::string to_text() const;
};

struct VerifyReport {
  bool passed = false;
  Failure failure = Failure::kNone;
  std::string detail;
  std::string suspected_cause;  // empty when there is no suspicion
  std::vector<GateReport> gates;
  int cases = 0;  // hidden ones that were run and compared whole
  std::int64_t elements = 0;
  double worst = 0;  // largest error over what is allowed
  double worst_ulp = 0;
  std::array<std::int64_t, kUlpEdges.size() + 1> ulp_histogram{};
  bool deterministic = true;  // equal inputs gave equal bytes in every run
  std::vector<CounterExample> counter_examples;
  SandboxLevel sandbox = SandboxLevel::kLimits;
  std::string sandbox_reason;
  std::vector<std::string> defences_off;   // only in the self-test
  std::string toolchain;                   // compiler and its version, architecture, flags
  std::vector<KernelResources> resources;  // empty on the host
  EmittedCode emitted;                     // of a candidate that compiled
  std::string candidate_digest;
  std::string commitment;  // SHA-256 that bound seed, cases and digests before compiling
  std::string seed;        // revealed: hex; empty while nothing was committed
  int case_count = 0;      // of the committed list
  double seconds = 0;

  // "elementwise or norm: 2.1 s over 44 cases" is for people; this is for scripts.
  [[nodiscard]] Json to_json() const;
  [[nodiscard]] Table to_table() const;
};

// A baseline that is a library's, run by a worker in Python.
struct LibraryArm {
  std::string name;   // "torch-eager"
  std::string cache;  // directory in which its compiler keeps what it made; empty: none
};

struct VerifyOptions {
  SandboxMode sandbox = SandboxMode::kStrict;
  std::string worker;   // path of tensorpath-worker
  std::string scratch;  // directory for build products; empty: a temporary one
  bool sanitizers = true;
  int threads = 0;  // of the pool; 0: as many as cores, at most 4
  // The directory is an installed baseline's (read_baseline()), not what somebody handed in.
  bool baseline = false;
  std::optional<LibraryArm> library;  // of a baseline that a library runs
  // To run the cases of a verdict again; nothing new is hidden then, and it proves nothing new.
  std::optional<Key> revealed_seed;
  // Called when a gate ends, and with the commitment before anything is compiled.
  std::function<Status(const std::string& commitment)> on_commit;
  std::function<Status(const GateReport&)> on_gate;
};

// Errors are the machine's or the harness's (no compiler, sandbox not to be had); whatever the
// candidate does is a report.
[[nodiscard]] Expected<VerifyReport> verify(const KernelTask& task,
                                            const std::string& candidate_directory,
                                            const VerifyOptions& options);

}  // namespace tensorpath
