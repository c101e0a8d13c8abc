// What a kind of device must offer: compile a candidate, look at the code object, and run calls in
// a process of their own. host.cpp and cuda.cpp are the two there are.
#pragma once

#include "defences.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/failure.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/harness/verify.h>
#include <tensorpath/ops/cases.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

// A candidate and all that is needed to build and run it.
struct Subject {
  const KernelTask& task;
  const KernelCandidate& candidate;
  const VerifyOptions& options;
  const Defences& defences;
  std::string scratch;  // build products go here
};

// What is started in the place of tensorpath-worker: a library's worker, which is the tool's own.
struct WorkerProgram {
  std::vector<std::string> command;
  std::vector<ViewEntry> view;           // beside that of a worker
  std::vector<std::string> environment;  // likewise; "NAME=value" takes the place of an earlier one
  double lay_out_s = 0;                  // for slots to be laid out, in which it may compile
};

// A code object ready to run; what went wrong when there is none.
struct Built {
  Refusal refusal;
  std::string path;                        // of the code object
  std::string toolchain;                   // compiler, version, flags
  std::vector<KernelResources> resources;  // empty on the host
  SandboxLevel level = SandboxLevel::kLimits;
  std::string level_reason;
  std::optional<WorkerProgram> program;  // of a library's arm
};

enum class Build : std::uint8_t { kPlain, kAddress, kThread };  // kinds of instrumentation

struct CallBuffer {
  enum class Role : std::uint8_t { kInput, kOutput, kWorkspace };
  Role role = Role::kInput;
  std::string name;
  const unsigned char* contents = nullptr;  // null: poison
  std::size_t bytes = 0;
  std::size_t misalignment = 0;  // bytes past a 16-byte boundary
  bool zeroed = false;           // workspace that the plan wants zeroed
};

struct CallSpec {
  std::vector<CallBuffer> buffers;  // inputs, outputs, workspaces
  Symbols symbols;                  // for the plan
  std::vector<std::pair<std::string, double>> attributes;
  std::vector<std::string> dims, strides;  // names in the order of the host struct
  bool flush_end = true;  // buffers end at an unmapped page, else they start after one
  unsigned char poison = 0;
  std::uint64_t placement = 0;  // equal numbers put buffers at equal addresses
  std::uint64_t schedule = 0;
  double limit_s = 10;
};

struct CallResult {
  Refusal refusal;
  std::vector<std::vector<unsigned char>> outputs;  // bytes of the buffers with role kOutput
  bool over = false;  // with `replies` off: the worker took its leave and was believed
};

// One process with the code object loaded. Any number of calls.
class Session {
 public:
  virtual ~Session() = default;
  // An Error is the machine's; what the candidate does is a refusal, and the session is over then.
  [[nodiscard]] virtual Expected<CallResult> call(const CallSpec& spec) = 0;
  // Ends the process; says what it left behind.
  [[nodiscard]] virtual Refusal finish() = 0;
  [[nodiscard]] virtual SandboxLevel level() const = 0;
  [[nodiscard]] virtual std::string level_reason() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  [[nodiscard]] virtual Refusal scan_source(const Subject& subject) const = 0;
  [[nodiscard]] virtual Expected<Built> build(const Subject& subject, Build build) const = 0;
  [[nodiscard]] virtual Expected<Refusal> scan_object(const Subject& subject,
                                                      const Built& built) const = 0;
  // Instrumented builds that this device has for the candidate, kPlain not among them.
  [[nodiscard]] virtual std::vector<Build> instrumented(const Subject& subject) const = 0;
  [[nodiscard]] virtual Expected<std::unique_ptr<Session>> start(const Subject& subject,
                                                                 const Built& built,
                                                                 Build build) const = 0;
};

// An Error says what this machine lacks for it.
[[nodiscard]] Expected<std::unique_ptr<Device>> make_device(DeviceKind kind);
[[nodiscard]] std::unique_ptr<Device> make_host_device();
[[nodiscard]] Expected<std::unique_ptr<Device>> make_cuda_device();

// The harness with some of its defences off; for its own tests.
[[nodiscard]] Expected<VerifyReport> verify_with(const KernelTask& task,
                                                 const std::string& candidate_directory,
                                                 const VerifyOptions& options,
                                                 const Defences& defences);

}  // namespace tensorpath
