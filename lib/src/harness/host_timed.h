#pragma once

#include "cores.h"
#include "host_session.h"
#include "timed_session.h"

#include <memory>

namespace tensorpath {

// An Error is the machine's, or that what was verified does not start.
[[nodiscard]] Expected<std::unique_ptr<TimedSession>> start_host_timed(const Subject& subject,
                                                                       const Built& built,
                                                                       const Cores& cores);

}  // namespace tensorpath
