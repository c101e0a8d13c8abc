// The baselines in PyTorch compute what their operators say: each is verified for the task of its
// operator in this directory, through the harness and its worker in Python, on the processor in the
// place of a GPU; then an arm is timed for once and judged. Where there is no PyTorch it is to be
// found absent, with a reason.
//   verify_torch [--compile | --gpu] [OP[/DTYPE]...]
// --compile: torch-compile and torch-graph too, which takes a minute an operator. --gpu: on the
// GPU, every arm, with what a call of it took.
#include "harness/cuda_session.h"
#include "harness/cuda_timed.h"
#include "harness/library_arms.h"
#include "harness/scratch.h"
#include "harness/torch_worker.h"
#include "harness/verification.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

using Attributes = std::vector<std::pair<std::string, double>>;

std::string from_environment(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

// Where no toolkit is needed.
CudaToolkit no_toolkit() {
  CudaToolkit toolkit;
  toolkit.root = "/usr/local";
  return toolkit;
}

// `name`: cuda, or cpu in its place.
class TorchDevice : public Device {
 public:
  TorchDevice(std::string name, CudaToolkit toolkit)
      : name_(std::move(name)), toolkit_(std::move(toolkit)) {}
  [[nodiscard]] Refusal scan_source(const Subject& /*subject*/) const override { return {}; }
  [[nodiscard]] Expected<Built> build(const Subject& subject, Build /*build*/) const override {
    return build_torch(subject, name_);
  }
  [[nodiscard]] Expected<Refusal> scan_object(const Subject& /*subject*/,
                                              const Built& /*built*/) const override {
    return Refusal{};
  }
  [[nodiscard]] std::vector<Build> instrumented(const Subject& /*subject*/) const override {
    return {};
  }
  [[nodiscard]] Expected<std::unique_ptr<tensorpath::Session>> start(const Subject& subject,
                                                                     const Built& built,
                                                                     Build build) const override {
    return start_cuda_session(toolkit_, subject, built, build);
  }
  [[nodiscard]] const CudaToolkit& toolkit() const { return toolkit_; }

 private:
  std::string name_;
  CudaToolkit toolkit_;
};

class TimedTorch : public BenchDevice {
 public:
  TimedTorch(const CudaToolkit& toolkit, Cores cores)
      : toolkit_(toolkit), cores_(std::move(cores)) {}
  [[nodiscard]] const Cores& cores() const override { return cores_; }
  [[nodiscard]] Expected<std::unique_ptr<TimedSession>> start(const Subject& subject,
                                                              const Built& built) const override {
    return start_cuda_timed(toolkit_, subject, built, cores_);
  }
  [[nodiscard]] SlotLimits slots(double /*bytes*/) const override { return {}; }
  [[nodiscard]] Json environment() const override { return {}; }
  void complete(Json& /*environment*/) const override {}
  [[nodiscard]] std::optional<Roof> roof(const std::string& /*directory*/,
                                         const KernelTask& /*task*/) const override {
    return std::nullopt;
  }
  [[nodiscard]] double cache_bytes() const override { return 0; }
  [[nodiscard]] Json method() const override { return {}; }

 private:
  const CudaToolkit& toolkit_;
  Cores cores_;
};

enum class Mode : std::uint8_t { kEager, kCompile, kGpu };

struct Job {
  std::string op;
  std::string dtype;  // empty: that of the task's file
  Attributes attributes;
  [[nodiscard]] std::string text() const {
    std::string out = op + (dtype.empty() ? "" : "/" + dtype);
    for (const auto& [name, value] : attributes) out += fmt::format(" {}={}", name, value);
    return out;
  }
};

// Every operator with a baseline in PyTorch, those with attributes in more than one way.
std::vector<Job> all_jobs(const std::string& source) {
  std::vector<Job> jobs;
  for (const std::string& op : list_directories(path_join(source, "kernels/baselines"))) {
    if (directory_exists(path_join(source, "kernels/baselines/" + op + "/torch"))) {
      // On a processor PyTorch's own layernorm of 16-bit numbers takes the mean off after scaling,
      // and a row of equal numbers does not come out as zeros.
      jobs.push_back({op, op == "layernorm" ? "fp32" : "", {}});
    }
  }
  for (const double activation : {1.0, 2.0}) {
    jobs.push_back({"matmul", "fp32", {{"bias", 2 - activation}, {"activation", activation}}});
  }
  jobs.push_back({"matmul", "fp32", {{"bias", 1}, {"activation", 3}}});
  jobs.push_back({"rope", "fp16", {{"interleaved", 1}}});
  jobs.push_back({"dequant_int4", "fp16", {{"symmetric", 1}}});
  jobs.push_back({"conv2d", "fp32", {{"bias", 1}}});
  return jobs;
}

class TorchBaselines {
 public:
  TorchBaselines(std::string source, std::string worker, Operators operators, Mode mode,
                 CudaToolkit toolkit)
      : source_(std::move(source)),
        worker_(std::move(worker)),
        operators_(std::move(operators)),
        mode_(mode),
        device_(mode == Mode::kGpu ? "cuda" : "cpu", std::move(toolkit)) {}

  // PyTorch in the sandbox; the reason where it is not there.
  [[nodiscard]] std::string missing() const {
    auto program = find_torch_worker(worker_);
    if (!program) return program.error().to_string();
    program->command.emplace_back("--probe");
    program->command.insert(program->command.end(),
                            {"--device", mode_ == Mode::kGpu ? "cuda" : "cpu"});
    SandboxSpec spec = gpu_sandbox(device_.toolkit(), worker_);
    start_instead(*program, spec);
    spec.limits.wall_s = 300;
    const auto outcome = run_sandboxed(spec, SandboxMode::kBestEffort);
    if (!outcome) return outcome.error().to_string();
    if (outcome->end == SandboxEnd::kExited && outcome->exit_code == 0) return {};
    return outcome->start_error + outcome->out + outcome->err;
  }

  // Verifies and times the job's arms, a line each; false: one is wrong.
  [[nodiscard]] bool hold(const Job& job) const {
    const auto task = task_of(job);
    if (!task) return told(job.text(), task.error().to_string());
    const auto scratch = Scratch::make({});
    if (!scratch) return told(job.text(), scratch.error().to_string());
    std::string last;
    bool right = true;
    for (const std::string& arm : arms_of(*task->op)) {
      const std::string text = job.text() + " " + arm;
      const std::string as = verified_as(arm);
      if (as != last) right = told(text + " verify", verified(*task, scratch->path(), as)) && right;
      last = as;
      right = timed(*task, scratch->path(), arm, text) && right;
    }
    return right;
  }

 private:
  static bool told(const std::string& text, const std::string& problem) {
    std::printf("%s: %s\n", text.c_str(), problem.empty() ? "holds" : problem.c_str());
    std::fflush(stdout);
    return problem.empty();
  }

  [[nodiscard]] Expected<KernelTask> task_of(const Job& job) const {
    const std::string file = path_join(source_, "tests/baselines/" + job.op + ".yaml");
    const auto text = read_file(file);
    if (!text) return tl::unexpected(text.error());
    auto task = read_task(*text, file, operators_);
    if (!task) return task;
    task->device = DeviceKind::kCuda;
    task->architecture = "sm_90";
    const auto dtype = job.dtype.empty() ? task->domain.dtype : dtype_of(job.dtype);
    if (!dtype) return fail(ExitCode::kUsage, "no such type: " + job.dtype);
    auto domain = make_domain(*task->op, *dtype, task->domain.dims, job.attributes);
    if (!domain) return tl::unexpected(domain.error());
    task->domain = std::move(*domain);
    return task;
  }

  // PyTorch's, and on a GPU the libraries that the operator names.
  [[nodiscard]] std::vector<std::string> arms_of(const OperatorSpec& op) const {
    if (mode_ == Mode::kEager) return {"torch-eager"};
    std::vector<std::string> arms = pytorch_arms();
    for (const auto& [device, names] : op.baselines) {
      if (mode_ != Mode::kGpu || device != "cuda") continue;
      std::copy_if(names.begin(), names.end(), std::back_inserter(arms), is_library_arm);
    }
    return arms;
  }

  [[nodiscard]] std::string directory(const KernelTask& task) const {
    return path_join(source_, "kernels/baselines/" + task.op->name + "/torch");
  }

  [[nodiscard]] VerifyOptions options(const std::string& arm, const std::string& scratch) const {
    VerifyOptions options;
    options.worker = worker_;
    options.sandbox = SandboxMode::kBestEffort;
    options.sanitizers = false;
    options.baseline = true;
    options.library = LibraryArm{arm, path_join(scratch, "compiled")};
    return options;
  }

  [[nodiscard]] std::string verified(const KernelTask& task, const std::string& scratch,
                                     const std::string& arm) const {
    const VerifyOptions with = options(arm, scratch);
    const Defences defences;
    const auto report = Verification(task, with, defences, device_, path_join(scratch, "verify"))
                            .run(directory(task));
    if (!report) return report.error().to_string();
    if (report->passed) return {};
    return fmt::format("{}: {} {}", name_of(report->failure), report->detail,
                       report->suspected_cause);
  }

  [[nodiscard]] bool timed(const KernelTask& task, const std::string& scratch,
                           const std::string& arm, const std::string& text) const {
    auto cores = choose_cores(1);
    if (!cores) {
      std::printf("%s: one core, so it was not timed\n", text.c_str());
      return true;
    }
    const VerifyOptions with = options(arm, scratch);
    const Defences defences;
    Refusal refusal;
    const auto candidate = read_baseline(directory(task), task, refusal, true);
    if (!candidate || refusal.failure != Failure::kNone) return told(text, refusal.detail);
    const Subject subject{task, *candidate, with, defences, path_join(scratch, arm)};
    const auto built = device_.build(subject, Build::kPlain);
    if (!built) return told(text, built.error().to_string());
    const Rehearsal rehearsal =
        rehearse(subject, *built, TimedTorch(device_.toolkit(), std::move(*cores)));
    return told(fmt::format("{} timed, {:.1f} us", text, rehearsal.seconds * 1e6),
                rehearsal.failed + rehearsal.wrong);
  }

  std::string source_;
  std::string worker_;
  Operators operators_;
  Mode mode_;
  TorchDevice device_;
};

// Without PyTorch: its arms are absent, and it is said why.
int absent(const std::string& worker, const std::string& reason) {
  VerifyOptions options;
  options.worker = worker;
  options.sandbox = SandboxMode::kBestEffort;
  const auto probed = probe_torch(no_toolkit(), options);
  const bool told = !probed && !probed.error().to_string().empty();
  std::printf("PyTorch is not here, so its baselines were not verified: %s\n%s\n", reason.c_str(),
              told ? probed.error().to_string().c_str() : "and the harness does not say why");
  return told ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string source = from_environment("TENSORPATH_SOURCE_DIR", TENSORPATH_SOURCE_DIR);
  const std::string build =
      from_environment("TENSORPATH_BUILD_DIR", TENSORPATH_SOURCE_DIR "/build/dev");
  const std::string worker = path_join(build, "bin/tensorpath-worker");
  auto operators = Operators::load({path_join(source, "kernels/ops")});
  if (!operators) {
    std::fprintf(stderr, "%s\n", operators.error().to_string().c_str());
    return 1;
  }
  std::vector<Job> jobs;
  Mode mode = Mode::kEager;
  for (const std::string& word : std::vector<std::string>(argv + 1, argv + argc)) {
    const std::size_t slash = word.find('/');
    if (word == "--compile") {
      mode = Mode::kCompile;
    } else if (word == "--gpu") {
      mode = Mode::kGpu;
    } else {
      jobs.push_back(
          {word.substr(0, slash), slash == std::string::npos ? "" : word.substr(slash + 1), {}});
    }
  }
  if (jobs.empty()) jobs = all_jobs(source);
  CudaToolkit toolkit = no_toolkit();
  if (mode == Mode::kGpu) {
    auto found = find_cuda_toolkit();
    if (!found) {
      std::fprintf(stderr, "%s\n", found.error().to_string().c_str());
      return 1;
    }
    toolkit = std::move(*found);
  }
  const TorchBaselines baselines(source, worker, std::move(*operators), mode, std::move(toolkit));
  if (const std::string reason = baselines.missing(); !reason.empty()) {
    return mode == Mode::kGpu ? absent(worker, reason) | 1 : absent(worker, reason);
  }
  int wrong = 0;
  for (const Job& job : jobs) wrong += baselines.hold(job) ? 0 : 1;
  std::printf("%d of %zu hold\n", static_cast<int>(jobs.size()) - wrong, jobs.size());
  return wrong == 0 ? 0 : 1;
}
