// A stand-in for libcuda.so.1: "device" memory is the host's, and kernels are a few functions known
// by name, each with the arguments of an abs: input, output, rows, columns; the harness's own are
// written here once more. With it the whole path from a plan to a verdict, and to a time, is tested
// where there is no GPU. What it cannot show is what a GPU does.
#include <chrono>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <harness/cuda_driver.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace tensorpath::cuda;

namespace {

constexpr Result kIllegalAddress = 700;

// As in the real one, the first fault is what every later call returns.
Result pending = kSuccess;
sigjmp_buf fault_return;

// What is captured is kept as what is to be done.
struct CapturedGraph {
  std::vector<std::function<void()>> nodes;
};
CapturedGraph* captured = nullptr;

struct RecordedEvent {
  std::chrono::steady_clock::time_point at;
};

// Faults of a device that lies about time.
bool works_late = false;  // goes on behind the end of what the events tell
double clock_rate = 1;    // of its events
int runs = 0;             // of candidates' kernels
constexpr int kTiredRuns = 300;

void on_fault(int /*signal*/) { siglongjmp(fault_return, 1); }

void* at(Address address) { return reinterpret_cast<void*>(address); }

template <typename Value>
Value argument(void** arguments, int index) {
  return *static_cast<Value*>(arguments[index]);
}

std::uint32_t mixed(std::uint32_t x) {
  x = (x ^ x >> 16U) * 0x7FEB352DU;
  x = (x ^ x >> 15U) * 0x846CA68BU;
  return x ^ x >> 16U;
}

// The words of slot_contents.h.
void write_words(const LaunchConfig& config, void** arguments) {
  auto* to = static_cast<unsigned char*>(at(argument<Address>(arguments, 0)));
  const auto step = argument<std::uint64_t>(arguments, 1);
  const auto* keys = static_cast<const std::uint32_t*>(at(argument<Address>(arguments, 2)));
  const auto bytes = argument<std::uint64_t>(arguments, 3);
  const auto keep = argument<std::uint32_t>(arguments, 4);
  const auto set = argument<std::uint32_t>(arguments, 5);
  for (std::uint64_t slot = 0; slot < config.grid[1]; ++slot) {
    const std::uint32_t low = keys == nullptr ? 0 : keys[2 * slot];
    const std::uint32_t high = keys == nullptr ? 0 : keys[2 * slot + 1];
    for (std::uint64_t i = 0; i < bytes; i += 4) {
      const auto counter = static_cast<std::uint32_t>(i / 4);
      const std::uint32_t word = (mixed(mixed(counter + low) ^ high) & keep) | set;
      std::memcpy(to + slot * step + i, &word, bytes - i < 4 ? bytes - i : 4);
    }
  }
}

void run_candidate(const std::string& kernel, const LaunchConfig& config, void** arguments) {
  ++runs;
  if (kernel == "nothing") return;
  if (kernel == "tired" && runs > kTiredRuns) return;
  float* x = argument<float*>(arguments, 0);
  float* y = argument<float*>(arguments, 1);
  const int rows = argument<int>(arguments, 2);
  const int columns = argument<int>(arguments, 3);
  if (kernel == "count") x[0] += 1;
  const bool whole = static_cast<int>(config.grid[0]) == rows && config.block[0] == 64;
  for (int i = 0; whole && i < rows * columns; ++i) y[i] = std::fabs(x[i]);
  if (kernel == "past_the_end") y[rows * columns + 4] = 1;
  if (kernel == "before_the_beginning") y[-1] = 1;
  if (kernel == "nowhere") *reinterpret_cast<volatile float*>(0x10000) = 1;
  if (kernel == "scribble") x[0] = -1;
  if (kernel == "late") works_late = true;
  if (kernel == "fast_clock") clock_rate = 1000;
  while (kernel == "spin") ::pause();
}

void run(const std::string& kernel, const LaunchConfig& config, void** arguments) {
  std::signal(SIGSEGV, on_fault);
  if (sigsetjmp(fault_return, 1) != 0) {
    pending = kIllegalAddress;
  } else if (kernel == "tensorpath_words") {
    write_words(config, arguments);
  } else if (kernel == "tensorpath_ceiling") {
    std::this_thread::sleep_for(std::chrono::microseconds(1));
  } else if (kernel != "tensorpath_read" && kernel != "tensorpath_idle") {
    run_candidate(kernel, config, arguments);
  }
}

// Now, or when the graph is launched.
void submit(std::function<void()> work) {
  if (captured != nullptr) {
    captured->nodes.push_back(std::move(work));
  } else {
    work();
  }
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
Result cuDeviceGetCount(int* count) {
  *count = 1;
  return kSuccess;
}
Result cuDeviceGet(Device* device, int ordinal) {
  if (ordinal != 0) return 101;  // CUDA_ERROR_INVALID_DEVICE
  *device = 0;
  return kSuccess;
}
Result cuDeviceGetName(char* name, int size, Device /*device*/) {
  std::strncpy(name, "stand-in", static_cast<std::size_t>(size));
  return kSuccess;
}
Result cuDeviceGetAttribute(int* value, int attribute, Device /*device*/) {
  *value = attribute == kCapabilityMajor ? 9 : attribute == kCacheBytes ? 1 << 16 : 0;
  return kSuccess;
}
Result cuDeviceGetPCIBusId(char* name, int size, Device /*device*/) {
  std::strncpy(name, "0000:01:00.0", static_cast<std::size_t>(size));
  return kSuccess;
}
Result cuDeviceTotalMem_v2(std::size_t* bytes, Device /*device*/) {
  *bytes = std::size_t{1} << 34;
  return kSuccess;
}
Result cuDevicePrimaryCtxRetain(Context* /*context*/, Device /*device*/) { return kSuccess; }
Result cuCtxSetCurrent(Context /*context*/) { return kSuccess; }
Result cuCtxSynchronize() {
  if (works_late) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  works_late = false;
  return pending;
}
Result cuCtxResetPersistingL2Cache() { return kErrorNotSupported; }
Result cuModuleLoadData(Module* /*module*/, const void* image) {
  const auto* text = static_cast<const char*>(image);
  const bool known = std::memcmp(image, "\177ELF", 4) == 0 ||
                     std::string_view(text).find(".visible .entry") != std::string_view::npos;
  return known ? kSuccess : 200;  // CUDA_ERROR_INVALID_IMAGE
}
Result cuModuleGetFunction(Function* function, Module /*module*/, const char* name) {
  static std::set<std::string> names;
  const std::string& known = *names.insert(name).first;
  *function = reinterpret_cast<Function>(const_cast<std::string*>(&known));
  return known == "absent" ? kErrorNotFound : kSuccess;
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
Result cuMemsetD8Async(Address address, unsigned char value, std::size_t bytes, Stream /*in*/) {
  submit([=] { std::memset(at(address), value, bytes); });
  return pending;
}
Result cuMemcpyDtoDAsync_v2(Address to, Address from, std::size_t bytes, Stream /*in*/) {
  submit([=] { std::memcpy(at(to), at(from), bytes); });
  return pending;
}
Result cuEventCreate(Event* event, unsigned /*flags*/) {
  *event = reinterpret_cast<Event>(new RecordedEvent);
  return kSuccess;
}
Result cuEventRecordWithFlags(Event event, Stream /*stream*/, unsigned /*flags*/) {
  submit(
      [event] { reinterpret_cast<RecordedEvent*>(event)->at = std::chrono::steady_clock::now(); });
  return pending;
}
Result cuEventRecord(Event event, Stream stream) {
  return cuEventRecordWithFlags(event, stream, 0);
}
Result cuEventElapsedTime(float* milliseconds, Event begin, Event end) {
  const std::chrono::duration<double, std::milli> passed =
      reinterpret_cast<RecordedEvent*>(end)->at - reinterpret_cast<RecordedEvent*>(begin)->at;
  *milliseconds = static_cast<float>(passed.count() * clock_rate);
  return kSuccess;
}
Result cuStreamCreate(Stream* /*stream*/, unsigned /*flags*/) { return kSuccess; }
Result cuStreamBeginCapture_v2(Stream /*stream*/, int /*mode*/) {
  captured = new CapturedGraph;
  return pending;
}
Result cuStreamEndCapture(Stream /*stream*/, Graph* graph) {
  *graph = reinterpret_cast<Graph>(captured);
  captured = nullptr;
  return pending;
}
Result cuGraphInstantiateWithFlags(GraphExec* exec, Graph graph, unsigned long long /*flags*/) {
  *exec = reinterpret_cast<GraphExec>(new CapturedGraph(*reinterpret_cast<CapturedGraph*>(graph)));
  return pending;
}
Result cuGraphUpload(GraphExec /*exec*/, Stream /*stream*/) { return pending; }
Result cuGraphLaunch(GraphExec exec, Stream /*stream*/) {
  for (const auto& node : reinterpret_cast<CapturedGraph*>(exec)->nodes) node();
  return kSuccess;
}
Result cuGraphExecDestroy(GraphExec exec) {
  delete reinterpret_cast<CapturedGraph*>(exec);
  return kSuccess;
}
Result cuGraphDestroy(Graph graph) {
  delete reinterpret_cast<CapturedGraph*>(graph);
  return kSuccess;
}
// The worker hands over room for eight bytes an argument, and null pointers after the last; its own
// kernel's last two have four.
Result cuLaunchKernelEx(const LaunchConfig* config, Function function, void** arguments,
                        void** /*extra*/) {
  const std::string& kernel = *reinterpret_cast<const std::string*>(function);
  const std::size_t most = kernel == "tensorpath_words"                                    ? 6
                           : kernel == "tensorpath_read"                                   ? 3
                           : kernel == "tensorpath_idle" || kernel == "tensorpath_ceiling" ? 0
                                                                                           : 4;
  std::vector<std::uint64_t> values;
  for (std::size_t i = 0; i < most && arguments[i] != nullptr; ++i) {
    const bool half = kernel == "tensorpath_words" && i >= 4;
    values.push_back(0);
    std::memcpy(&values.back(), arguments[i], half ? 4 : 8);
  }
  submit([kernel, values, config = *config]() mutable {
    void* pointers[8] = {};
    for (std::size_t i = 0; i < values.size(); ++i) pointers[i] = &values[i];
    run(kernel, config, pointers);
  });
  return kSuccess;
}
}
