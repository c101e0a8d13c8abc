// Runs cubins: a context, a module, and per request buffers of their own between unmapped ranges,
// the plan's launches, and everything copied back. The code around the launches is the harness's
// own; what the candidate brings runs on the GPU only.
#pragma once

#include "cuda_launcher.h"
#include "cuda_timed.h"
#include "worker.h"

#include <string>
#include <vector>

namespace tensorpath::worker {

class CudaRunner {
 public:
  explicit CudaRunner(const WorkerOptions& options) : options_(options), timed_(cuda_) {}
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

  bool load();
  bool serve();
  bool call();
  bool place();
  bool place_mapped(const Buffer& buffer, Mapping& mapping);
  bool place_exact(const Buffer& buffer, Mapping& mapping);
  bool launch_all();
  bool copy_back();
  void take_away();
  void describe() const;

  const WorkerOptions& options_;
  CudaLauncher cuda_;
  CudaTimed timed_;
  cuda::Address reserved_ = 0;
  Request request_{};
  std::vector<Mapping> mappings_;
};

}  // namespace tensorpath::worker
