// Starts the init in new namespaces, at a cost that does not grow with this process.
#pragma once

#include "spec.h"

#include <string>

#include <sys/types.h>

#include <tensorpath/sandbox.h>

namespace tensorpath::sandbox {

struct Spawned {
  pid_t pid = -1;
  int pidfd = -1;
  int control = -1;     // our end of the socket
  std::string failure;  // why there is none
};

[[nodiscard]] Spawned spawn_init(const SandboxSpec& spec, const EncodedSpec& encoded);

}  // namespace tensorpath::sandbox
