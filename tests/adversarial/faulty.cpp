#include "faulty.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath::selftest {
namespace {

namespace fs = std::filesystem;

struct Mode {
  const char* name;
  std::vector<Failure> verdicts;  // one of these; kNone: it passes
};

std::vector<Mode> all_modes() {
  using enum Failure;
  const std::vector<Failure> wrong = {kWrongResult, kPrecision, kWrongClass, kInvariantBroken};
  std::vector<Failure> wrong_late = wrong;
  wrong_late.push_back(kStateDependent);
  return {
      {"none", {kNone}},
      {"one-element", wrong},
      {"one-unwritten", {kNotWritten, kWrongResult, kWrongClass}},
      {"scale", wrong},
      {"round", wrong},
      {"swap", wrong},
      {"shift", wrong},
      {"halves", wrong},
      {"late-one-element", wrong_late},
      {"late-swap", wrong_late},
      {"no-call", {kNotWritten, kWrongClass}},
      {"late-no-call", {kNotWritten, kWrongClass, kStateDependent}},
      {"input", {kInputChanged}},
      {"stray", {kOutOfBounds}},
      {"truncated", {kProtocol}},
      {"oversized", {kProtocol}},
      {"wrong-nonce", {kProtocol}},
      {"wrong-magic", {kProtocol}},
      {"late-wrong-nonce", {kProtocol}},
      {"ready-twice", {kProtocol}},
      {"done-twice", {kProtocol}},
      {"crash-at-start", {kCrash, kEarlyExit}},
      {"crash-before", {kCrash}},
      {"crash-after", {kCrash}},
      {"late-crash-after", {kCrash}},
      {"exit-before", {kEarlyExit}},
      {"exit-after", {kEarlyExit, kCrash}},
      {"hang", {kCallLimit}},
      {"late-hang", {kCallLimit}},
      {"close", {kCrash, kProtocol, kCallLimit}},
  };
}

// Whether `mode` went as it must; what is wrong with it otherwise.
std::string try_mode(const Specimen& honest, const Mode& mode, const std::string& worker,
                     const std::string& directory) {
  VerifyOptions options;
  options.worker = path_join(directory, fmt::format("faulty-{}", mode.name));
  options.sandbox = SandboxMode::kBestEffort;
  options.sanitizers = false;
  std::error_code error;
  if (!fs::copy_file(worker, options.worker, error)) return "no copy: " + error.message();
  const auto report = verify(honest.task, honest.directory, options);
  if (!report) return "the harness failed: " + report.error().to_string();
  const bool right = std::find(mode.verdicts.begin(), mode.verdicts.end(), report->failure) !=
                         mode.verdicts.end() &&
                     report->passed == (report->failure == Failure::kNone);
  if (right) return {};
  return fmt::format("{}: {}", report->passed ? "passed" : name_of(report->failure),
                     report->detail);
}

}  // namespace

FaultyReport run_faulty(const Specimen& honest, const std::string& worker, int jobs) {
  FaultyReport report;
  std::string directory = (fs::temp_directory_path() / "selftest-faulty-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    report.problems.emplace_back("faulty worker: no temporary directory");
    return report;
  }
  // The sandbox's user has to get there.
  fs::permissions(directory, fs::perms(0755));
  const std::vector<Mode> modes = all_modes();
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t at = next++; at < modes.size(); at = next++) {
      const auto start = std::chrono::steady_clock::now();
      const std::string problem = try_mode(honest, modes[at], worker, directory);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      const std::lock_guard<std::mutex> lock(mutex);
      std::printf("faulty-%s %.1f s\n", modes[at].name, taken.count());
      std::fflush(stdout);
      ++report.tried;
      report.right += problem.empty() ? 1 : 0;
      if (!problem.empty()) {
        report.problems.push_back(fmt::format("faulty worker: {}: {}", modes[at].name, problem));
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < std::max(jobs, 1); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  std::sort(report.problems.begin(), report.problems.end());
  return report;
}

}  // namespace tensorpath::selftest
