// Times the command as a user meets it: whole processes, from exec to exit, and their peak memory.
#include "bench.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tensorpath::bench {
namespace {

struct Run {
  double seconds = 0;
  double peak_bytes = 0;
  int status = 0;
};

Run run_once(const std::vector<std::string>& words) {
  Run run;
  rusage usage{};
  run.seconds = seconds_of([&] {
    const pid_t child = fork();
    if (child == 0) {
      const int null = open("/dev/null", O_RDWR);
      dup2(null, STDIN_FILENO);
      dup2(null, STDOUT_FILENO);
      dup2(null, STDERR_FILENO);
      std::vector<std::string> copies = words;
      std::vector<char*> pointers;
      for (std::string& word : copies) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      execv(pointers.front(), pointers.data());
      _exit(127);
    }
    wait4(child, &run.status, 0, &usage);
  });
  run.peak_bytes = static_cast<double>(usage.ru_maxrss) * 1024;  // Linux counts KiB
  return run;
}

// Medians over `rounds` runs after one that is not counted; status is that of a failed run, or 0.
Run run_often(int rounds, const std::vector<std::string>& words) {
  Run result = run_once(words);
  std::vector<double> seconds;
  std::vector<double> bytes;
  for (int round = 0; round < rounds && result.status == 0; ++round) {
    const Run run = run_once(words);
    seconds.push_back(run.seconds);
    bytes.push_back(run.peak_bytes);
    if (run.status != 0) result.status = run.status;
  }
  if (result.status == 0) {
    result.seconds = median(seconds);
    result.peak_bytes = median(bytes);
  }
  return result;
}

std::vector<std::string> shipped_workloads() {
  std::vector<std::string> paths;
  const std::string directory = TENSORPATH_SOURCE_DIR "/data/workloads";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void bench_recommend(const std::string& tensorpath, const std::vector<std::string>& workloads) {
  const std::string one = "recommend, one shipped workload";
  const std::string many = "recommend, 1,000 workloads in one call";
  if (workloads.empty()) {
    no_budget(one, "no workload is shipped");
    return;
  }
  std::vector<double> milliseconds;
  for (const std::string& workload : workloads) {
    const Run run = run_often(7, {tensorpath, "recommend", workload, "--format", "json"});
    const bool answered = WIFEXITED(run.status) && WEXITSTATUS(run.status) <= 1;
    if (!answered) {
      no_budget(one, fmt::format("{} fails", workload));
      return;
    }
    milliseconds.push_back(run.seconds * 1e3);
    std::fprintf(stderr, "recommend %s: %.1f ms\n", workload.c_str(), milliseconds.back());
  }
  budget(one + " (slowest)", *std::max_element(milliseconds.begin(), milliseconds.end()), "ms", 150,
         Bar::kAtMost);

  std::vector<std::string> words = {tensorpath, "recommend", "--screen", "--format", "json"};
  for (std::size_t i = 0; i < 1000; ++i) words.push_back(workloads[i % workloads.size()]);
  const Run run = run_once(words);
  if (WIFEXITED(run.status) && WEXITSTATUS(run.status) <= 1) {
    budget(many + ", screened", run.seconds, "s", 10, Bar::kAtMost);
  } else {
    no_budget(many, "the call fails");
  }
}

}  // namespace
}  // namespace tensorpath::bench

int main() {
  using namespace tensorpath::bench;
  const char* named = std::getenv("TENSORPATH");
  const std::string tensorpath = named == nullptr ? "build/release/bin/tensorpath" : named;
  const Run version = run_often(101, {tensorpath, "--version"});
  if (version.status != 0) {
    std::fprintf(stderr, "%s does not run; name the binary in TENSORPATH\n", tensorpath.c_str());
    return 1;
  }
  budget("tensorpath --version", version.seconds * 1e3, "ms", 5, Bar::kAtMost);
  budget("tensorpath --version, peak memory", version.peak_bytes / 1e6, "MB", 10, Bar::kAtMost);
  bench_recommend(tensorpath, shipped_workloads());
  return 0;
}
