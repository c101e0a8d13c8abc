// The driver, a context, the module with the candidate's kernels, and a launch as a request words
// it: what one call and a timed stretch of calls have in common.
#pragma once

#include "worker.h"

#include <string>
#include <vector>

#include <harness/cuda_driver.h>

namespace tensorpath::worker {

struct CudaLauncher {
  // A context on a device, as the driver counts. False: `reply` says why there is none.
  bool start(int gpu = 0);
  bool load_module(const std::string& path, cuda::Module& module);

  // Makes the tensor maps of a request whose buffers lie at `data`.
  bool encode_maps(const Request& request);
  bool launch(const Launch& launch, const Word* words);
  // Launches number `begin` to `end` of a request.
  bool launch_range(const Request& request, std::uint32_t begin, std::uint32_t end);

  // False, and the reply to send, when `result` is no success.
  bool check(cuda::Result result, const char* what);
  bool refuse(Reply::Status status, const std::string& why);
  [[nodiscard]] int attribute(int which) const;

  cuda::Driver driver;
  cuda::Device device = 0;
  cuda::Module module = nullptr;
  cuda::MemoryProperties properties;
  cuda::Event begin = nullptr, end = nullptr;
  cuda::Stream stream = nullptr;    // of launches
  std::vector<cuda::Address> data;  // of the request's buffers
  std::vector<cuda::TensorMap> maps;
  std::uint64_t nonce = 0;  // of the request that is served
  Reply reply{};
};

}  // namespace tensorpath::worker
