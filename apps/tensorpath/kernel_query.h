// The text of a call: op=rmsnorm,shape=16x4096,dtype=fp32,gpu=host.
#pragma once

#include "command.h"

#include <tensorpath/registry/select.h>

namespace tensorpath::cli {

// Keys: op, dtype, gpu, arch, layout; shape=16x4096 or each dim by its name; attributes by theirs.
// What is left out is the operator's first type, host, this machine's or the GPU's architecture, a
// contiguous layout, and the attributes' defaults. Errors name the nearest right word.
[[nodiscard]] Expected<registry::Query> parse_kernel_query(const Session& session,
                                                           std::string_view text,
                                                           const Operators& operators);

}  // namespace tensorpath::cli
