// Starts a sandbox at the strongest level that is allowed. Tests take levels away to prove each.
#pragma once

#include "spec.h"
#include "wire.h"

#include <memory>
#include <string>

#include <sys/types.h>

#include <tensorpath/sandbox.h>

namespace tensorpath::sandbox {

// What the machine is taken to have; less than it has, for tests.
struct Machine {
  bool root_namespaces = true;
  bool user_namespaces = true;
  bool seccomp = true;
  int landlock_abi = 99;  // at most
};

// A sandbox that has been started: descriptors, shared memory, level.
struct Started {
  SharedMemory memory;
  int control = -1;
  int pidfd = -1;
  pid_t pid = -1;
  SandboxLevel level = SandboxLevel::kLimits;
  std::string level_reason;

  Started() = default;
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started();
};

struct StartResult {
  std::unique_ptr<Started> started;  // null: start_error says why
  std::string start_error;
  SandboxLevel level = SandboxLevel::kLimits;  // at which it failed
};

// An Error is a wrong spec, or a strict start that the machine does not allow.
[[nodiscard]] Expected<StartResult> start_sandbox(const SandboxSpec& spec, SandboxMode mode,
                                                  const Machine& machine, bool probe = false);
[[nodiscard]] int landlock_abi();

}  // namespace tensorpath::sandbox

namespace tensorpath {

// The public functions, on a machine that has less.
struct SandboxLaunch {
  [[nodiscard]] static Expected<SandboxedProcess> start(const SandboxSpec& spec, SandboxMode mode,
                                                        const sandbox::Machine& machine);
  [[nodiscard]] static Expected<SandboxOutcome> run(const SandboxSpec& spec, SandboxMode mode,
                                                    const sandbox::Machine& machine);
};

}  // namespace tensorpath
