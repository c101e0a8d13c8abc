// The part of the CUDA driver's interface that is used here, declared by hand and loaded when
// needed: one binary works with and without the toolkit, and on a machine without a GPU it says
// what is missing. Names, values and layouts are those of cuda.h 12 and 13.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <dlfcn.h>

namespace tensorpath::cuda {

using Result = int;  // CUresult
using Device = int;
using Address = std::uint64_t;  // CUdeviceptr
using Context = struct ContextTag*;
using Module = struct ModuleTag*;
using Function = struct FunctionTag*;
using Stream = struct StreamTag*;
using Event = struct EventTag*;
using Graph = struct GraphTag*;
using GraphExec = struct GraphExecTag*;
using MemoryHandle = std::uint64_t;  // CUmemGenericAllocationHandle

inline constexpr Result kSuccess = 0;
inline constexpr Result kErrorNotFound = 500;
inline constexpr Result kErrorIllegalAddress = 700;
inline constexpr Result kErrorNotSupported = 801;
inline constexpr int kMultiprocessors = 16, kCacheBytes = 38;          // CUdevice_attribute
inline constexpr int kCapabilityMajor = 75, kCapabilityMinor = 76;     // CUdevice_attribute
inline constexpr int kMaxDynamicShared = 8, kNonPortableCluster = 14;  // CUfunction_attribute
inline constexpr int kDefaultSharedBytes = 48 << 10;                   // more has to be asked for
inline constexpr unsigned kNonBlocking = 1;                            // CUstream_flags
inline constexpr int kThreadLocalCapture = 1;                          // CUstreamCaptureMode
inline constexpr unsigned kRecordExternal = 1;                         // CUevent_record_flags

struct MemoryLocation {
  int type = 1;  // CU_MEM_LOCATION_TYPE_DEVICE
  int id = 0;
};
struct MemoryProperties {
  int type = 1;  // CU_MEM_ALLOCATION_TYPE_PINNED
  int handle_types = 0;
  MemoryLocation location;
  void* windows = nullptr;
  struct {
    unsigned char compression = 0;
    unsigned char rdma = 0;
    unsigned short usage = 0;
    unsigned char reserved[4] = {};
  } flags;
};
struct MemoryAccess {
  MemoryLocation location;
  int flags = 3;  // CU_MEM_ACCESS_FLAGS_PROT_READWRITE
};

struct LaunchAttribute {
  int id = 4;  // CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
  char pad[4] = {};
  union {
    char bytes[64];
    struct {
      unsigned x, y, z;
    } cluster;
  } value = {};
};
struct LaunchConfig {
  unsigned grid[3] = {1, 1, 1};
  unsigned block[3] = {1, 1, 1};
  unsigned shared_bytes = 0;
  Stream stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};
struct alignas(64) TensorMap {
  std::uint64_t opaque[16] = {};
};
static_assert(sizeof(MemoryProperties) == 32 && sizeof(MemoryAccess) == 12);
static_assert(sizeof(LaunchAttribute) == 72 && sizeof(LaunchConfig) == 56);

// The exported names carry the version of their interface.
struct Driver {
  Result (*cuInit)(unsigned) = nullptr;
  Result (*cuDriverGetVersion)(int*) = nullptr;
  Result (*cuGetErrorName)(Result, const char**) = nullptr;
  Result (*cuGetErrorString)(Result, const char**) = nullptr;
  Result (*cuDeviceGet)(Device*, int) = nullptr;
  Result (*cuDeviceGetName)(char*, int, Device) = nullptr;
  Result (*cuDeviceGetAttribute)(int*, int, Device) = nullptr;
  Result (*cuDeviceGetPCIBusId)(char*, int, Device) = nullptr;
  Result (*cuDeviceTotalMem_v2)(std::size_t*, Device) = nullptr;
  Result (*cuDevicePrimaryCtxRetain)(Context*, Device) = nullptr;
  Result (*cuCtxSetCurrent)(Context) = nullptr;
  Result (*cuCtxSynchronize)() = nullptr;
  Result (*cuModuleLoadData)(Module*, const void*) = nullptr;
  Result (*cuModuleGetFunction)(Function*, Module, const char*) = nullptr;
  Result (*cuFuncSetAttribute)(Function, int, int) = nullptr;
  Result (*cuMemAlloc_v2)(Address*, std::size_t) = nullptr;
  Result (*cuMemFree_v2)(Address) = nullptr;
  Result (*cuMemcpyHtoD_v2)(Address, const void*, std::size_t) = nullptr;
  Result (*cuMemcpyDtoH_v2)(void*, Address, std::size_t) = nullptr;
  Result (*cuMemAddressReserve)(Address*, std::size_t, std::size_t, Address,
                                unsigned long long) = nullptr;
  Result (*cuMemCreate)(MemoryHandle*, std::size_t, const MemoryProperties*,
                        unsigned long long) = nullptr;
  Result (*cuMemRelease)(MemoryHandle) = nullptr;
  Result (*cuMemMap)(Address, std::size_t, std::size_t, MemoryHandle, unsigned long long) = nullptr;
  Result (*cuMemUnmap)(Address, std::size_t) = nullptr;
  Result (*cuMemSetAccess)(Address, std::size_t, const MemoryAccess*, std::size_t) = nullptr;
  Result (*cuMemGetAllocationGranularity)(std::size_t*, const MemoryProperties*, int) = nullptr;
  Result (*cuLaunchKernelEx)(const LaunchConfig*, Function, void**, void**) = nullptr;
  Result (*cuEventCreate)(Event*, unsigned) = nullptr;
  Result (*cuEventRecord)(Event, Stream) = nullptr;
  Result (*cuEventElapsedTime)(float*, Event, Event) = nullptr;
  Result (*cuEventRecordWithFlags)(Event, Stream, unsigned) = nullptr;
  Result (*cuCtxResetPersistingL2Cache)() = nullptr;
  Result (*cuMemsetD8Async)(Address, unsigned char, std::size_t, Stream) = nullptr;
  Result (*cuMemcpyDtoDAsync_v2)(Address, Address, std::size_t, Stream) = nullptr;
  Result (*cuStreamCreate)(Stream*, unsigned) = nullptr;
  Result (*cuStreamBeginCapture_v2)(Stream, int) = nullptr;
  Result (*cuStreamEndCapture)(Stream, Graph*) = nullptr;
  Result (*cuGraphInstantiateWithFlags)(GraphExec*, Graph, unsigned long long) = nullptr;
  Result (*cuGraphUpload)(GraphExec, Stream) = nullptr;
  Result (*cuGraphLaunch)(GraphExec, Stream) = nullptr;
  Result (*cuGraphExecDestroy)(GraphExec) = nullptr;
  Result (*cuGraphDestroy)(Graph) = nullptr;
  // Hopper and later; null in drivers before 12.0.
  Result (*cuTensorMapEncodeTiled)(TensorMap*, int type, std::uint32_t rank, void* address,
                                   const std::uint64_t* dims, const std::uint64_t* strides,
                                   const std::uint32_t* box, const std::uint32_t* element_strides,
                                   int interleave, int swizzle, int promotion, int fill) = nullptr;

  // Empty when everything is there, else what is missing.
  [[nodiscard]] std::string load();
};

namespace detail {
template <typename Function>
bool find(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(::dlsym(library, name));
  return out != nullptr;
}
}  // namespace detail

inline std::string Driver::load() {
  void* library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return why == nullptr ? "libcuda.so.1 does not load" : why;
  }
  const char* missing = nullptr;
#define TENSORPATH_NEED(name) \
  if (!detail::find(library, #name, name)) missing = #name
  TENSORPATH_NEED(cuInit);
  TENSORPATH_NEED(cuDriverGetVersion);
  TENSORPATH_NEED(cuGetErrorName);
  TENSORPATH_NEED(cuGetErrorString);
  TENSORPATH_NEED(cuDeviceGet);
  TENSORPATH_NEED(cuDeviceGetName);
  TENSORPATH_NEED(cuDeviceGetAttribute);
  TENSORPATH_NEED(cuDeviceGetPCIBusId);
  TENSORPATH_NEED(cuDeviceTotalMem_v2);
  TENSORPATH_NEED(cuDevicePrimaryCtxRetain);
  TENSORPATH_NEED(cuCtxSetCurrent);
  TENSORPATH_NEED(cuCtxSynchronize);
  TENSORPATH_NEED(cuModuleLoadData);
  TENSORPATH_NEED(cuModuleGetFunction);
  TENSORPATH_NEED(cuFuncSetAttribute);
  TENSORPATH_NEED(cuMemAlloc_v2);
  TENSORPATH_NEED(cuMemFree_v2);
  TENSORPATH_NEED(cuMemcpyHtoD_v2);
  TENSORPATH_NEED(cuMemcpyDtoH_v2);
  TENSORPATH_NEED(cuMemAddressReserve);
  TENSORPATH_NEED(cuMemCreate);
  TENSORPATH_NEED(cuMemRelease);
  TENSORPATH_NEED(cuMemMap);
  TENSORPATH_NEED(cuMemUnmap);
  TENSORPATH_NEED(cuMemSetAccess);
  TENSORPATH_NEED(cuMemGetAllocationGranularity);
  TENSORPATH_NEED(cuLaunchKernelEx);
  TENSORPATH_NEED(cuEventCreate);
  TENSORPATH_NEED(cuEventRecord);
  TENSORPATH_NEED(cuEventElapsedTime);
  TENSORPATH_NEED(cuEventRecordWithFlags);
  TENSORPATH_NEED(cuCtxResetPersistingL2Cache);
  TENSORPATH_NEED(cuMemsetD8Async);
  TENSORPATH_NEED(cuMemcpyDtoDAsync_v2);
  TENSORPATH_NEED(cuStreamCreate);
  TENSORPATH_NEED(cuStreamBeginCapture_v2);
  TENSORPATH_NEED(cuStreamEndCapture);
  TENSORPATH_NEED(cuGraphInstantiateWithFlags);
  TENSORPATH_NEED(cuGraphUpload);
  TENSORPATH_NEED(cuGraphLaunch);
  TENSORPATH_NEED(cuGraphExecDestroy);
  TENSORPATH_NEED(cuGraphDestroy);
#undef TENSORPATH_NEED
  (void)detail::find(library, "cuTensorMapEncodeTiled", cuTensorMapEncodeTiled);
  return missing == nullptr ? std::string()
                            : "libcuda.so.1 is too old: it has no " + std::string(missing);
}

}  // namespace tensorpath::cuda
