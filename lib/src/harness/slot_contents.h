// What a timed call reads. A benchmark makes thousands of calls, each with contents of its own, so
// they are made by a counter-based generator: word i of a tensor is a hash of i and a key, kept
// inside the type's plain numbers by two masks. The same words can be made anywhere, on a device
// too, from the key alone. Keys are one-way: who has seen one call's contents cannot tell the
// next one's.
//
// Only tensors of plain numbers, weights and codes are made anew for each call. Indices, lengths,
// scales and the like come from cases drawn once a round, of which there are a few.
#pragma once

#include "trial.h"

#include <cstdint>
#include <span>
#include <vector>

#include <tensorpath/base/random.h>

namespace tensorpath {

// word = (hash & keep) | set. keep == 0: the tensor is not made anew.
struct WordMask {
  std::uint32_t keep = 0;
  std::uint32_t set = 0;
};
// Magnitudes in [1/8, 2), log-uniform in four binades, of either sign (positive: magnitudes only);
// weights in [1, 2); codes of any bits.
[[nodiscard]] WordMask mask_of(const TensorSpec& spec, DType dtype);

// The first `bytes` bytes of the stream of `key`, masked. Little-endian words.
void write_words(std::uint64_t key, WordMask mask, unsigned char* to, std::size_t bytes);

class SlotContents {
 public:
  // `bases` cases of the shape, contiguous and aligned, with contents from `key`.
  [[nodiscard]] static Expected<SlotContents> draw(const Subject& subject, const Case& one,
                                                   const Key& key, int bases);

  // The buffers of one slot, as call_of() lists them: bytes and roles.
  [[nodiscard]] Expected<CallSpec> layout(const Subject& subject) const;

  // What write() does in two steps, for where the words are made on the device: a tensor with a
  // mask has the words of this stream, one without the bytes of the base of the slot.
  [[nodiscard]] WordMask mask(std::size_t buffer) const { return masks_[buffer]; }
  [[nodiscard]] static std::uint64_t stream(const Key& key, int slot, std::size_t buffer);
  [[nodiscard]] int bases() const { return static_cast<int>(bases_.size()); }
  [[nodiscard]] std::span<const unsigned char> base(int slot, std::size_t buffer) const;

  // Input or inout tensor `buffer` of a slot, in the sample of `key`. Contents do not depend on
  // the candidate: both sides of a pair get the same.
  void write(const Key& key, int slot, std::size_t buffer, unsigned char* to) const;
  // The same call as a case to judge.
  [[nodiscard]] Expected<Trial> trial(const Subject& subject, const Key& key, int slot) const;

  [[nodiscard]] std::size_t tensors() const { return masks_.size(); }
  // False for outputs that are only written: nothing is to be put there but poison.
  [[nodiscard]] bool has_contents(std::size_t buffer) const { return has_contents_[buffer]; }

 private:
  SlotContents() = default;
  [[nodiscard]] const Trial& base_of(int slot) const {
    return bases_[static_cast<std::size_t>(slot) % bases_.size()];
  }

  std::vector<Trial> bases_;
  std::vector<WordMask> masks_;     // inputs, then outputs
  std::vector<bool> has_contents_;  // likewise
};

}  // namespace tensorpath
