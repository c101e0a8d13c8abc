#include "slot_arena.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tensorpath {
namespace {

using worker::kPage;
using worker::kSlotCanary;

// What allocators of tensors give: two sectors of two lines. A line or more lies in between.
constexpr std::uint64_t kAlign = 256;
constexpr std::uint64_t kGap = 64;
constexpr std::uint64_t kLine = 64;
constexpr std::uint64_t kMostBytes = 8ULL << 30;

std::uint64_t rounded(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Expected<SlotArena> SlotArena::make() {
  FileDescriptor file(::memfd_create("slots", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid()) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no shared memory for the worker: {}", std::strerror(errno)));
  }
  return SlotArena(std::move(file));
}

SlotArena::SlotArena(SlotArena&& other) noexcept
    : file_(std::move(other.file_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      slot_bytes_(other.slot_bytes_),
      beside_(other.beside_),
      buffers_(std::move(other.buffers_)) {}

SlotArena::~SlotArena() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

Status SlotArena::lay_out(const CallSpec& spec, int slots, std::uint64_t beside) {
  buffers_.clear();
  std::uint64_t at = kGap;
  for (const CallBuffer& from : spec.buffers) {
    worker::Buffer buffer{};
    buffer.data_offset = rounded(at, kAlign) + from.misalignment;
    buffer.bytes = from.bytes;
    buffer.zeroed = from.zeroed ? 1 : 0;
    at = buffer.data_offset + from.bytes + kGap;
    buffers_.push_back(buffer);
  }
  slot_bytes_ = rounded(at, kPage);
  beside_ = kPage + static_cast<std::uint64_t>(slots) * slot_bytes_;
  const std::uint64_t total = beside_ + beside;
  if (total > kMostBytes) {
    return fail(ExitCode::kLimit, fmt::format("{} calls of {} bytes each are more than the harness "
                                              "times",
                                              slots, slot_bytes_));
  }
  if (memory_ != nullptr) ::munmap(std::exchange(memory_, nullptr), size_);
  size_ = total;
  void* memory = MAP_FAILED;
  // Shrunk first, so that nothing of an earlier case is left.
  if (::ftruncate(file_.get(), 0) == 0 &&
      ::ftruncate(file_.get(), static_cast<off_t>(total)) == 0) {
    memory = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  }
  if (memory == MAP_FAILED) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no {} bytes of shared memory: {}", total, std::strerror(errno)));
  }
  memory_ = static_cast<unsigned char*>(memory);
  return {};
}

template <typename Body>
void SlotArena::for_gaps(int index, Body body) {
  unsigned char* const begin = slot(index);
  unsigned char* at = begin;
  for (const worker::Buffer& buffer : buffers_) {
    body(at, begin + buffer.data_offset);
    at = begin + buffer.data_offset + buffer.bytes;
  }
  body(at, begin + slot_bytes_);
}

void SlotArena::write_gaps(int index) {
  for_gaps(index,
           [](unsigned char* begin, unsigned char* end) { std::fill(begin, end, kSlotCanary); });
}

bool SlotArena::gaps_are_whole(int index) {
  bool whole = true;
  for_gaps(index, [&](const unsigned char* begin, const unsigned char* end) {
    whole =
        whole && std::all_of(begin, end, [](unsigned char byte) { return byte == kSlotCanary; });
  });
  return whole;
}

void SlotArena::flush(int slots) {
  const unsigned char* const begin = slot(0);
  const unsigned char* const end = slot(slots);
#if defined(__x86_64__)
  for (const unsigned char* line = begin; line < end; line += kLine) _mm_clflush(line);
  _mm_mfence();
#else
#error "there is no way to flush the caches of this processor yet"
#endif
}

CallResult result_of_slot(SlotArena& arena, int index, const CallSpec& spec,
                          const SlotContents& contents, const Key& key, int slot) {
  CallResult result;
  if (!arena.gaps_are_whole(index)) {
    result.refusal = {Failure::kOutOfBounds, "bytes beside a buffer were written"};
  }
  std::vector<unsigned char> before;
  for (std::size_t i = 0; i < spec.buffers.size(); ++i) {
    const CallBuffer& buffer = spec.buffers[i];
    const unsigned char* data = arena.data(index, i);
    if (buffer.role == CallBuffer::Role::kOutput) {
      result.outputs.emplace_back(data, data + buffer.bytes);
    } else if (buffer.role == CallBuffer::Role::kInput) {
      before.resize(buffer.bytes);
      contents.write(key, slot, i, before.data());
      if (std::memcmp(before.data(), data, buffer.bytes) != 0) {
        result.refusal = {Failure::kInputChanged, fmt::format("input {} was written", buffer.name)};
      }
    }
  }
  return result;
}

}  // namespace tensorpath
