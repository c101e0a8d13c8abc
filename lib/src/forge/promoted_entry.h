// The registry's entry of a promoted attempt, from its packet.
#pragma once

#include <tensorpath/base/clock.h>
#include <tensorpath/base/json.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/registry/entry.h>

namespace tensorpath::forge {

// Without id, packet and files. `predicate` is the packet's; `here` the toolchain of this machine,
// whose flags are the build's.
[[nodiscard]] Expected<registry::Entry> promoted_entry(const KernelTask& task,
                                                       const Json& predicate,
                                                       const registry::Toolchain& here,
                                                       WallTime promoted_at);

}  // namespace tensorpath::forge
