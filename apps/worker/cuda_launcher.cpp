#include "cuda_launcher.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

namespace tensorpath::worker {

bool CudaLauncher::check(cuda::Result result, const char* what) {
  if (result == cuda::kSuccess) return true;
  const char* name = nullptr;
  if (driver.cuGetErrorName(result, &name) != cuda::kSuccess || name == nullptr) name = "?";
  reply = make_reply(Reply::Status::kDevice, nonce);
  reply.code = result;
  std::snprintf(reply.text, sizeof reply.text, "%s: %s", what, name);
  return false;
}

bool CudaLauncher::refuse(Reply::Status status, const std::string& why) {
  reply = make_reply(status, nonce);
  std::snprintf(reply.text, sizeof reply.text, "%s", why.c_str());
  return false;
}

int CudaLauncher::attribute(int which) const {
  int value = 0;
  (void)driver.cuDeviceGetAttribute(&value, which, device);
  return value;
}

bool CudaLauncher::start(int gpu) {
  if (const std::string missing = driver.load(); !missing.empty()) {
    return refuse(Reply::Status::kLoad, missing);
  }
  cuda::Context context = nullptr;
  std::size_t granularity = 0;
  if (!check(driver.cuInit(0), "cuInit") ||
      !check(driver.cuDeviceGet(&device, gpu), "cuDeviceGet") ||
      !check(driver.cuDevicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain") ||
      !check(driver.cuCtxSetCurrent(context), "cuCtxSetCurrent")) {
    return false;
  }
  properties.location.id = device;
  if (!check(driver.cuMemGetAllocationGranularity(&granularity, &properties, 0),
             "cuMemGetAllocationGranularity")) {
    return false;
  }
  // The harness lays buffers out in steps of kDevicePage.
  if (granularity == 0 || kDevicePage % granularity != 0) {
    return refuse(Reply::Status::kLoad,
                  "memory of this device is mapped in other steps than 2 MiB");
  }
  return check(driver.cuEventCreate(&begin, 0), "cuEventCreate") &&
         check(driver.cuEventCreate(&end, 0), "cuEventCreate");
}

bool CudaLauncher::load_module(const std::string& path, cuda::Module& out) {
  std::ifstream file(path, std::ios::binary);
  const std::string code{std::istreambuf_iterator<char>(file), {}};
  if (!file || code.empty()) return refuse(Reply::Status::kLoad, "the code object cannot be read");
  // A cubin's size is in its headers: the driver is handed no file that ends before them.
  if (const auto result = driver.cuModuleLoadData(&out, code.c_str());
      !check(result, "cuModuleLoadData")) {
    reply.status = Reply::Status::kLoad;
    return false;
  }
  return true;
}

bool CudaLauncher::encode_maps(const Request& request) {
  maps.assign(request.header.maps, {});
  if (!maps.empty() && driver.cuTensorMapEncodeTiled == nullptr) {
    return refuse(Reply::Status::kLoad, "the driver makes no tensor maps");
  }
  for (std::uint32_t i = 0; i < request.header.maps; ++i) {
    const TensorMap& map = request.maps[i];
    if (map.buffer >= data.size() || map.rank < 1 || map.rank > 5) {
      return refuse(Reply::Status::kRequest, "a tensor map of no buffer");
    }
    const auto result = driver.cuTensorMapEncodeTiled(
        &maps[i], static_cast<int>(map.type), map.rank,
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the driver takes device addresses so
        reinterpret_cast<void*>(data[map.buffer]), map.dims, map.strides, map.box,
        map.element_strides, 0, static_cast<int>(map.swizzle), 0, 0);
    if (!check(result, "cuTensorMapEncodeTiled")) return false;
  }
  return true;
}

bool CudaLauncher::launch(const Launch& launch, const Word* words) {
  cuda::Function function = nullptr;
  char name[sizeof launch.kernel + 1] = {};
  std::memcpy(name, launch.kernel, sizeof launch.kernel);
  if (!check(driver.cuModuleGetFunction(&function, module, name), name)) return false;
  void* arguments[kMaxArguments + 1] = {};
  std::uint64_t values[kMaxArguments + 1] = {};
  for (std::uint32_t i = 0; i < launch.words; ++i) {
    const Word& word = words[i];
    // Little-endian: the first four bytes of a number are its low half.
    values[i] = word.kind == Word::Kind::kBuffer ? data[word.value] : word.value;
    arguments[i] = word.kind == Word::Kind::kTensorMap ? static_cast<void*>(&maps[word.value])
                                                       : static_cast<void*>(&values[i]);
  }
  if (launch.shared_bytes > static_cast<unsigned>(cuda::kDefaultSharedBytes) &&
      !check(driver.cuFuncSetAttribute(function, cuda::kMaxDynamicShared,
                                       static_cast<int>(launch.shared_bytes)),
             name)) {
    return false;
  }
  cuda::LaunchConfig config;
  std::copy_n(launch.grid, 3, config.grid);
  std::copy_n(launch.block, 3, config.block);
  config.shared_bytes = launch.shared_bytes;
  config.stream = stream;
  cuda::LaunchAttribute cluster;
  const unsigned blocks = launch.cluster[0] * launch.cluster[1] * launch.cluster[2];
  if (blocks > 1) {
    cluster.value.cluster = {launch.cluster[0], launch.cluster[1], launch.cluster[2]};
    config.attributes = &cluster;
    config.attribute_count = 1;
    // Beyond eight a kernel runs only where the device allows it.
    if (blocks > 8 &&
        !check(driver.cuFuncSetAttribute(function, cuda::kNonPortableCluster, 1), name)) {
      return false;
    }
  }
  return check(driver.cuLaunchKernelEx(&config, function, arguments, nullptr), name);
}

bool CudaLauncher::launch_range(const Request& request, std::uint32_t first, std::uint32_t last) {
  const Word* words = request.words;
  const Word* const past = words + request.header.words;
  for (std::uint32_t i = 0; i < last; ++i) {
    const Launch& one = request.launches[i];
    if (one.words > kMaxArguments || one.words > static_cast<std::size_t>(past - words)) {
      return refuse(Reply::Status::kRequest, "a launch without its arguments");
    }
    if (i >= first && !launch(one, words)) return false;
    words += one.words;
  }
  return true;
}

}  // namespace tensorpath::worker
