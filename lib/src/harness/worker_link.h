// The harness's end of a worker: the process in its sandbox, the socket, and the reading of how a
// call ended. Devices differ in how they start a worker and what they send.
#pragma once

#include "arena.h"
#include "device.h"
#include "worker_protocol.h"

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

class WorkerLink {
 public:
  // Adds the socket and the arena to the spec and starts it.
  [[nodiscard]] static Expected<WorkerLink> start(SandboxSpec spec, SandboxMode mode,
                                                  std::uint64_t step = worker::kPage);

  // Waits for kReady.
  [[nodiscard]] Expected<Refusal> wait_ready(double seconds);
  // Lays the call's buffers out, sends the request, waits for the reply, stops the worker and looks
  // at what it did.
  [[nodiscard]] Expected<CallResult> call(const CallSpec& spec, const Defences& defences,
                                          worker::RequestHeader header,
                                          const std::vector<worker::Word>& words,
                                          const std::vector<worker::Launch>& launches,
                                          const std::vector<worker::TensorMap>& maps);
  [[nodiscard]] Refusal finish();
  [[nodiscard]] const SandboxedProcess& process() const { return process_; }
  // Of the last reply: between the device's events.
  [[nodiscard]] std::uint64_t device_nanoseconds() const { return nanoseconds_; }

 private:
  WorkerLink(SandboxedProcess process, FileDescriptor socket, Arena arena)
      : process_(std::move(process)), socket_(std::move(socket)), arena_(std::move(arena)) {}

  // A reply, or why there is none.
  [[nodiscard]] Expected<worker::Reply> receive(double seconds, Refusal& refusal);
  [[nodiscard]] Refusal explain_end(double seconds, bool timed_out);
  [[nodiscard]] Refusal explain_reply(const worker::Reply& reply, const CallSpec* spec);

  SandboxedProcess process_;
  FileDescriptor socket_;
  Arena arena_;
  std::uint64_t nonce_ = 0;
  bool ended_cleanly_ = false;  // by itself, with status 0
  std::uint64_t nanoseconds_ = 0;
};

}  // namespace tensorpath
