// One arm of a benchmark, a candidate or a baseline, in a process of its own that is timed from
// outside. A sample is: contents written into every slot while the arm stands still, caches
// flushed, the arm woken, the slots run, the arm stopped.
#pragma once

#include "device.h"
#include "slot_contents.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tensorpath {

struct Span {
  double seconds = 0;  // from the wake until all slots were done, by the harness's clock
  // Until the arm stood still: the longest that work could go on behind a result said to be done.
  double stop_seconds = 0;
  bool disturbed = false;  // something else had its processors for a part of it
  Refusal refusal;
};

class TimedSession {
 public:
  virtual ~TimedSession() = default;
  // Room for `slots` copies of the call's buffers. What was there before is gone.
  [[nodiscard]] virtual Expected<Refusal> lay_out(const CallSpec& spec, int slots) = 0;
  // Fills the first `slots` slots: inputs from the contents, the rest with poison.
  virtual void write(const SlotContents& contents, const Key& key, int slots,
                     unsigned char poison) = 0;
  // Takes the first `slots` slots out of every cache.
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
