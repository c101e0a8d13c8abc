// The harness's end of a worker, whatever it is used for: the process in its sandbox, the socket,
// and the reading of how a request ended. Devices differ in how they start a worker and what they
// send.
#pragma once

#include "device.h"
#include "worker_protocol.h"

#include <cstdint>
#include <functional>
#include <string>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {

class WorkerProcess {
 public:
  // Adds the socket and the shared memory to the spec and starts it.
  [[nodiscard]] static Expected<WorkerProcess> start(SandboxSpec spec, SandboxMode mode,
                                                     int shared_memory);

  // Waits for kReady.
  [[nodiscard]] Expected<Refusal> wait_ready(double seconds);
  // Likewise of what started before: that it does not is nobody's verdict, but an Error.
  [[nodiscard]] Status must_be_ready(double seconds);
  [[nodiscard]] bool send(std::string_view message);
  // A reply, or why there is none. Who takes the time of the answer spins: a wake-up from poll may
  // come hundreds of microseconds late.
  enum class Wait : std::uint8_t { kSleep, kSpin };
  [[nodiscard]] worker::Reply receive(double seconds, Refusal& refusal, Wait wait = Wait::kSleep);
  // The worker ended, or gave no answer.
  [[nodiscard]] Refusal explain_end(double seconds, bool timed_out);
  // A reply that is not kDone. `place` names an address of the reservation.
  [[nodiscard]] static Refusal explain_reply(
      const worker::Reply& reply, const std::function<std::string(std::uint64_t)>& place = {});
  // Ends the worker; says what it left behind.
  [[nodiscard]] Refusal finish();

  [[nodiscard]] SandboxedProcess& process() { return process_; }
  [[nodiscard]] const SandboxedProcess& process() const { return process_; }
  // It ended by itself, with status 0.
  [[nodiscard]] bool ended_cleanly() const { return ended_cleanly_; }
  // Readable when there is a reply, or no worker any more.
  [[nodiscard]] int socket() const { return socket_.get(); }

 private:
  WorkerProcess(SandboxedProcess process, FileDescriptor socket)
      : process_(std::move(process)), socket_(std::move(socket)) {}

  SandboxedProcess process_;
  FileDescriptor socket_;
  bool ended_cleanly_ = false;
};

// Appends the bytes of structures to a message.
template <typename Entry>
void append_entries(std::string& message, const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  message.append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry));
}

}  // namespace tensorpath
