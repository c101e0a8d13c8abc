// One worker process with a host candidate loaded.
#pragma once

#include "device.h"
#include "worker_protocol.h"

#include <memory>
#include <vector>

namespace tensorpath {

[[nodiscard]] Expected<std::unique_ptr<Session>> start_host_session(const Subject& subject,
                                                                    const Built& built,
                                                                    Build build);

// The worker on a plain build with this many threads, as sealed as the defences have it.
[[nodiscard]] SandboxSpec host_worker_spec(const Subject& subject, const Built& built, int threads);
// The eight-byte words of task_args (host_header.cpp), in its order.
[[nodiscard]] std::vector<worker::Word> host_call_words(const CallSpec& spec);

}  // namespace tensorpath
