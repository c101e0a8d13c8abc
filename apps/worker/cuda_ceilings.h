// Measures what a GPU can do, by kernels of the harness's own, and prints seconds, a row for each
// thing; what becomes of them the harness decides. No candidate is ever loaded into this process.
#pragma once

#include "cuda_launcher.h"

#include <functional>
#include <string>
#include <vector>

namespace tensorpath::worker {

class CudaCeilings {
 public:
  explicit CudaCeilings(CudaLauncher& cuda) : cuda_(cuda) {}
  // False: `cuda.reply` says what failed.
  bool run();

 private:
  bool allocate();
  bool stream(const char* what, bool copies, std::uint64_t bytes, unsigned blocks,
              std::uint32_t passes);
  bool launches();
  bool fp32();
  // What a GPU need not have: a failure is printed and is none.
  bool matrices();
  bool rate(const std::string& what, const std::string& text, unsigned blocks, std::uint32_t rounds,
            double operations);
  bool load(const std::string& text, cuda::Function& function);
  bool launch(cuda::Function function, unsigned blocks, void** arguments);
  bool seconds_of(const std::function<bool()>& work, double& seconds);
  bool report(const std::string& what, double amount, const std::function<bool()>& work);

  CudaLauncher& cuda_;
  unsigned processors_ = 1;
  cuda::Stream stream_ = nullptr;
  cuda::Address memory_ = 0;
  std::uint64_t memory_bytes_ = 0;
  cuda::Address out_ = 0;
};

}  // namespace tensorpath::worker
