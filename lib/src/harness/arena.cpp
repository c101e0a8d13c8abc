#include "arena.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace tensorpath {
namespace {

using worker::Buffer;
using worker::kPage;

constexpr std::size_t kVector = 16;
// Slots of the worker's reservation, one a buffer, each with its pages somewhere inside.
constexpr std::uint64_t kSlotPages = worker::kReserved / kPage / worker::kMaxBuffers;

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

worker::Role role_of(CallBuffer::Role role) {
  return role == CallBuffer::Role::kInput    ? worker::Role::kInput
         : role == CallBuffer::Role::kOutput ? worker::Role::kOutput
                                             : worker::Role::kWorkspace;
}

}  // namespace

Expected<Arena> Arena::make(std::uint64_t step) {
  FileDescriptor file(::memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no shared memory for the worker: {}", std::strerror(errno)));
  }
  return Arena(std::move(file), step);
}

Arena::Arena(Arena&& other) noexcept
    : file_(std::move(other.file_)),
      step_(other.step_),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      canary_(other.canary_),
      placed_(std::move(other.placed_)),
      last_outputs_(std::move(other.last_outputs_)) {}

Arena::~Arena() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

Status Arena::resize(std::uint64_t bytes) {
  if (bytes <= size_) return {};
  if (memory_ != nullptr) ::munmap(memory_, size_);
  memory_ = nullptr;
  size_ = 0;
  void* at = MAP_FAILED;
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes)) == 0) {
    at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  }
  if (at == MAP_FAILED) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no {} bytes of shared memory: {}", bytes, std::strerror(errno)));
  }
  memory_ = static_cast<unsigned char*>(at);
  size_ = bytes;
  return {};
}

Expected<std::vector<Buffer>> Arena::place(const CallSpec& spec, const Defences& defences) {
  placed_.clear();
  std::uint64_t total = 0;
  for (const CallBuffer& from : spec.buffers) {
    Buffer buffer{};
    buffer.bytes = from.bytes;
    const std::uint64_t needed = from.bytes + from.misalignment + kVector;
    buffer.pages = std::max<std::uint64_t>((needed + step_ - 1) / step_, 1) * (step_ / kPage);
    buffer.data_offset = from.misalignment;
    if (spec.flush_end) {
      // As close to the end as the alignment allows.
      const std::uint64_t room = buffer.pages * kPage - from.bytes - from.misalignment;
      buffer.data_offset += room / kVector * kVector;
    }
    buffer.at_end = spec.flush_end ? 1 : 0;
    if (!defences.guards) {  // pages on both sides that may be touched
      buffer.pages += 2 * (step_ / kPage);
      buffer.data_offset += step_;
    }
    const std::uint64_t unit = step_ / kPage;
    if (buffer.pages + 2 * unit >= kSlotPages) {
      return fail(ExitCode::kLimit, fmt::format("buffer {} is too large for the harness: {} bytes",
                                                from.name, from.bytes));
    }
    const auto slot = static_cast<std::uint64_t>(placed_.size());
    const std::uint64_t spread = (kSlotPages - buffer.pages) / unit - 1;
    const std::uint64_t shift = defences.moving_buffers ? mixed(spec.placement * 64 + slot) : slot;
    buffer.page = slot * kSlotPages + (1 + shift % spread) * unit;
    buffer.arena_offset = total;
    buffer.role = role_of(from.role);
    total += buffer.pages * kPage;
    placed_.push_back(buffer);
  }
  if (const Status resized = resize(total); !resized) return tl::unexpected(resized.error());
  // Nothing of an earlier call stays anywhere in the file.
  ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
              static_cast<off_t>(size_));
  canary_ = static_cast<unsigned char>(spec.poison ^ 0x3CU);
  std::size_t output = 0;
  for (std::size_t i = 0; i < placed_.size(); ++i) {
    const CallBuffer& from = spec.buffers[i];
    unsigned char* pages = memory_ + placed_[i].arena_offset;
    unsigned char* data = pages + placed_[i].data_offset;
    std::memset(pages, canary_, placed_[i].pages * kPage);
    if (from.contents != nullptr) {
      std::memcpy(data, from.contents, from.bytes);
    } else {
      std::memset(data, from.zeroed || !defences.poison ? 0 : spec.poison, from.bytes);
    }
    if (from.role != CallBuffer::Role::kOutput) continue;
    if (!defences.poison && from.contents == nullptr && output < last_outputs_.size() &&
        last_outputs_[output].size() == from.bytes) {
      std::memcpy(data, last_outputs_[output].data(), from.bytes);
    }
    ++output;
  }
  return placed_;
}

Refusal Arena::check(const CallSpec& spec, const Defences& defences) const {
  for (std::size_t i = 0; i < placed_.size(); ++i) {
    const Buffer& buffer = placed_[i];
    const unsigned char* pages = memory_ + buffer.arena_offset;
    const unsigned char* data = pages + buffer.data_offset;
    const unsigned char* end = pages + buffer.pages * kPage;
    const CallBuffer& from = spec.buffers[i];
    const auto damaged = [this](unsigned char byte) { return byte != canary_; };
    if (defences.guards &&
        (std::any_of(pages, data, damaged) || std::any_of(data + buffer.bytes, end, damaged))) {
      return {Failure::kOutOfBounds, fmt::format("bytes beside {} were written", from.name)};
    }
    if (defences.input_check && from.role == CallBuffer::Role::kInput && buffer.bytes > 0 &&
        std::memcmp(data, from.contents, buffer.bytes) != 0) {
      return {Failure::kInputChanged, fmt::format("input {} was written", from.name)};
    }
  }
  return {};
}

std::vector<std::vector<unsigned char>> Arena::outputs(const CallSpec& spec) {
  std::vector<std::vector<unsigned char>> outputs;
  for (std::size_t i = 0; i < placed_.size(); ++i) {
    if (spec.buffers[i].role != CallBuffer::Role::kOutput) continue;
    const unsigned char* data = memory_ + placed_[i].arena_offset + placed_[i].data_offset;
    outputs.emplace_back(data, data + placed_[i].bytes);
  }
  last_outputs_ = outputs;
  return outputs;
}

std::string Arena::nearest(const CallSpec& spec, std::uint64_t address) const {
  const std::uint64_t slot = address / kPage / kSlotPages;
  if (slot >= placed_.size()) return "far from every buffer";
  const std::uint64_t begin = placed_[slot].page * kPage + placed_[slot].data_offset;
  const std::uint64_t end = begin + placed_[slot].bytes;
  const std::string& name = spec.buffers[slot].name;
  if (address < begin) return fmt::format("{} bytes before {}", begin - address, name);
  if (address >= end) return fmt::format("{} bytes past the end of {}", address - end, name);
  return fmt::format("in {}", name);
}

}  // namespace tensorpath
