// The baselines of the host that operators name are there and right, and so are the examples: each
// is verified for the task of its operator in this directory, without sanitizers. Those of a
// vendor's library are verified for their own tasks in vendors/<library>/; the libraries must be
// installed.
//   verify_baselines [OP...]
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <tensorpath/base/file.h>
#include <tensorpath/harness.h>
#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

constexpr int kJobs = 2;

struct Job {
  std::string candidate;
  std::string task;  // a file
  bool vendor = false;
};

std::string from_environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// An example's files beside those for other devices, in a directory of their own.
std::string for_host(const std::string& example, const std::string& to) {
  namespace fs = std::filesystem;
  fs::remove_all(to);
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(example)) {
    if (entry.is_regular_file()) fs::copy_file(entry, to / entry.path().filename());
  }
  return to;
}

// Those that operators name, there or not, then the examples that are there.
std::vector<Job> find_jobs(const Operators& operators, const std::string& source,
                           const std::string& scratch) {
  std::vector<Job> jobs;
  const auto add = [&](const std::string& op, const std::string& candidate) {
    jobs.push_back({candidate, path_join(source, "tests/baselines/" + op + ".yaml"), false});
  };
  for (const OperatorSpec& op : operators.all()) {
    for (const auto& [device, names] : op.baselines) {
      for (const std::string& name : names) {
        const bool ours = device == "host" && (name == "naive" || name == "tuned");
        if (!ours) continue;
        add(op.name, path_join(source, "kernels/baselines/" + op.name + "/" + name));
      }
    }
  }
  for (const std::string& op : list_directories(path_join(source, "kernels/examples"))) {
    add(op, for_host(path_join(source, "kernels/examples/" + op), path_join(scratch, op)));
  }
  const std::string vendors = path_join(source, "tests/baselines/vendors");
  for (const std::string& library : list_directories(vendors)) {
    for (const auto& entry : std::filesystem::directory_iterator(path_join(vendors, library))) {
      // "matmul" of matmul.yaml, matmul_bias.yaml
      const std::string name = entry.path().stem().string();
      const std::string op = name.substr(0, name.find('_'));
      jobs.push_back({path_join(source, "kernels/baselines/" + op + "/" + library),
                      entry.path().string(), true});
    }
  }
  return jobs;
}

// Empty, or what is wrong.
std::string problem_of(const Job& job, const Operators& operators, const std::string& worker) {
  const auto text = read_file(job.task);
  if (!text) return text.error().to_string();
  const auto task = read_task(*text, job.task, operators);
  if (!task) return task.error().to_string();
  VerifyOptions options;
  options.worker = worker;
  options.sandbox = SandboxMode::kBestEffort;
  options.sanitizers = false;
  options.baseline = job.vendor;
  const auto report = verify(*task, job.candidate, options);
  if (!report) return report.error().to_string();
  if (report->passed) return "";
  return std::string(name_of(report->failure)) + ": " + report->detail;
}

bool is_wanted(const Job& job, const std::vector<std::string>& words) {
  bool wanted = words.empty();
  for (const std::string& word : words) {
    wanted = wanted || job.task.find("/" + word + ".yaml") != std::string::npos;
  }
  return wanted;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string source = from_environment("TENSORPATH_SOURCE_DIR", TENSORPATH_SOURCE_DIR);
  const std::string build =
      from_environment("TENSORPATH_BUILD_DIR", TENSORPATH_SOURCE_DIR "/build/dev");
  const auto operators = Operators::load({path_join(source, "kernels/ops")});
  if (!operators) {
    std::fprintf(stderr, "%s\n", operators.error().to_string().c_str());
    return 1;
  }
  std::vector<Job> jobs = find_jobs(*operators, source, path_join(build, "tests/examples"));
  const std::vector<std::string> words(argv + 1, argv + argc);
  std::erase_if(jobs, [&](const Job& job) { return !is_wanted(job, words); });
  std::atomic<std::size_t> next{0};
  std::atomic<int> wrong{0};
  std::mutex printing;
  const auto work = [&] {
    for (std::size_t at = next++; at < jobs.size(); at = next++) {
      const std::string problem =
          problem_of(jobs[at], *operators, path_join(build, "bin/tensorpath-worker"));
      if (problem.empty()) continue;
      ++wrong;
      const std::lock_guard<std::mutex> lock(printing);
      std::printf("PROBLEM: %s: %s: %s\n", jobs[at].candidate.c_str(), jobs[at].task.c_str(),
                  problem.c_str());
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kJobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  std::printf("%d of %zu verified\n", static_cast<int>(jobs.size()) - wrong, jobs.size());
  return wrong == 0 && !jobs.empty() ? 0 : 1;
}
