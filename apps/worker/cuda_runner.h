// Runs cubins: a context, a module, and per request buffers of their own between unmapped ranges,
// the plan's launches, and everything copied back. The code around the launches is the harness's
// own; what the candidate brings runs on the GPU only.
#pragma once

#include "worker.h"

#include <string>
#include <vector>

#include <harness/cuda_driver.h>

namespace tensorpath::worker {

class CudaRunner {
 public:
  explicit CudaRunner(const WorkerOptions& options) : options_(options) {}
  int run();

 private:
  struct Mapping {
    cuda::Address begin = 0;  // of the mapping or allocation
    cuda::Address data = 0;
    std::size_t bytes = 0;
    cuda::MemoryHandle handle = 0;
    unsigned char* pages = nullptr;  // the same in the arena
    std::size_t span = 0;
  };

  bool start();
  bool load();
  bool place();
  bool place_mapped(const Buffer& buffer, Mapping& mapping);
  bool place_exact(const Buffer& buffer, Mapping& mapping);
  bool encode_maps();
  bool launch_all();
  bool launch(const Launch& launch, const Word* words);
  bool copy_back();
  void take_away();

  // False, and the reply to send, when `result` is no success.
  bool check(cuda::Result result, const char* what);
  bool refuse(Reply::Status status, const std::string& why);
  void describe() const;

  const WorkerOptions& options_;
  cuda::Driver driver_;
  cuda::Device device_ = 0;
  cuda::Address reserved_ = 0;
  cuda::Module module_ = nullptr;
  cuda::Event begin_ = nullptr, end_ = nullptr;
  cuda::MemoryProperties properties_;
  Request request_{};
  Reply reply_{};
  std::vector<Mapping> mappings_;
  std::vector<cuda::TensorMap> maps_;
};

}  // namespace tensorpath::worker
