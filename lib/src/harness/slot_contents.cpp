#include "slot_contents.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace tensorpath {
namespace {

// Wellons, "Prospecting for Hash Functions" (2018): lowbias32, bias 0.17.
std::uint32_t mixed(std::uint32_t x) {
  x ^= x >> 16U;
  x *= 0x7FEB352DU;
  x ^= x >> 15U;
  x *= 0x846CA68BU;
  x ^= x >> 16U;
  return x;
}

WordMask halves(std::uint32_t keep, std::uint32_t set) {
  return {keep | keep << 16U, set | set << 16U};
}

const TensorData& tensor_of(const CaseData& data, std::size_t buffer) {
  return buffer < data.inputs.size() ? data.inputs[buffer]
                                     : data.outputs[buffer - data.inputs.size()];
}

}  // namespace

WordMask mask_of(const TensorSpec& spec, DType dtype) {
  const bool is_code = bits_of(dtype) <= 8 && !is_floating(dtype);
  if (spec.fill == Fill::kBits && is_code) return {~0U, 0};
  const bool weight = spec.fill == Fill::kWeight;
  if (spec.skip || (spec.fill != Fill::kValues && !weight)) return {};
  WordMask mask;
  switch (dtype) {
    case DType::kFp32:
      mask = weight ? WordMask{0x007FFFFFU, 0x3F800000U} : WordMask{0x81FFFFFFU, 0x3E000000U};
      if (spec.positive) mask.keep &= 0x7FFFFFFFU;
      return mask;
    case DType::kBf16:
      mask = weight ? halves(0x007FU, 0x3F80U) : halves(0x81FFU, 0x3E00U);
      break;
    case DType::kFp16:
      mask = weight ? halves(0x03FFU, 0x3C00U) : halves(0x8FFFU, 0x3000U);
      break;
    default:
      return {};
  }
  if (spec.positive) mask.keep &= 0x7FFF7FFFU;
  return mask;
}

void write_words(std::uint64_t key, WordMask mask, unsigned char* to, std::size_t bytes) {
  const auto low = static_cast<std::uint32_t>(key);
  const auto high = static_cast<std::uint32_t>(key >> 32U);
  const auto word_at = [=](std::uint32_t i) {
    return (mixed(mixed(i + low) ^ high) & mask.keep) | mask.set;
  };
  const std::size_t whole = bytes / sizeof(std::uint32_t);
  // Through a small block, so that the loop is one of 32-bit words whatever `to` is aligned to.
  constexpr std::size_t kBlock = 256;
  std::uint32_t block[kBlock];
  for (std::size_t first = 0; first < whole; first += kBlock) {
    const std::size_t count = std::min(kBlock, whole - first);
    for (std::size_t i = 0; i < kBlock; ++i) {
      block[i] = word_at(static_cast<std::uint32_t>(first + i));
    }
    std::memcpy(to + first * sizeof(std::uint32_t), block, count * sizeof(std::uint32_t));
  }
  const std::uint32_t last = word_at(static_cast<std::uint32_t>(whole));
  std::memcpy(to + whole * sizeof last, &last, bytes % sizeof last);
}

Expected<SlotContents> SlotContents::draw(const Subject& subject, const Case& one, const Key& key,
                                          int bases) {
  const OperatorSpec& op = *subject.task.op;
  SlotContents contents;
  for (int i = 0; i < bases; ++i) {
    Case base = one;
    base.regime = Regime::kNormal;
    base.strided = base.offset = base.zipf = false;
    base.key = derive_key(key, fmt::format("base {}", i));
    auto trial = make_unjudged_trial(subject, base);
    if (!trial) return tl::unexpected(trial.error());
    contents.bases_.push_back(std::move(*trial));
  }
  for (const TensorSpec& input : op.inputs) {
    contents.masks_.push_back(mask_of(input, op.dtype_of(input, subject.task.domain.dtype)));
    contents.has_contents_.push_back(true);
  }
  for (const TensorSpec& output : op.outputs) {
    contents.masks_.push_back(mask_of(output, op.dtype_of(output, subject.task.domain.dtype)));
    contents.has_contents_.push_back(output.inout);
  }
  return contents;
}

Expected<CallSpec> SlotContents::layout(const Subject& subject) const {
  return call_of(subject, bases_.front(), Placing{});
}

std::uint64_t SlotContents::stream(const Key& key, int slot, std::size_t buffer) {
  const Key one = derive_key(key, fmt::format("slot {} tensor {}", slot, buffer));
  std::uint64_t stream = 0;
  std::memcpy(&stream, one.data(), sizeof stream);
  return stream;
}

std::span<const unsigned char> SlotContents::base(int slot, std::size_t buffer) const {
  return tensor_of(base_of(slot).data, buffer).storage;
}

void SlotContents::write(const Key& key, int slot, std::size_t buffer, unsigned char* to) const {
  const std::span<const unsigned char> bytes = base(slot, buffer);
  if (masks_[buffer].keep != 0) {
    write_words(stream(key, slot, buffer), masks_[buffer], to, bytes.size());
  } else {
    std::memcpy(to, bytes.data(), bytes.size());
  }
}

Expected<Trial> SlotContents::trial(const Subject& subject, const Key& key, int slot) const {
  const Trial& base = base_of(slot);
  CaseData data = base.data;
  for (std::size_t i = 0; i < masks_.size(); ++i) {
    if (!has_contents_[i] || masks_[i].keep == 0) continue;
    TensorData& tensor =
        i < data.inputs.size() ? data.inputs[i] : data.outputs[i - data.inputs.size()];
    write(key, slot, i, tensor.storage.data());
    read_storage(tensor);
  }
  return make_trial(subject, base.one, std::move(data));
}

}  // namespace tensorpath
