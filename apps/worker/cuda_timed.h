// Timed calls on a GPU: slots with a call's buffers in device memory, filled anew before each
// sample by a kernel of the harness's own, and a graph of calls between two events. The code here
// is the harness's; a candidate is what the graph's nodes launch.
#pragma once

#include "cuda_launcher.h"

#include <vector>

namespace tensorpath::worker {

class CudaTimed {
 public:
  explicit CudaTimed(CudaLauncher& cuda) : cuda_(cuda) {}
  // Everything but Ask::kCall. `reserved` is address space of kReserved bytes.
  bool serve(const Request& request, cuda::Address reserved);

 private:
  bool start();
  bool map_arena();
  bool lay_out(const Request& request, cuda::Address reserved);
  bool map_slots(std::uint64_t bytes, cuda::Address reserved);
  bool copy_bases();
  void take_away();
  bool write(const RequestHeader& header);
  bool fill(std::uint32_t buffer, std::uint32_t slots, unsigned char poison);
  bool prepare(std::uint32_t slots);
  bool arm(std::uint32_t count, bool idle);
  bool capture(std::uint32_t count, bool idle);
  bool call_slot(std::uint32_t slot);
  void point_to(std::uint32_t slot);
  bool flush();
  bool run();
  bool fetch(std::uint32_t slot);
  bool launch_own(cuda::Function function, std::uint64_t threads, unsigned rows, void** arguments);
  bool launch_words(cuda::Address to, cuda::Address keys, std::uint64_t bytes, std::uint32_t keep,
                    std::uint32_t set, std::uint32_t slots);

  CudaLauncher& cuda_;
  Request layout_{};
  bool started_ = false;
  cuda::Stream stream_ = nullptr;
  cuda::Function words_ = nullptr, read_ = nullptr, idle_ = nullptr;
  cuda::Address cold_ = 0;  // what a flush reads
  std::uint64_t cold_bytes_ = 0;
  cuda::Address keys_ = 0;
  cuda::GraphExec graph_ = nullptr;

  unsigned char* arena_ = nullptr;
  std::uint64_t arena_bytes_ = 0;
  cuda::Address slots_ = 0;  // the first of them
  std::uint64_t slots_bytes_ = 0, slot_bytes_ = 0;
  cuda::MemoryHandle handle_ = 0;
  std::vector<cuda::Address> bases_;  // by buffer, 0: none
};

}  // namespace tensorpath::worker
