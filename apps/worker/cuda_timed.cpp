#include "cuda_timed.h"

#include <algorithm>

#include <harness/own_kernels.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace tensorpath::worker {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::uint64_t kMostBlocks = 2048;
// What a flush reads, in sizes of the cache; at least so much, for where no size is told.
constexpr std::uint64_t kCaches = 2;
constexpr std::uint64_t kLeastColdBytes = 64U << 20;
constexpr std::uint64_t kKeyBytes = std::uint64_t{kMaxBuffers} * kMaxSlots * sizeof(std::uint64_t);

std::uint64_t rounded(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

bool CudaTimed::serve(const Request& request, cuda::Address reserved) {
  if (!started_ && !start()) return false;
  const RequestHeader& header = request.header;
  const bool laid_out = slots_bytes_ > 0;
  const bool in_range = laid_out && header.slots <= layout_.header.slots;
  switch (header.ask) {
    case Ask::kLayOut:
      return lay_out(request, reserved);
    case Ask::kWrite:
      if (!in_range) break;
      return write(header);
    case Ask::kArm:
      if (!laid_out || header.slots > kMaxSlots) break;
      return arm(header.slots, false);
    case Ask::kArmIdle:
      if (header.slots > kMaxSlots) break;
      return arm(header.slots, true);
    case Ask::kFlush:
      return flush();
    case Ask::kRun:
      if (graph_ == nullptr) break;
      return run();
    case Ask::kFetch:
      if (!laid_out || header.slots >= layout_.header.slots) break;
      return fetch(header.slots);
    case Ask::kCall:
      break;
  }
  return cuda_.refuse(Reply::Status::kRequest, "a request out of order");
}

bool CudaTimed::start() {
  const cuda::Driver& driver = cuda_.driver;
  cuda::Module own = nullptr;
  if (!cuda_.check(driver.cuModuleLoadData(&own, cuda::kOwnKernels), "the harness's own kernels") ||
      !cuda_.check(driver.cuModuleGetFunction(&words_, own, "tensorpath_words"), "own words") ||
      !cuda_.check(driver.cuModuleGetFunction(&read_, own, "tensorpath_read"), "own read") ||
      !cuda_.check(driver.cuModuleGetFunction(&idle_, own, "tensorpath_idle"), "own idle") ||
      !cuda_.check(driver.cuStreamCreate(&stream_, cuda::kNonBlocking), "cuStreamCreate")) {
    return false;
  }
  const auto cache = static_cast<std::uint64_t>(std::max(cuda_.attribute(cuda::kCacheBytes), 0));
  cold_bytes_ = rounded(std::max(kCaches * cache, kLeastColdBytes), 16);
  cuda_.stream = stream_;
  started_ = cuda_.check(driver.cuMemAlloc_v2(&cold_, cold_bytes_), "cuMemAlloc: to flush") &&
             cuda_.check(driver.cuMemAlloc_v2(&keys_, kKeyBytes), "cuMemAlloc: keys") &&
             cuda_.check(driver.cuMemsetD8Async(cold_, 0, cold_bytes_, stream_), "own memset") &&
             cuda_.check(driver.cuCtxSynchronize(), "own memset");
  return started_;
}

bool CudaTimed::map_arena() {
  struct stat status {};
  if (arena_ != nullptr) ::munmap(arena_, arena_bytes_);
  arena_ = nullptr;
  if (::fstat(kArena, &status) != 0 || status.st_size <= 0) return false;
  arena_bytes_ = static_cast<std::uint64_t>(status.st_size);
  void* const memory = ::mmap(nullptr, arena_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, kArena, 0);
  if (memory == MAP_FAILED) return false;
  arena_ = static_cast<unsigned char*>(memory);
  return true;
}

void CudaTimed::take_away() {
  const cuda::Driver& driver = cuda_.driver;
  for (const cuda::Address base : bases_) {
    if (base != 0) (void)driver.cuMemFree_v2(base);
  }
  bases_.clear();
  if (slots_bytes_ == 0) return;
  (void)driver.cuMemUnmap(slots_, slots_bytes_);
  (void)driver.cuMemRelease(handle_);
  slots_bytes_ = 0;
}

bool CudaTimed::lay_out(const Request& request, cuda::Address reserved) {
  take_away();
  layout_ = request;
  const RequestHeader& header = layout_.header;
  slot_bytes_ = header.slot_pages * kPage;
  const std::uint64_t keys_end = kPage + slot_bytes_ + kKeyBytes;
  if (!map_arena() || header.slots == 0 || header.slots > kMaxSlots || slot_bytes_ == 0 ||
      keys_end > arena_bytes_ || header.prepare > header.launches) {
    return cuda_.refuse(Reply::Status::kRequest, "slots that do not fit");
  }
  for (std::uint32_t i = 0; i < header.buffers; ++i) {
    const Buffer& buffer = layout_.buffers[i];
    const std::uint64_t last =
        buffer.arena_offset + (header.bases == 0 ? 0 : header.bases - 1) * buffer.pages * kPage;
    if (buffer.data_offset % sizeof(std::uint32_t) != 0 ||
        buffer.data_offset + buffer.bytes > slot_bytes_ ||
        (buffer.fill == Fill::kBase && (header.bases == 0 || buffer.bytes > buffer.pages * kPage ||
                                        last + buffer.bytes > arena_bytes_))) {
      return cuda_.refuse(Reply::Status::kRequest, "a buffer that does not fit its slot");
    }
  }
  return map_slots(header.slots * slot_bytes_, reserved) && copy_bases();
}

// The neighbourhood stays unmapped, as for a single call.
bool CudaTimed::map_slots(std::uint64_t bytes, cuda::Address reserved) {
  const cuda::Driver& driver = cuda_.driver;
  const std::uint64_t mapped = rounded(bytes, kDevicePage);
  slots_ = reserved + kDevicePage;
  if (mapped + 2 * kDevicePage > kReserved) {
    return cuda_.refuse(Reply::Status::kRequest, "more slots than there are addresses for");
  }
  cuda::MemoryAccess access;
  access.location = cuda_.properties.location;
  if (!cuda_.check(driver.cuMemCreate(&handle_, mapped, &cuda_.properties, 0), "cuMemCreate") ||
      !cuda_.check(driver.cuMemMap(slots_, mapped, 0, handle_, 0), "cuMemMap") ||
      !cuda_.check(driver.cuMemSetAccess(slots_, mapped, &access, 1), "cuMemSetAccess")) {
    return false;
  }
  slots_bytes_ = mapped;
  return true;
}

bool CudaTimed::copy_bases() {
  const cuda::Driver& driver = cuda_.driver;
  const RequestHeader& header = layout_.header;
  bases_.assign(header.buffers, 0);
  for (std::uint32_t i = 0; i < header.buffers; ++i) {
    const Buffer& buffer = layout_.buffers[i];
    if (buffer.fill != Fill::kBase || buffer.bytes == 0) continue;
    const std::uint64_t step = buffer.pages * kPage;
    if (!cuda_.check(driver.cuMemAlloc_v2(&bases_[i], header.bases * step), "cuMemAlloc: bases") ||
        !cuda_.check(driver.cuMemcpyHtoD_v2(bases_[i], arena_ + buffer.arena_offset,
                                            (header.bases - 1) * step + buffer.bytes),
                     "cuMemcpyHtoD")) {
      return false;
    }
  }
  // A copy from pageable memory may still be under way, and this stream does not wait for it.
  return cuda_.check(driver.cuCtxSynchronize(), "cuMemcpyHtoD");
}

bool CudaTimed::launch_own(cuda::Function function, std::uint64_t threads, unsigned rows,
                           void** arguments) {
  cuda::LaunchConfig config;
  config.grid[0] = static_cast<unsigned>(
      std::clamp<std::uint64_t>((threads + kThreads - 1) / kThreads, 1, kMostBlocks));
  config.grid[1] = rows;
  config.block[0] = kThreads;
  config.stream = stream_;
  return cuda_.check(cuda_.driver.cuLaunchKernelEx(&config, function, arguments, nullptr),
                     "own kernel");
}

bool CudaTimed::launch_words(cuda::Address to, cuda::Address keys, std::uint64_t bytes,
                             std::uint32_t keep, std::uint32_t set, std::uint32_t slots) {
  if (bytes == 0 || slots == 0) return true;
  void* arguments[] = {&to, &slot_bytes_, &keys, &bytes, &keep, &set};
  return launch_own(words_, (bytes + 3) / 4, slots, arguments);
}

bool CudaTimed::fill(std::uint32_t index, std::uint32_t slots, unsigned char poison) {
  const Buffer& buffer = layout_.buffers[index];
  const cuda::Address first = slots_ + buffer.data_offset;
  if (buffer.fill == Fill::kPoison) {
    return launch_words(first, 0, buffer.bytes, 0, poison * 0x01010101U, slots);
  }
  if (buffer.fill == Fill::kWords) {
    const cuda::Address keys = keys_ + std::uint64_t{index} * kMaxSlots * sizeof(std::uint64_t);
    return launch_words(first, keys, buffer.bytes, buffer.keep, buffer.set, slots);
  }
  for (std::uint32_t slot = 0; buffer.bytes > 0 && slot < slots; ++slot) {
    const cuda::Address from = bases_[index] + slot % layout_.header.bases * (buffer.pages * kPage);
    if (!cuda_.check(cuda_.driver.cuMemcpyDtoDAsync_v2(first + slot * slot_bytes_, from,
                                                       buffer.bytes, stream_),
                     "cuMemcpyDtoD")) {
      return false;
    }
  }
  return true;
}

bool CudaTimed::write(const RequestHeader& header) {
  const cuda::Driver& driver = cuda_.driver;
  const std::uint64_t key_bytes =
      std::uint64_t{layout_.header.buffers} * kMaxSlots * sizeof(std::uint64_t);
  if (!cuda_.check(driver.cuMemcpyHtoD_v2(keys_, arena_ + kPage + slot_bytes_, key_bytes),
                   "cuMemcpyHtoD") ||
      !cuda_.check(driver.cuCtxSynchronize(), "cuMemcpyHtoD") ||
      !launch_words(slots_, 0, slot_bytes_, 0, kSlotCanary * 0x01010101U, header.slots)) {
    return false;
  }
  for (std::uint32_t i = 0; i < layout_.header.buffers; ++i) {
    if (!fill(i, header.slots, static_cast<unsigned char>(header.poison))) return false;
  }
  // Nothing that is timed finds a key.
  return cuda_.check(driver.cuMemsetD8Async(keys_, 0, kKeyBytes, stream_), "own memset") &&
         cuda_.check(driver.cuCtxSynchronize(), "own kernels") && prepare(header.slots);
}

void CudaTimed::point_to(std::uint32_t slot) {
  cuda_.data.clear();
  for (std::uint32_t i = 0; i < layout_.header.buffers; ++i) {
    cuda_.data.push_back(slots_ + slot * slot_bytes_ + layout_.buffers[i].data_offset);
  }
}

bool CudaTimed::prepare(std::uint32_t slots) {
  if (layout_.header.prepare == 0) return true;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    point_to(slot);
    if (!cuda_.launch_range(layout_, 0, layout_.header.prepare)) return false;
  }
  return cuda_.check(cuda_.driver.cuCtxSynchronize(), "prepare");
}

bool CudaTimed::call_slot(std::uint32_t slot) {
  if (slot >= layout_.header.slots) {
    return cuda_.refuse(Reply::Status::kRequest, "a slot that is not there");
  }
  point_to(slot);
  for (std::uint32_t i = 0; i < layout_.header.buffers; ++i) {
    const Buffer& buffer = layout_.buffers[i];
    if (buffer.zeroed == 0 || buffer.bytes == 0) continue;
    if (!cuda_.check(cuda_.driver.cuMemsetD8Async(cuda_.data[i], 0, buffer.bytes, stream_),
                     "zeroing")) {
      return false;
    }
  }
  return cuda_.encode_maps(layout_) &&
         cuda_.launch_range(layout_, layout_.header.prepare, layout_.header.launches);
}

bool CudaTimed::capture(std::uint32_t count, bool idle) {
  const cuda::Driver& driver = cuda_.driver;
  // As nodes of the graph: what it costs to hand the graph over is outside.
  if (!cuda_.check(driver.cuEventRecordWithFlags(cuda_.begin, stream_, cuda::kRecordExternal),
                   "cuEventRecord")) {
    return false;
  }
  const auto* order = reinterpret_cast<const Mailbox*>(arena_);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!(idle ? launch_own(idle_, 1, 1, nullptr) : call_slot(order->order[i]))) return false;
  }
  return cuda_.check(driver.cuEventRecordWithFlags(cuda_.end, stream_, cuda::kRecordExternal),
                     "cuEventRecord");
}

bool CudaTimed::arm(std::uint32_t count, bool idle) {
  const cuda::Driver& driver = cuda_.driver;
  if (graph_ != nullptr) (void)driver.cuGraphExecDestroy(graph_);
  graph_ = nullptr;
  cuda::Graph graph = nullptr;
  if (!cuda_.check(driver.cuStreamBeginCapture_v2(stream_, cuda::kThreadLocalCapture),
                   "cuStreamBeginCapture") ||
      !capture(count, idle) ||
      !cuda_.check(driver.cuStreamEndCapture(stream_, &graph), "cuStreamEndCapture") ||
      !cuda_.check(driver.cuGraphInstantiateWithFlags(&graph_, graph, 0), "cuGraphInstantiate") ||
      !cuda_.check(driver.cuGraphUpload(graph_, stream_), "cuGraphUpload")) {
    return false;
  }
  (void)driver.cuGraphDestroy(graph);
  return cuda_.check(driver.cuCtxSynchronize(), "cuGraphUpload");
}

bool CudaTimed::flush() {
  const cuda::Driver& driver = cuda_.driver;
  const cuda::Result reset = driver.cuCtxResetPersistingL2Cache();
  // A device without such lines has none to reset.
  if (reset != cuda::kErrorNotSupported && !cuda_.check(reset, "cuCtxResetPersistingL2Cache")) {
    return false;
  }
  std::uint64_t count = cold_bytes_ / 16;
  void* arguments[] = {&cold_, &count, &keys_};
  return launch_own(read_, count, 1, arguments) &&
         cuda_.check(driver.cuCtxSynchronize(), "own kernels");
}

bool CudaTimed::run() {
  const cuda::Driver& driver = cuda_.driver;
  float milliseconds = 0;
  if (!cuda_.check(driver.cuGraphLaunch(graph_, stream_), "cuGraphLaunch") ||
      !cuda_.check(driver.cuCtxSynchronize(), "after the launches") ||
      !cuda_.check(driver.cuEventElapsedTime(&milliseconds, cuda_.begin, cuda_.end),
                   "cuEventElapsedTime")) {
    return false;
  }
  cuda_.reply.nanoseconds = static_cast<std::uint64_t>(static_cast<double>(milliseconds) * 1e6);
  return true;
}

bool CudaTimed::fetch(std::uint32_t slot) {
  return cuda_.check(
      cuda_.driver.cuMemcpyDtoH_v2(arena_ + kPage, slots_ + slot * slot_bytes_, slot_bytes_),
      "cuMemcpyDtoH");
}

}  // namespace tensorpath::worker
