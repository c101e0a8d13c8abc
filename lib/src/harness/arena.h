// The shared memory of a session: the harness lays the buffers of a call out in it and reads from
// it what the call did. Around each buffer's bytes, up to its pages' ends, lies a canary.
#pragma once

#include "device.h"
#include "worker_protocol.h"

#include <cstdint>
#include <string>
#include <vector>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>

namespace tensorpath {

class Arena {
 public:
  // `step`: what a buffer's memory is mapped in, a multiple of kPage.
  [[nodiscard]] static Expected<Arena> make(std::uint64_t step = worker::kPage);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  [[nodiscard]] int descriptor() const { return file_.get(); }

  // Lays out and fills the buffers of a call; the result is what the worker is told.
  [[nodiscard]] Expected<std::vector<worker::Buffer>> place(const CallSpec& spec,
                                                            const Defences& defences);
  // After the call. What was touched beside the buffers, or of the inputs; empty when nothing was.
  [[nodiscard]] Refusal check(const CallSpec& spec, const Defences& defences) const;
  [[nodiscard]] std::vector<std::vector<unsigned char>> outputs(const CallSpec& spec);
  // The buffer nearest to a place in the worker's reservation, in words.
  [[nodiscard]] std::string nearest(const CallSpec& spec, std::uint64_t address) const;

 private:
  Arena(FileDescriptor file, std::uint64_t step) : file_(std::move(file)), step_(step) {}
  [[nodiscard]] Status resize(std::uint64_t bytes);

  FileDescriptor file_;
  std::uint64_t step_;
  unsigned char* memory_ = nullptr;
  std::uint64_t size_ = 0;
  unsigned char canary_ = 0;
  std::vector<worker::Buffer> placed_;
  std::vector<std::vector<unsigned char>> last_outputs_;
};

}  // namespace tensorpath
