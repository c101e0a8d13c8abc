// A worker that is called once at a time: buffers are laid out anew for each call, and the worker
// is stopped before what it did is looked at.
#pragma once

#include "arena.h"
#include "device.h"
#include "worker_process.h"
#include "worker_protocol.h"

#include <vector>

#include <tensorpath/sandbox.h>

namespace tensorpath {

class WorkerLink {
 public:
  // Adds the socket and the arena to the spec and starts it.
  [[nodiscard]] static Expected<WorkerLink> start(SandboxSpec spec, SandboxMode mode,
                                                  std::uint64_t step = worker::kPage);

  [[nodiscard]] Expected<Refusal> wait_ready(double seconds) { return worker_.wait_ready(seconds); }
  // Lays the call's buffers out, sends the request, waits for the reply, stops the worker and looks
  // at what it did.
  [[nodiscard]] Expected<CallResult> call(const CallSpec& spec, const Defences& defences,
                                          worker::RequestHeader header,
                                          const std::vector<worker::Word>& words,
                                          const std::vector<worker::Launch>& launches,
                                          const std::vector<worker::TensorMap>& maps);
  [[nodiscard]] Refusal finish() { return worker_.finish(); }
  [[nodiscard]] const SandboxedProcess& process() const { return worker_.process(); }
  // Of the last reply: between the device's events.
  [[nodiscard]] std::uint64_t device_nanoseconds() const { return nanoseconds_; }

 private:
  WorkerLink(WorkerProcess worker, Arena arena)
      : worker_(std::move(worker)), arena_(std::move(arena)) {}

  WorkerProcess worker_;
  Arena arena_;
  std::uint64_t nonce_ = 0;
  std::uint64_t nanoseconds_ = 0;
};

}  // namespace tensorpath
