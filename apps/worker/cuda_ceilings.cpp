#include "cuda_ceilings.h"

#include <algorithm>
#include <cstdio>

#include <harness/ceiling_kernels.h>

namespace tensorpath::worker {
namespace {

constexpr int kRepeats = 11;
constexpr int kWarmUps = 3;  // the first ones raise the clocks
constexpr std::uint64_t kMostMemory = 2ULL << 30;
constexpr std::uint64_t kLeastMemory = 64ULL << 20;
// Blocks of a processor: enough loads in flight for memory, and all warps that it schedules.
constexpr unsigned kStreamBlocks = 8, kCacheBlocks = 2, kComputeBlocks = 4;
constexpr std::uint32_t kCachePasses = 64;
// Milliseconds on fast GPUs.
constexpr std::uint32_t kFmaRounds = 20'000, kMmaRounds = 10'000, kWgmmaRounds = 4'000;
constexpr int kLaunches = 1000;

}  // namespace

bool CudaCeilings::run() {
  processors_ = static_cast<unsigned>(std::max(cuda_.attribute(cuda::kMultiprocessors), 1));
  const auto cache = static_cast<std::uint64_t>(std::max(cuda_.attribute(cuda::kCacheBytes), 0));
  if (!allocate()) return false;
  // First, so that the clocks are up for all that follows.
  if (!fp32() || !stream("read", false, memory_bytes_, kStreamBlocks * processors_, 1) ||
      !stream("copy", true, memory_bytes_ / 2, kStreamBlocks * processors_, 1) ||
      !stream("l2", false, cache / 4, kCacheBlocks * processors_, kCachePasses) || !launches()) {
    return false;
  }
  return matrices();
}

bool CudaCeilings::allocate() {
  std::size_t total = 0;
  (void)cuda_.driver.cuDeviceTotalMem_v2(&total, cuda_.device);
  memory_bytes_ = std::clamp<std::uint64_t>(total / 8, kLeastMemory, kMostMemory);
  return cuda_.check(cuda_.driver.cuStreamCreate(&stream_, cuda::kNonBlocking), "cuStreamCreate") &&
         cuda_.check(cuda_.driver.cuMemAlloc_v2(&memory_, memory_bytes_), "cuMemAlloc: to read") &&
         cuda_.check(cuda_.driver.cuMemAlloc_v2(&out_, kPage), "cuMemAlloc: a result") &&
         cuda_.check(cuda_.driver.cuMemsetD8Async(memory_, 0, memory_bytes_, stream_),
                     "own memset") &&
         cuda_.check(cuda_.driver.cuCtxSynchronize(), "own memset");
}

bool CudaCeilings::load(const std::string& text, cuda::Function& function) {
  cuda::Module module = nullptr;
  return cuda_.check(cuda_.driver.cuModuleLoadData(&module, text.c_str()), "own kernel") &&
         cuda_.check(cuda_.driver.cuModuleGetFunction(&function, module, "tensorpath_ceiling"),
                     "own kernel");
}

bool CudaCeilings::launch(cuda::Function function, unsigned blocks, void** arguments) {
  cuda::LaunchConfig config;
  config.grid[0] = blocks;
  config.block[0] = cuda::kCeilingThreads;
  config.stream = stream_;
  return cuda_.check(cuda_.driver.cuLaunchKernelEx(&config, function, arguments, nullptr),
                     "own kernel");
}

bool CudaCeilings::seconds_of(const std::function<bool()>& work, double& seconds) {
  float milliseconds = 0;
  if (!cuda_.check(cuda_.driver.cuEventRecord(cuda_.begin, stream_), "cuEventRecord") || !work() ||
      !cuda_.check(cuda_.driver.cuEventRecord(cuda_.end, stream_), "cuEventRecord") ||
      !cuda_.check(cuda_.driver.cuCtxSynchronize(), "own kernels") ||
      !cuda_.check(cuda_.driver.cuEventElapsedTime(&milliseconds, cuda_.begin, cuda_.end),
                   "cuEventElapsedTime")) {
    return false;
  }
  seconds = 1e-3 * static_cast<double>(milliseconds);
  return true;
}

bool CudaCeilings::report(const std::string& what, double amount,
                          const std::function<bool()>& work) {
  std::string line;
  for (int i = -kWarmUps; i < kRepeats; ++i) {
    double seconds = 0;
    if (!seconds_of(work, seconds)) return false;
    char text[32];
    std::snprintf(text, sizeof text, " %.9e", seconds);
    if (i >= 0) line += text;
  }
  std::printf("measured %s: %.17g%s\n", what.c_str(), amount, line.c_str());
  return true;
}

bool CudaCeilings::stream(const char* what, bool copies, std::uint64_t bytes, unsigned blocks,
                          std::uint32_t passes) {
  const std::uint64_t step =
      std::uint64_t{blocks} * cuda::kCeilingThreads * cuda::kCeilingUnroll * 16;
  std::uint64_t words = bytes / step * step / 16;
  if (words == 0) {
    std::printf("absent %s: it is too small for the grid\n", what);
    return true;
  }
  cuda::Function function = nullptr;
  if (!load(cuda::stream_kernel(copies), function)) return false;
  cuda::Address to = copies ? memory_ + memory_bytes_ / 2 : out_;
  void* arguments[] = {&memory_, &words, &passes, &to};
  const double moved = static_cast<double>(words) * 16 * passes * (copies ? 2 : 1);
  return report(what, moved, [&] { return launch(function, blocks, arguments); });
}

bool CudaCeilings::launches() {
  const cuda::Driver& driver = cuda_.driver;
  cuda::Function function = nullptr;
  if (!load(cuda::empty_kernel(), function)) return false;
  const auto chain = [&] {
    for (int i = 0; i < kLaunches; ++i) {
      if (!launch(function, 1, nullptr)) return false;
    }
    return true;
  };
  if (!report("stream_launch", kLaunches, chain)) return false;
  cuda::Graph graph = nullptr;
  cuda::GraphExec exec = nullptr;
  // The events are nodes, as in a timed graph: handing it over is outside.
  if (!cuda_.check(driver.cuStreamBeginCapture_v2(stream_, cuda::kThreadLocalCapture),
                   "cuStreamBeginCapture") ||
      !cuda_.check(driver.cuEventRecordWithFlags(cuda_.begin, stream_, cuda::kRecordExternal),
                   "cuEventRecord") ||
      !chain() ||
      !cuda_.check(driver.cuEventRecordWithFlags(cuda_.end, stream_, cuda::kRecordExternal),
                   "cuEventRecord") ||
      !cuda_.check(driver.cuStreamEndCapture(stream_, &graph), "cuStreamEndCapture") ||
      !cuda_.check(driver.cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiate") ||
      !cuda_.check(driver.cuGraphUpload(exec, stream_), "cuGraphUpload") ||
      !cuda_.check(driver.cuCtxSynchronize(), "cuGraphUpload")) {
    return false;
  }
  std::string line;
  for (int i = -kWarmUps; i < kRepeats; ++i) {
    float milliseconds = 0;
    if (!cuda_.check(driver.cuGraphLaunch(exec, stream_), "cuGraphLaunch") ||
        !cuda_.check(driver.cuCtxSynchronize(), "own kernels") ||
        !cuda_.check(driver.cuEventElapsedTime(&milliseconds, cuda_.begin, cuda_.end),
                     "cuEventElapsedTime")) {
      return false;
    }
    char text[32];
    std::snprintf(text, sizeof text, " %.9e", 1e-3 * static_cast<double>(milliseconds));
    if (i >= 0) line += text;
  }
  std::printf("measured graph_node: %d%s\n", kLaunches, line.c_str());
  (void)driver.cuGraphExecDestroy(exec);
  (void)driver.cuGraphDestroy(graph);
  return true;
}

bool CudaCeilings::rate(const std::string& what, const std::string& text, unsigned blocks,
                        std::uint32_t rounds, double operations) {
  cuda::Function function = nullptr;
  if (!load(text, function)) return false;
  void* arguments[] = {&rounds, &out_};
  return report(what, operations * rounds * blocks,
                [&] { return launch(function, blocks, arguments); });
}

bool CudaCeilings::fp32() {
  return rate("fp32", cuda::fma_kernel(), kComputeBlocks * processors_, kFmaRounds,
              2.0 * cuda::kFmaInRound * cuda::kCeilingThreads);
}

bool CudaCeilings::matrices() {
  constexpr double kWarps = cuda::kCeilingThreads / 32.0;
  constexpr double kWarpgroups = cuda::kCeilingThreads / 128.0;
  const int capability =
      10 * cuda_.attribute(cuda::kCapabilityMajor) + cuda_.attribute(cuda::kCapabilityMinor);
  const auto try_rate = [&](const std::string& what, const auto&... how) {
    if (rate(what, how...)) return;
    std::printf("absent %s: %s\n", what.c_str(), cuda_.reply.text);
  };
  for (const cuda::MatrixType& type : cuda::kMatrixTypes) {
    if (capability >= type.least_capability) {
      try_rate(std::string("mma_sync ") + type.name, cuda::mma_kernel(type),
               kComputeBlocks * processors_, kMmaRounds,
               cuda::mma_operations(type) * cuda::kMmaInRound * kWarps);
    }
    if (capability == 90) {
      // One block fills a processor's registers.
      try_rate(std::string("wgmma ") + type.name, cuda::wgmma_kernel(type), processors_,
               kWgmmaRounds, cuda::wgmma_operations(type) * cuda::kWgmmaInRound * kWarpgroups);
    }
  }
  return true;
}

}  // namespace tensorpath::worker
