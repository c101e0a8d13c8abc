// A compiled reference, loaded into this process for good: what points into it has no owner.
#pragma once

#include <string>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/reference.h>

namespace tensorpath {

// Refused where it was built against headers that differ from this library's.
[[nodiscard]] Expected<const reference::Entry*> open_reference(const std::string& path,
                                                               const std::string& op);

}  // namespace tensorpath
