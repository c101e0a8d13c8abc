// One arm of a benchmark, a candidate or a baseline, in a process of its own that is timed from
// outside. A sample is: contents written into every slot while the arm stands still, caches
// flushed, the arm woken, the slots run, the arm stopped. host_timed.cpp and cuda_timed.cpp are the
// two there are.
#pragma once

#include "device.h"
#include "slot_contents.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tensorpath {

struct Span {
  // Host: from the wake until all slots were done, by the harness's clock. cuda: from the graph's
  // first node to its last, by the device's events.
  double seconds = 0;
  // The longest that work could go on behind a result said to be done. Host: until the arm stood
  // still. cuda: what the harness's clock saw beyond `seconds`, from the request to a device at
  // rest.
  double stop_seconds = 0;
  bool disturbed = false;  // something else had its processors, or the device, for a part of it
  Refusal refusal;
};

class TimedSession {
 public:
  virtual ~TimedSession() = default;
  // Until the arm waits for work. A session starts without being waited for, so that several do so
  // side by side; lay_out() settles one that has not been. An Error: it does not start.
  [[nodiscard]] virtual Status settle() = 0;
  // Room for `slots` copies of the call's buffers, to be filled from `contents`. What was there
  // before is gone.
  [[nodiscard]] virtual Expected<Refusal> lay_out(const SlotContents& contents,
                                                  const CallSpec& spec, int slots) = 0;
  // Fills the first `slots` slots: inputs from the contents, the rest with poison.
  [[nodiscard]] virtual Expected<Refusal> write(const SlotContents& contents, const Key& key,
                                                int slots, unsigned char poison) = 0;
  // The next run finds the first `slots` slots in no cache.
  virtual void flush(int slots) = 0;
  // Runs the slots in this order, one call each; an empty order is the exchange alone.
  [[nodiscard]] virtual Expected<Span> run(std::span<const std::uint16_t> order,
                                           std::uint64_t schedule, double limit_s) = 0;
  // What a slot's call left: its outputs, or what it touched beside them.
  [[nodiscard]] virtual CallResult result(const SlotContents& contents, const Key& key,
                                          int slot) = 0;
  [[nodiscard]] virtual Refusal finish() = 0;
};

}  // namespace tensorpath
