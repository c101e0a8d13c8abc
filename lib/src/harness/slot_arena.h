// The shared memory of a timed session: a mailbox and a number of slots, each with the buffers of
// one call. Between the buffers lies a canary.
#pragma once

#include "device.h"
#include "slot_contents.h"
#include "worker_protocol.h"

#include <cstdint>
#include <vector>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>

namespace tensorpath {

class SlotArena {
 public:
  [[nodiscard]] static Expected<SlotArena> make();
  SlotArena(SlotArena&& other) noexcept;
  SlotArena& operator=(SlotArena&&) = delete;
  ~SlotArena();

  [[nodiscard]] int descriptor() const { return file_.get(); }
  [[nodiscard]] worker::Mailbox& mailbox() { return *reinterpret_cast<worker::Mailbox*>(memory_); }

  // With `beside` bytes more after the slots.
  [[nodiscard]] Status lay_out(const CallSpec& spec, int slots, std::uint64_t beside = 0);
  [[nodiscard]] std::uint64_t beside_offset() const { return beside_; }
  [[nodiscard]] unsigned char* beside() { return memory_ + beside_; }
  [[nodiscard]] const std::vector<worker::Buffer>& buffers() const { return buffers_; }
  [[nodiscard]] std::uint64_t slot_pages() const { return slot_bytes_ / worker::kPage; }
  [[nodiscard]] unsigned char* slot(int index) {
    return memory_ + worker::kPage + static_cast<std::uint64_t>(index) * slot_bytes_;
  }
  [[nodiscard]] unsigned char* data(int index, std::size_t buffer) {
    return slot(index) + buffers_[buffer].data_offset;
  }

  // The canary anew around a slot's buffers, and whether it is all there.
  void write_gaps(int index);
  [[nodiscard]] bool gaps_are_whole(int index);
  // Takes the first `slots` slots out of every cache.
  void flush(int slots);

 private:
  explicit SlotArena(FileDescriptor file) : file_(std::move(file)) {}
  // Calls body(begin, end) for each stretch of a slot that belongs to no buffer.
  template <typename Body>
  void for_gaps(int index, Body body);

  FileDescriptor file_;
  unsigned char* memory_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t slot_bytes_ = 0;
  std::uint64_t beside_ = 0;
  std::vector<worker::Buffer> buffers_;
};

// What the call of a slot left in the arena's slot `index`: its outputs, or what it touched beside
// them.
[[nodiscard]] CallResult result_of_slot(SlotArena& arena, int index, const CallSpec& spec,
                                        const SlotContents& contents, const Key& key, int slot);

}  // namespace tensorpath
