// One worker process with a host candidate loaded.
#pragma once

#include "device.h"

#include <memory>

namespace tensorpath {

[[nodiscard]] Expected<std::unique_ptr<Session>> start_host_session(const Subject& subject,
                                                                    const Built& built,
                                                                    Build build);

}  // namespace tensorpath
