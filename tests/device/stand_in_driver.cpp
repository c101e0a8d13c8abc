// A stand-in for libcuda.so.1: "device" memory is the host's, and kernels are a few functions known
// by name, each with the arguments of an abs: input, output, rows, columns. With it the whole path
// from a plan to a verdict is tested where there is no GPU. What it cannot show is what a GPU does.
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <harness/cuda_driver.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace tensorpath::cuda;

namespace {

constexpr Result kIllegalAddress = 700;

// As in the real one, the first fault is what every later call returns.
Result pending = kSuccess;
sigjmp_buf fault_return;
std::string launched;

void on_fault(int /*signal*/) { siglongjmp(fault_return, 1); }

void* at(Address address) { return reinterpret_cast<void*>(address); }

void run(const std::string& kernel, const LaunchConfig& config, void** arguments) {
  float* x = *static_cast<float**>(arguments[0]);
  float* y = *static_cast<float**>(arguments[1]);
  const int rows = *static_cast<int*>(arguments[2]);
  const int columns = *static_cast<int*>(arguments[3]);
  const bool whole = static_cast<int>(config.grid[0]) == rows && config.block[0] == 64;
  for (int i = 0; whole && i < rows * columns; ++i) y[i] = std::fabs(x[i]);
  if (kernel == "past_the_end") y[rows * columns + 4] = 1;
  if (kernel == "before_the_beginning") y[-1] = 1;
  if (kernel == "nowhere") *reinterpret_cast<volatile float*>(0x10000) = 1;
  if (kernel == "scribble") x[0] = -1;
  while (kernel == "spin") ::pause();
}

}  // namespace

extern "C" {

Result cuInit(unsigned /*flags*/) { return kSuccess; }
Result cuDriverGetVersion(int* version) {
  *version = 13000;
  return kSuccess;
}
Result cuGetErrorName(Result result, const char** name) {
  *name = result == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_UNKNOWN";
  return kSuccess;
}
Result cuGetErrorString(Result result, const char** text) { return cuGetErrorName(result, text); }
Result cuDeviceGet(Device* device, int /*ordinal*/) {
  *device = 0;
  return kSuccess;
}
Result cuDeviceGetName(char* name, int size, Device /*device*/) {
  std::strncpy(name, "stand-in", static_cast<std::size_t>(size));
  return kSuccess;
}
Result cuDeviceGetAttribute(int* value, int attribute, Device /*device*/) {
  *value = attribute == kCapabilityMajor ? 9 : 0;
  return kSuccess;
}
Result cuDevicePrimaryCtxRetain(Context* /*context*/, Device /*device*/) { return kSuccess; }
Result cuCtxSetCurrent(Context /*context*/) { return kSuccess; }
Result cuCtxSynchronize() { return pending; }
Result cuModuleLoadData(Module* /*module*/, const void* image) {
  return std::memcmp(image, "\177ELF", 4) == 0 ? kSuccess : 200;  // CUDA_ERROR_INVALID_IMAGE
}
Result cuModuleGetFunction(Function* /*function*/, Module /*module*/, const char* name) {
  launched = name;
  return launched == "absent" ? kErrorNotFound : kSuccess;
}
Result cuFuncSetAttribute(Function /*function*/, int /*attribute*/, int /*value*/) {
  return kSuccess;
}
Result cuMemAlloc_v2(Address* address, std::size_t bytes) {
  *address = reinterpret_cast<Address>(std::malloc(bytes));
  return kSuccess;
}
Result cuMemFree_v2(Address address) {
  std::free(at(address));
  return kSuccess;
}
Result cuMemcpyHtoD_v2(Address to, const void* from, std::size_t bytes) {
  if (pending == kSuccess) std::memcpy(at(to), from, bytes);
  return pending;
}
Result cuMemcpyDtoH_v2(void* to, Address from, std::size_t bytes) {
  if (pending == kSuccess) std::memcpy(to, at(from), bytes);
  return pending;
}
Result cuMemAddressReserve(Address* address, std::size_t bytes, std::size_t alignment,
                           Address /*wanted*/, unsigned long long /*flags*/) {
  void* memory = ::mmap(nullptr, bytes + alignment, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 2;  // CUDA_ERROR_OUT_OF_MEMORY
  *address = (reinterpret_cast<Address>(memory) + alignment - 1) / alignment * alignment;
  return kSuccess;
}
Result cuMemCreate(MemoryHandle* handle, std::size_t /*bytes*/, const MemoryProperties* /*of*/,
                   unsigned long long /*flags*/) {
  *handle = 1;
  return kSuccess;
}
Result cuMemRelease(MemoryHandle /*handle*/) { return kSuccess; }
Result cuMemMap(Address address, std::size_t bytes, std::size_t /*offset*/, MemoryHandle /*handle*/,
                unsigned long long /*flags*/) {
  const void* mapped = ::mmap(at(address), bytes, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return mapped == MAP_FAILED ? 2 : kSuccess;
}
Result cuMemUnmap(Address address, std::size_t bytes) { return cuMemMap(address, bytes, 0, 0, 0); }
Result cuMemSetAccess(Address address, std::size_t bytes, const MemoryAccess* /*access*/,
                      std::size_t /*count*/) {
  return ::mprotect(at(address), bytes, PROT_READ | PROT_WRITE) == 0 ? kSuccess : 1;
}
Result cuMemGetAllocationGranularity(std::size_t* bytes, const MemoryProperties* /*of*/,
                                     int /*option*/) {
  *bytes = 2U << 20;
  return kSuccess;
}
Result cuEventCreate(Event* /*event*/, unsigned /*flags*/) { return kSuccess; }
Result cuEventRecord(Event /*event*/, Stream /*stream*/) { return pending; }
Result cuEventElapsedTime(float* milliseconds, Event /*begin*/, Event /*end*/) {
  *milliseconds = 0.5F;
  return kSuccess;
}
Result cuLaunchKernelEx(const LaunchConfig* config, Function /*function*/, void** arguments,
                        void** /*extra*/) {
  std::signal(SIGSEGV, on_fault);
  if (sigsetjmp(fault_return, 1) == 0) {
    run(launched, *config, arguments);
  } else {
    pending = kIllegalAddress;
  }
  return kSuccess;
}
}
