#include "cuda_runner.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include <sys/mman.h>

namespace tensorpath::worker {

bool CudaRunner::check(cuda::Result result, const char* what) {
  if (result == cuda::kSuccess) return true;
  const char* name = nullptr;
  if (driver_.cuGetErrorName(result, &name) != cuda::kSuccess || name == nullptr) name = "?";
  reply_ = make_reply(Reply::Status::kDevice, request_.header.nonce);
  reply_.code = result;
  std::snprintf(reply_.text, sizeof reply_.text, "%s: %s", what, name);
  return false;
}

bool CudaRunner::refuse(Reply::Status status, const std::string& why) {
  reply_ = make_reply(status, request_.header.nonce);
  std::snprintf(reply_.text, sizeof reply_.text, "%s", why.c_str());
  return false;
}

bool CudaRunner::start() {
  if (const std::string missing = driver_.load(); !missing.empty()) {
    return refuse(Reply::Status::kLoad, missing);
  }
  cuda::Context context = nullptr;
  std::size_t granularity = 0;
  if (!check(driver_.cuInit(0), "cuInit") ||
      !check(driver_.cuDeviceGet(&device_, 0), "cuDeviceGet") ||
      !check(driver_.cuDevicePrimaryCtxRetain(&context, device_), "cuDevicePrimaryCtxRetain") ||
      !check(driver_.cuCtxSetCurrent(context), "cuCtxSetCurrent")) {
    return false;
  }
  properties_.location.id = device_;
  if (!check(driver_.cuMemGetAllocationGranularity(&granularity, &properties_, 0),
             "cuMemGetAllocationGranularity")) {
    return false;
  }
  // The harness lays buffers out in steps of kDevicePage.
  if (granularity == 0 || kDevicePage % granularity != 0) {
    return refuse(Reply::Status::kLoad,
                  "memory of this device is mapped in other steps than 2 MiB");
  }
  return check(driver_.cuEventCreate(&begin_, 0), "cuEventCreate") &&
         check(driver_.cuEventCreate(&end_, 0), "cuEventCreate");
}

bool CudaRunner::load() {
  std::ifstream file(options_.code, std::ios::binary);
  const std::string code{std::istreambuf_iterator<char>(file), {}};
  if (!file || code.empty()) return refuse(Reply::Status::kLoad, "the code object cannot be read");
  // A cubin's size is in its headers: the driver is handed no file that ends before them.
  if (const auto result = driver_.cuModuleLoadData(&module_, code.c_str());
      !check(result, "cuModuleLoadData")) {
    reply_.status = Reply::Status::kLoad;
    return false;
  }
  if (options_.copies) return true;
  return check(driver_.cuMemAddressReserve(&reserved_, kReserved, kDevicePage, 0, 0),
               "cuMemAddressReserve");
}

// For people, and for the harness to name the device: one fact a line.
void CudaRunner::describe() const {
  char name[256] = "";
  int version = 0;
  int major = 0;
  int minor = 0;
  (void)driver_.cuDeviceGetName(name, sizeof name, device_);
  (void)driver_.cuDriverGetVersion(&version);
  (void)driver_.cuDeviceGetAttribute(&major, cuda::kCapabilityMajor, device_);
  (void)driver_.cuDeviceGetAttribute(&minor, cuda::kCapabilityMinor, device_);
  std::printf("gpu: %s\narchitecture: sm_%d%d\ndriver interface: %d.%d\n", name, major, minor,
              version / 1000, version % 1000 / 10);
}

int CudaRunner::run() {
  if (options_.code.empty()) {  // a probe: does this device work here?
    if (start()) {
      describe();
      return 0;
    }
    std::printf("%s\n", reply_.text);
    return 1;
  }
  if (!start() || !load()) {
    send_reply(reply_);
    return 1;
  }
  send_reply(make_reply(Reply::Status::kReady, 0));
  while (receive(request_)) {
    reply_ = make_reply(Reply::Status::kDone, request_.header.nonce);
    const bool done = place() && encode_maps() && launch_all() && copy_back();
    if (done) take_away();
    send_reply(reply_);
    // After a fault the context is of no more use.
    if (!done && !options_.copies) std::_Exit(1);
    if (!done) return 1;  // compute-sanitizer reports at a regular exit
  }
  if (options_.copies) return 0;
  std::_Exit(0);
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
      return refuse(Reply::Status::kRequest, "a buffer outside of the arena");
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
    return refuse(Reply::Status::kRequest, "a buffer that is not laid out in steps of 2 MiB");
  }
  mapping.bytes = mapping.span;
  mapping.begin = reserved_ + buffer.page * kPage;
  mapping.data = mapping.begin + buffer.data_offset;
  cuda::MemoryAccess access;
  access.location = properties_.location;
  return check(driver_.cuMemCreate(&mapping.handle, mapping.bytes, &properties_, 0),
               "cuMemCreate") &&
         check(driver_.cuMemMap(mapping.begin, mapping.bytes, 0, mapping.handle, 0), "cuMemMap") &&
         check(driver_.cuMemSetAccess(mapping.begin, mapping.bytes, &access, 1),
               "cuMemSetAccess") &&
         check(driver_.cuMemcpyHtoD_v2(mapping.begin, mapping.pages, mapping.bytes),
               "cuMemcpyHtoD");
}

// Under compute-sanitizer each buffer is an allocation, whose ends it watches to the byte.
bool CudaRunner::place_exact(const Buffer& buffer, Mapping& mapping) {
  const std::size_t lead = buffer.data_offset % 16;  // as aligned as the original
  mapping.bytes = buffer.bytes;
  if (!check(driver_.cuMemAlloc_v2(&mapping.begin, std::max<std::size_t>(lead + mapping.bytes, 1)),
             "cuMemAlloc")) {
    return false;
  }
  mapping.data = mapping.begin + lead;
  if (mapping.bytes == 0) return true;
  return check(
      driver_.cuMemcpyHtoD_v2(mapping.data, mapping.pages + buffer.data_offset, mapping.bytes),
      "cuMemcpyHtoD");
}

bool CudaRunner::encode_maps() {
  maps_.assign(request_.header.maps, {});
  if (!maps_.empty() && driver_.cuTensorMapEncodeTiled == nullptr) {
    return refuse(Reply::Status::kLoad, "the driver makes no tensor maps");
  }
  for (std::uint32_t i = 0; i < request_.header.maps; ++i) {
    const TensorMap& map = request_.maps[i];
    if (map.buffer >= mappings_.size() || map.rank < 1 || map.rank > 5) {
      return refuse(Reply::Status::kRequest, "a tensor map of no buffer");
    }
    const auto result = driver_.cuTensorMapEncodeTiled(
        &maps_[i], static_cast<int>(map.type), map.rank,
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver takes device addresses so
        reinterpret_cast<void*>(mappings_[map.buffer].data), map.dims, map.strides, map.box,
        map.element_strides, 0, static_cast<int>(map.swizzle), 0, 0);
    if (!check(result, "cuTensorMapEncodeTiled")) return false;
  }
  return true;
}

bool CudaRunner::launch(const Launch& launch, const Word* words) {
  cuda::Function function = nullptr;
  char name[sizeof launch.kernel + 1] = {};
  std::memcpy(name, launch.kernel, sizeof launch.kernel);
  if (!check(driver_.cuModuleGetFunction(&function, module_, name), name)) return false;
  void* arguments[kMaxArguments + 1] = {};
  std::uint64_t values[kMaxArguments + 1] = {};
  for (std::uint32_t i = 0; i < launch.words; ++i) {
    const Word& word = words[i];
    // Little-endian: the first four bytes of a number are its low half.
    values[i] = word.kind == Word::Kind::kBuffer ? mappings_[word.value].data : word.value;
    arguments[i] = word.kind == Word::Kind::kTensorMap ? static_cast<void*>(&maps_[word.value])
                                                       : static_cast<void*>(&values[i]);
  }
  if (launch.shared_bytes > static_cast<unsigned>(cuda::kDefaultSharedBytes) &&
      !check(driver_.cuFuncSetAttribute(function, cuda::kMaxDynamicShared,
                                        static_cast<int>(launch.shared_bytes)),
             name)) {
    return false;
  }
  cuda::LaunchConfig config;
  std::copy_n(launch.grid, 3, config.grid);
  std::copy_n(launch.block, 3, config.block);
  config.shared_bytes = launch.shared_bytes;
  cuda::LaunchAttribute cluster;
  const unsigned blocks = launch.cluster[0] * launch.cluster[1] * launch.cluster[2];
  if (blocks > 1) {
    cluster.value.cluster = {launch.cluster[0], launch.cluster[1], launch.cluster[2]};
    config.attributes = &cluster;
    config.attribute_count = 1;
    // Beyond eight a kernel runs only where the device allows it.
    if (blocks > 8 &&
        !check(driver_.cuFuncSetAttribute(function, cuda::kNonPortableCluster, 1), name)) {
      return false;
    }
  }
  return check(driver_.cuLaunchKernelEx(&config, function, arguments, nullptr), name);
}

bool CudaRunner::launch_all() {
  const Word* words = request_.words;
  const Word* const end = words + request_.header.words;
  for (std::uint32_t i = 0; i < request_.header.launches; ++i) {
    const Launch& one = request_.launches[i];
    if (one.words > kMaxArguments || one.words > static_cast<std::size_t>(end - words)) {
      return refuse(Reply::Status::kRequest, "a launch without its arguments");
    }
    if (i == request_.header.prepare &&
        (!check(driver_.cuCtxSynchronize(), "prepare") ||
         !check(driver_.cuEventRecord(begin_, nullptr), "cuEventRecord"))) {
      return false;
    }
    if (!launch(one, words)) return false;
    words += one.words;
  }
  float milliseconds = 0;
  if (!check(driver_.cuEventRecord(end_, nullptr), "cuEventRecord") ||
      !check(driver_.cuCtxSynchronize(), "after the launches")) {
    return false;
  }
  if (request_.header.launches > request_.header.prepare &&
      !check(driver_.cuEventElapsedTime(&milliseconds, begin_, end_), "cuEventElapsedTime")) {
    return false;
  }
  reply_.nanoseconds = static_cast<std::uint64_t>(static_cast<double>(milliseconds) * 1e6);
  return true;
}

bool CudaRunner::copy_back() {
  for (std::uint32_t i = 0; i < request_.header.buffers; ++i) {
    const Mapping& mapping = mappings_[i];
    const bool exact = options_.copies;
    if (mapping.bytes == 0) continue;
    unsigned char* to = mapping.pages + (exact ? request_.buffers[i].data_offset : 0);
    const cuda::Address from = exact ? mapping.data : mapping.begin;
    if (!check(driver_.cuMemcpyDtoH_v2(to, from, mapping.bytes), "cuMemcpyDtoH")) return false;
  }
  return true;
}

void CudaRunner::take_away() {
  for (Mapping& mapping : mappings_) {
    if (options_.copies) {
      (void)driver_.cuMemFree_v2(mapping.begin);
    } else {
      (void)driver_.cuMemUnmap(mapping.begin, mapping.bytes);
      (void)driver_.cuMemRelease(mapping.handle);
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
