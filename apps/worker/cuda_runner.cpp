#include "cuda_runner.h"

#include "cuda_ceilings.h"
#include "pin.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <sys/mman.h>

namespace tensorpath::worker {
namespace {

// Some milliseconds. Only where the next request is about to come and time is taken: other arms'
// workers share the processor.
constexpr int kSpins = 10'000;

bool is_before_run(Ask ask) {
  return ask == Ask::kArm || ask == Ask::kArmIdle || ask == Ask::kFlush;
}

}  // namespace

bool CudaRunner::load() {
  if (!cuda_.load_module(options_.code, cuda_.module)) return false;
  if (options_.copies) return true;
  return cuda_.check(cuda_.driver.cuMemAddressReserve(&reserved_, kReserved, kDevicePage, 0, 0),
                     "cuMemAddressReserve");
}

// For people, and for the harness to name the device: one fact a line.
void CudaRunner::describe() const {
  const cuda::Driver& driver = cuda_.driver;
  char name[256] = "";
  char bus[32] = "";
  int version = 0;
  std::size_t memory = 0;
  (void)driver.cuDeviceGetName(name, sizeof name, cuda_.device);
  (void)driver.cuDriverGetVersion(&version);
  (void)driver.cuDeviceGetPCIBusId(bus, sizeof bus, cuda_.device);
  (void)driver.cuDeviceTotalMem_v2(&memory, cuda_.device);
  std::printf(
      "gpu: %s\narchitecture: sm_%d%d\ndriver interface: %d.%d\n"
      "bus: %s\nmemory: %zu\ncache: %d\nmultiprocessors: %d\n",
      name, cuda_.attribute(cuda::kCapabilityMajor), cuda_.attribute(cuda::kCapabilityMinor),
      version / 1000, version % 1000 / 10, bus, memory, cuda_.attribute(cuda::kCacheBytes),
      cuda_.attribute(cuda::kMultiprocessors));
}

int CudaRunner::run() {
  if (options_.code.empty()) {  // a probe: does this device work here?
    if (cuda_.start(options_.gpu)) {
      describe();
      if (!options_.ceilings || CudaCeilings(cuda_).run()) return 0;
    }
    std::printf("%s\n", cuda_.reply.text);
    return 1;
  }
  if (!cuda_.start() || !load()) {
    send_reply(cuda_.reply);
    return 1;
  }
  // Only now: the driver's own threads may run anywhere.
  if (!pin_to(options_.cores)) {
    (void)cuda_.refuse(Reply::Status::kLoad, "it cannot be pinned to the processors asked for");
    send_reply(cuda_.reply);
    return 1;
  }
  send_reply(make_reply(Reply::Status::kReady, 0));
  while (receive(request_, is_before_run(request_.header.ask) ? kSpins : 0)) {
    cuda_.nonce = request_.header.nonce;
    cuda_.reply = make_reply(Reply::Status::kDone, cuda_.nonce);
    const bool done = serve();
    send_reply(cuda_.reply);
    // After a fault the context is of no more use.
    if (!done && !options_.copies) std::_Exit(1);
    if (!done) return 1;  // compute-sanitizer reports at a regular exit
  }
  if (options_.copies) return 0;
  std::_Exit(0);
}

bool CudaRunner::serve() {
  return request_.header.ask == Ask::kCall ? call() : timed_.serve(request_, reserved_);
}

bool CudaRunner::call() {
  if (!place()) return false;
  cuda_.data.clear();
  for (const Mapping& mapping : mappings_) cuda_.data.push_back(mapping.data);
  if (!cuda_.encode_maps(request_) || !launch_all() || !copy_back()) return false;
  take_away();
  return true;
}

bool CudaRunner::place() {
  mappings_.assign(request_.header.buffers, {});
  for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
    const Buffer& buffer = request_.buffers[i];
    Mapping& mapping = mappings_[i];
    mapping.span = buffer.pages * kPage;
    void* pages = ::mmap(nullptr, mapping.span, PROT_READ | PROT_WRITE, MAP_SHARED, kArena,
                         static_cast<off_t>(buffer.arena_offset));
    if (pages == MAP_FAILED || buffer.data_offset > mapping.span ||
        buffer.bytes > mapping.span - buffer.data_offset) {
      return cuda_.refuse(Reply::Status::kRequest, "a buffer outside of the arena");
    }
    mapping.pages = static_cast<unsigned char*>(pages);
    if (!(options_.copies ? place_exact(buffer, mapping) : place_mapped(buffer, mapping))) {
      return false;
    }
  }
  return true;
}

// The neighbourhood stays unmapped: a step out of the mapping faults.
bool CudaRunner::place_mapped(const Buffer& buffer, Mapping& mapping) {
  if (mapping.span == 0 || mapping.span % kDevicePage != 0 ||
      buffer.page * kPage % kDevicePage != 0 || buffer.page + buffer.pages > kReserved / kPage) {
    return cuda_.refuse(Reply::Status::kRequest, "a buffer that is not laid out in steps of 2 MiB");
  }
  mapping.bytes = mapping.span;
  mapping.begin = reserved_ + buffer.page * kPage;
  mapping.data = mapping.begin + buffer.data_offset;
  cuda::MemoryAccess access;
  access.location = cuda_.properties.location;
  return cuda_.check(cuda_.driver.cuMemCreate(&mapping.handle, mapping.bytes, &cuda_.properties, 0),
                     "cuMemCreate") &&
         cuda_.check(cuda_.driver.cuMemMap(mapping.begin, mapping.bytes, 0, mapping.handle, 0),
                     "cuMemMap") &&
         cuda_.check(cuda_.driver.cuMemSetAccess(mapping.begin, mapping.bytes, &access, 1),
                     "cuMemSetAccess") &&
         cuda_.check(cuda_.driver.cuMemcpyHtoD_v2(mapping.begin, mapping.pages, mapping.bytes),
                     "cuMemcpyHtoD");
}

// Under compute-sanitizer each buffer is an allocation, whose ends it watches to the byte.
bool CudaRunner::place_exact(const Buffer& buffer, Mapping& mapping) {
  const std::size_t lead = buffer.data_offset % 16;  // as aligned as the original
  mapping.bytes = buffer.bytes;
  if (!cuda_.check(cuda_.driver.cuMemAlloc_v2(&mapping.begin,
                                              std::max<std::size_t>(lead + mapping.bytes, 1)),
                   "cuMemAlloc")) {
    return false;
  }
  mapping.data = mapping.begin + lead;
  if (mapping.bytes == 0) return true;
  return cuda_.check(
      cuda_.driver.cuMemcpyHtoD_v2(mapping.data, mapping.pages + buffer.data_offset, mapping.bytes),
      "cuMemcpyHtoD");
}

bool CudaRunner::launch_all() {
  const cuda::Driver& driver = cuda_.driver;
  const RequestHeader& header = request_.header;
  if (!cuda_.launch_range(request_, 0, std::min(header.prepare, header.launches)) ||
      !cuda_.check(driver.cuCtxSynchronize(), "prepare") ||
      !cuda_.check(driver.cuEventRecord(cuda_.begin, nullptr), "cuEventRecord") ||
      !cuda_.launch_range(request_, header.prepare, header.launches)) {
    return false;
  }
  float milliseconds = 0;
  if (!cuda_.check(driver.cuEventRecord(cuda_.end, nullptr), "cuEventRecord") ||
      !cuda_.check(driver.cuCtxSynchronize(), "after the launches") ||
      !cuda_.check(driver.cuEventElapsedTime(&milliseconds, cuda_.begin, cuda_.end),
                   "cuEventElapsedTime")) {
    return false;
  }
  cuda_.reply.nanoseconds = static_cast<std::uint64_t>(static_cast<double>(milliseconds) * 1e6);
  return true;
}

bool CudaRunner::copy_back() {
  for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
    const Mapping& mapping = mappings_[i];
    const bool exact = options_.copies;
    if (mapping.bytes == 0) continue;
    unsigned char* to = mapping.pages + (exact ? request_.buffers[i].data_offset : 0);
    const cuda::Address from = exact ? mapping.data : mapping.begin;
    if (!cuda_.check(cuda_.driver.cuMemcpyDtoH_v2(to, from, mapping.bytes), "cuMemcpyDtoH"))
      return false;
  }
  return true;
}

void CudaRunner::take_away() {
  for (Mapping& mapping : mappings_) {
    if (options_.copies) {
      (void)cuda_.driver.cuMemFree_v2(mapping.begin);
    } else {
      (void)cuda_.driver.cuMemUnmap(mapping.begin, mapping.bytes);
      (void)cuda_.driver.cuMemRelease(mapping.handle);
    }
    ::munmap(mapping.pages, mapping.span);
  }
  mappings_.clear();
}

int run_cuda(const WorkerOptions& options) {
  static CudaRunner runner(options);
  return runner.run();
}

}  // namespace tensorpath::worker
