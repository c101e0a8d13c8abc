#include "cores.h"

#include <algorithm>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace tensorpath {
namespace {

// The first of the hardware threads that share this one's core; itself where nothing is told.
int first_sibling(int processor) {
  std::ifstream file(
      fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", processor));
  int first = processor;
  file >> first;
  return first;
}

}  // namespace

std::string Cores::worker_text() const { return fmt::format("{}", fmt::join(worker, ",")); }

Expected<Cores> choose_cores(int threads) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
    return fail(ExitCode::kEnvironment, "the processors of this process cannot be told");
  }
  std::vector<int> free;
  std::set<int> taken;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &allowed) && taken.insert(first_sibling(i)).second) {
      free.push_back(i);
    }
  }
  const auto wanted = static_cast<std::size_t>(
      threads > 0 ? threads : std::clamp(static_cast<int>(free.size()) - 1, 1, 4));
  if (free.size() < wanted + 1) {
    return fail(ExitCode::kEnvironment,
                fmt::format("timing needs {} cores, one of them for the clock; there are {}",
                            wanted + 1, free.size()),
                "give the process more cores, or fewer --threads");
  }
  Cores cores;
  cores.harness = free.front();
  cores.worker.assign(free.begin() + 1, free.begin() + 1 + static_cast<std::ptrdiff_t>(wanted));
  return cores;
}

PinnedThread::PinnedThread(int core) {
  CPU_ZERO(&before_);
  (void)::sched_getaffinity(0, sizeof before_, &before_);
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(core), &only);
  (void)::sched_setaffinity(0, sizeof only, &only);
}

PinnedThread::~PinnedThread() { (void)::sched_setaffinity(0, sizeof before_, &before_); }

}  // namespace tensorpath
