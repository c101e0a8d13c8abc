// tensorpath-worker: the small isolated process that runs a candidate. It is started by the harness
// inside a sandbox and talks the protocol of worker_protocol.h. It never holds a reference, a
// tolerance, a seed or a verdict, and links nothing of libtensorpath.
#pragma once

#include <cstdint>
#include <string>

#include <harness/worker_protocol.h>

namespace tensorpath::worker {

struct WorkerOptions {
  std::string device;        // "host" or "cuda"
  std::string code;          // path of the code object
  int threads = 1;           // of the pool, the calling one among them
  std::string cores;         // host: to be pinned to, "1,2"; empty: wherever it is put
  bool system_calls = true;  // host: refuse all but the protocol's own
  bool timer_trap = true;    // host: rdtsc faults
  int gpu = 0;               // cuda: which, as the driver counts
  bool ceilings = false;     // cuda: measure what the GPU can do instead
  bool linked = false;       // host: the code is a trusted baseline with a library
  bool copies = false;       // host: buffers in allocations of their own (sanitizers)
};

// Each runs the loop of requests until the harness closes the socket; returns an exit status.
int run_host(const WorkerOptions& options);
int run_cuda(const WorkerOptions& options);

// A request as it came, checked: counts are in range and everything is there.
struct Request {
  RequestHeader header;
  Buffer buffers[kMaxBuffers];
  Word words[kMaxLaunches * 8];
  Launch launches[kMaxLaunches];
  TensorMap maps[16];
};
// False when the harness is gone. A request that makes no sense is answered and not returned. Looks
// for one `spins` times before it sleeps: a wake-up may come hundreds of microseconds late.
bool receive(Request& request, int spins = 0);
void send_reply(const Reply& reply);
[[nodiscard]] Reply make_reply(Reply::Status status, std::uint64_t nonce);

}  // namespace tensorpath::worker
