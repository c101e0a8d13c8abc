// Work that splits into independent parts, on all processors.
#pragma once

#include <cstdint>
#include <functional>

namespace tensorpath {

// body(i) for each i in [0, count), in any order and at the same time; returns when all are done.
// Bodies write to places of their own. What one throws is thrown here, once the others have ended.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

}  // namespace tensorpath
