// Which processors a host benchmark runs on: one for the harness, which spins on the clock, and the
// worker's own.
#pragma once

#include <string>
#include <vector>

#include <sched.h>

#include <tensorpath/base/error.h>

namespace tensorpath {

struct Cores {
  int harness = 0;
  std::vector<int> worker;

  [[nodiscard]] std::string worker_text() const;  // "1,2,3"
};

// Distinct physical cores out of those this process may use, one thread of each; `threads` of them
// for the worker, 0: as many as there are, at most 4. Error (environment): fewer than two, or than
// asked for.
[[nodiscard]] Expected<Cores> choose_cores(int threads);

// The calling thread, and what it starts, on one processor for as long as this lives.
class PinnedThread {
 public:
  explicit PinnedThread(int core);
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;
  ~PinnedThread();

 private:
  cpu_set_t before_{};
};

}  // namespace tensorpath
