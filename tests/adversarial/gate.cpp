#include "gate.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <harness/bench_with.h>
#include <harness/scratch.h>
#include <sched.h>

#include <tensorpath/forge/create_run.h>
#include <tensorpath/harness.h>

namespace tensorpath::selftest {
namespace {

constexpr int kSpins = 100'000;  // of the candidate: some 150 us, so that little else is timed

// |x| after a chain of multiplications that no compiler shortens and no core overlaps.
std::string spinning_kernel(int spins) {
  return fmt::format(
      R"(#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {{
  unsigned long chain = 1;
  for (int i = 0; i < {}; ++i) {{
    chain = chain * 6364136223846793005UL + 1442695040888963407UL;
    __asm__ volatile("" : "+r"(chain));
  }}
  for (long i = 0; i < args->rows * args->hidden; ++i) args->y[i] = __builtin_fabsf(args->x[i]);
}}
)",
      spins);
}

// Every block is done after half as many ticks of its multiprocessor's clock, some 25 us: well
// above what a launch adds, and more than moving the data takes.
std::string spinning_device_kernel(int spins) {
  return fmt::format(
      R"(extern "C" __global__ void spin(const float* x, float* y, int n) {{
  const long long start = clock64();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {{
    y[i] = fabsf(x[i]);
  }}
  while (clock64() - start < {}) {{
  }}
}}
)",
      spins / 2);
}

constexpr std::string_view kDevicePlan =
    "launches:\n  - {kernel: spin, grid: [64], block: [512], args: [x, y, \"i32 rows * "
    "hidden\"]}\n";

// On a GPU a call has a MB, so that some tens of them fill its cache and a sample is short.
constexpr std::string_view kShape = "rows=1,hidden=256";
constexpr std::string_view kDeviceShape = "rows=2,hidden=65536";

Expected<std::string> write_kernel(const Scratch& scratch, const std::string& name, int spins,
                                   bool on_host) {
  const std::string directory = path_join(scratch.path(), name);
  if (Status made = make_directories(directory); !made) return tl::unexpected(made.error());
  std::vector<std::pair<std::string, std::string>> files = {{"kernel.cpp", spinning_kernel(spins)}};
  if (!on_host) {
    files = {{"kernel.cu", spinning_device_kernel(spins)}, {"plan.yaml", std::string(kDevicePlan)}};
  }
  for (const auto& [file, text] : files) {
    if (Status written = write_file_atomic(path_join(directory, file), text); !written) {
      return tl::unexpected(written.error());
    }
  }
  return directory;
}

// The processors this thread may use from here on: its own share of those of the process.
void take_cores(int job, int jobs) {
  cpu_set_t all;
  CPU_ZERO(&all);
  (void)::sched_getaffinity(0, sizeof all, &all);
  std::vector<std::size_t> processors;
  for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &all)) processors.push_back(i);
  }
  const std::size_t share = processors.size() / static_cast<std::size_t>(jobs);
  cpu_set_t own;
  CPU_ZERO(&own);
  for (std::size_t i = 0; i < share; ++i) {
    CPU_SET(processors[static_cast<std::size_t>(job) * share + i], &own);
  }
  (void)::sched_setaffinity(0, sizeof own, &own);
}

// What the measurement says of the candidate and one of its baselines, as if there were no other.
TimingPlan pair_plan(const TimingPlan& plan, std::size_t arm) {
  TimingPlan pair = plan;
  pair.arms = {plan.arms.front(), plan.arms[arm]};
  return pair;
}

std::vector<TimedSample> pair_samples(const std::vector<TimedSample>& samples, std::size_t arm) {
  std::vector<TimedSample> pair;
  for (TimedSample sample : samples) {
    if (sample.arm != 0 && sample.arm != arm) continue;
    sample.arm = sample.arm == 0 ? 0 : 1;
    pair.push_back(sample);
  }
  return pair;
}

void count(GateRow& row, const TimingPlan& plan, const std::vector<TimedSample>& samples) {
  const TimingStatistic statistic = compute_statistic(plan, samples);
  ++row.runs;
  switch (decide(statistic)) {
    case Speed::kFast:
      ++row.fast;
      break;
    case Speed::kSlow:
      ++row.slow;
      break;
    case Speed::kSame:
      ++row.same;
      break;
    case Speed::kAmbiguous:
      ++row.ambiguous;
      break;
  }
  if (promotion_obstacle(plan, statistic).empty()) ++row.promoted;
  row.worst_error = std::max(row.worst_error, std::fabs(statistic.ratio.value / row.factor - 1));
}

}  // namespace

Expected<std::vector<GateRow>> calibrate_gate(int runs, int jobs, const std::string& device,
                                              const std::string& worker,
                                              const Operators& operators) {
  const bool on_host = device == "host";
  if (!on_host) jobs = 1;
  forge::CreateRequest request;
  request.op = "abs";
  request.dtype = "fp32";
  request.shape = on_host ? kShape : kDeviceShape;
  auto task = forge::make_task(request, operators);
  if (!task) return tl::unexpected(task.error());
  if (!on_host) {
    task->device = DeviceKind::kCuda;
    task->architecture = device;
  }
  const auto scratch = Scratch::make({});
  if (!scratch) return tl::unexpected(scratch.error());
  const auto candidate = write_kernel(*scratch, "candidate", kSpins, on_host);
  if (!candidate) return tl::unexpected(candidate.error());
  std::vector<GateRow> rows;
  std::vector<BaselineSource> baselines;
  for (const double factor : {1.0, 1.05, 1.25}) {
    const std::string name = fmt::format("{:.2f}", factor);
    const auto baseline =
        write_kernel(*scratch, name, static_cast<int>(std::lround(kSpins * factor)), on_host);
    if (!baseline) return tl::unexpected(baseline.error());
    baselines.push_back({name, *baseline, {}});
    rows.push_back({});
    rows.back().factor = factor;
  }
  std::mutex mutex;
  std::atomic<int> next{0};
  const auto work = [&](int job) {
    take_cores(job, jobs);
    while (next++ < runs) {
      BenchOptions options;
      options.worker = worker;
      options.sandbox = SandboxMode::kBestEffort;
      options.threads = 1;
      options.stop.most_rounds = options.stop.least_rounds;
      BenchDefences defences;
      defences.verify_baselines = false;
      const auto report = bench_with(*task, *candidate, baselines, options, defences);
      const std::lock_guard<std::mutex> lock(mutex);
      for (std::size_t at = 0; at < rows.size(); ++at) {
        if (!report) {
          rows[at].problems.push_back(report.error().to_string());
        } else if (report->failure != Failure::kNone) {
          rows[at].problems.push_back(report->detail);
        } else {
          count(rows[at], pair_plan(report->timing.plan, at + 1),
                pair_samples(report->samples, at + 1));
        }
      }
    }
  };
  std::vector<std::thread> threads;
  for (int job = 0; job < jobs; ++job) threads.emplace_back(work, job);
  for (std::thread& thread : threads) thread.join();
  return rows;
}

}  // namespace tensorpath::selftest
