#include "cuda_session.h"

#include "plan_eval.h"
#include "torch_worker.h"
#include "worker_link.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

constexpr int kThreads = 128;  // the driver starts some for each GPU of the machine
constexpr int kOpenFiles = 4096;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void add_device_nodes(std::vector<ViewEntry>& view) {
  for (const char* directory : {"/dev", "/dev/nvidia-caps"}) {
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      const std::string name = it->path().filename().string();
      const bool ours = name.rfind("nvidia", 0) == 0 || name == "dxg";
      std::error_code ignored;
      if (ours && it->is_character_file(ignored))
        view.push_back({it->path().string(), {}, false, true});
    }
  }
}

std::vector<std::string> worker_command(const CudaToolkit& toolkit, const std::string& worker,
                                        Build build) {
  std::vector<std::string> argv;
  if (build != Build::kPlain) {
    const char* tool = build == Build::kAddress ? "memcheck" : "racecheck";
    argv = {toolkit.sanitizer, "--tool", tool, "--error-exitcode", "99", "--print-limit", "10"};
  }
  argv.insert(argv.end(), {worker, "--device", "cuda"});
  if (build != Build::kPlain) argv.emplace_back("--copies");
  return argv;
}

class CudaSession : public Session {
 public:
  CudaSession(const Subject& subject, Build build, SandboxSpec spec)
      : subject_(subject), defences_(subject.defences), build_(build), spec_(std::move(spec)) {}

  Status start() {
    auto link = open(dead_);
    if (!link) return tl::unexpected(link.error());
    link_.emplace(std::move(*link));
    return {};
  }

  [[nodiscard]] Expected<CallResult> call(const CallSpec& spec) override {
    if (dead_.failure != Failure::kNone) return CallResult{dead_, {}};
    PlanAtShape at{
        *subject_.task.op, subject_.task.domain.dtype, spec.symbols, spec.attributes, {}};
    for (const CallBuffer& buffer : spec.buffers) at.buffers.push_back(buffer.name);
    const auto launches = evaluate_plan(subject_.candidate.plan, at);
    if (!launches) return CallResult{{Failure::kPlanInvalid, launches.error().to_string()}, {}};
    auto result = send(*link_, spec, defences_, *launches);
    if (!result || result->refusal.failure != Failure::kDeviceFault) return result;
    const std::string text = result->refusal.detail;
    if (is_the_machines(text)) {
      return fail(ExitCode::kEnvironment, "the GPU has no room for the call: " + text);
    }
    if (build_ != Build::kPlain) {
      const Refusal report = link_->finish();
      const bool found = report.failure == Failure::kSanitizer;
      result->refusal = {Failure::kSanitizer, found ? report.detail : text};
    } else if (contains(text, "CUDA_ERROR_ILLEGAL_ADDRESS") && defences_.guards) {
      result->refusal = explain_address(spec, *launches, text);
    }
    dead_ = result->refusal;
    return result;
  }

  [[nodiscard]] Refusal finish() override {
    if (dead_.failure != Failure::kNone) return dead_;
    return link_->finish();
  }
  [[nodiscard]] SandboxLevel level() const override { return link_->process().level(); }
  [[nodiscard]] std::string level_reason() const override {
    return link_->process().level_reason();
  }

 private:
  [[nodiscard]] Expected<WorkerLink> open(Refusal& refusal) const {
    const bool exact = build_ != Build::kPlain;
    auto link = WorkerLink::start(spec_, subject_.options.sandbox,
                                  exact ? worker::kPage : worker::kDevicePage);
    if (!link) return link;
    const auto ready = link->wait_ready(kGpuReadySeconds);
    if (!ready) return tl::unexpected(ready.error());
    const bool machine = ready->failure == Failure::kDeviceFault ||
                         is_the_machines(ready->detail) ||
                         contains(ready->detail, "NO_BINARY_FOR_GPU");
    if (ready->failure != Failure::kNone && machine) {
      return fail(ExitCode::kEnvironment, fmt::format("the GPU cannot be used for {}: {}",
                                                      subject_.task.architecture, ready->detail));
    }
    refusal = *ready;
    return link;
  }

  [[nodiscard]] static Expected<CallResult> send(WorkerLink& link, const CallSpec& spec,
                                                 const Defences& defences,
                                                 const LaunchList& launches) {
    worker::RequestHeader header{};
    header.prepare = launches.prepare;
    return link.call(spec, defences, header, launches.words, launches.launches, launches.maps);
  }

  // The driver does not say where. The same call in a new process, with memory mapped on both sides
  // of each buffer, tells a step past a buffer from an address out of nowhere.
  [[nodiscard]] Refusal explain_address(const CallSpec& spec, const LaunchList& launches,
                                        const std::string& text) const {
    Refusal nowhere{Failure::kDeviceFault, text};
    Refusal refusal;
    auto link = open(refusal);
    if (!link || refusal.failure != Failure::kNone) return nowhere;
    Defences wide = defences_;
    wide.guards = false;
    const auto again = send(*link, spec, wide, launches);
    (void)link->finish();
    if (!again || again->refusal.failure == Failure::kDeviceFault) return nowhere;
    return {Failure::kOutOfBounds, fmt::format("a kernel reads or writes past the {} of a buffer",
                                               spec.flush_end ? "end" : "beginning")};
  }

  Subject subject_;
  Defences defences_;
  Build build_;
  SandboxSpec spec_;
  Refusal dead_;  // why there are no more calls
  std::optional<WorkerLink> link_;
};

}  // namespace

std::vector<std::string> driver_directories() {
  std::vector<std::string> places = {"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib",
                                     "/usr/lib/wsl/lib"};
  const char* path = std::getenv("LD_LIBRARY_PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    places.push_back(rest.substr(0, colon));
    rest.erase(0, colon + 1);
  }
  std::vector<std::string> found;
  for (const std::string& place : places) {
    const bool absolute = !place.empty() && place.front() == '/';
    if (absolute && file_exists(path_join(place, "libcuda.so.1")) &&
        std::find(found.begin(), found.end(), place) == found.end()) {
      found.push_back(place);
    }
  }
  return found;
}

bool is_the_machines(const std::string& text) {
  constexpr std::array<std::string_view, 10> kMachine = {
      "libcuda.so.1", "cuInit",      "cuDevice",        "cuCtxSetCurrent", "cuStreamCreate",
      "cuMemCreate",  "cuMemAlloc:", "cuMemAddressRes", "in other steps",  "harness's own kernels"};
  return std::any_of(kMachine.begin(), kMachine.end(),
                     [&](std::string_view part) { return contains(text, part); });
}

SandboxSpec gpu_sandbox(const CudaToolkit& toolkit, const std::string& worker) {
  SandboxSpec spec;
  spec.environment = {
      "LC_ALL=C",  "CUDA_CACHE_DISABLE=1", "CUDA_MODULE_LOADING=EAGER", "PATH=/usr/bin:/bin",
      "HOME=/tmp", "TMPDIR=/tmp"};
  for (const char* name : {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"}) {
    if (const char* value = std::getenv(name); value != nullptr) {
      spec.environment.push_back(fmt::format("{}={}", name, value));
    }
  }
  spec.view = toolkit_view(toolkit);
  spec.view.push_back({worker, {}, false, false});
  std::string libraries;
  for (const std::string& directory : driver_directories()) {
    libraries += (libraries.empty() ? "" : ":") + directory;
    if (directory.rfind("/usr/", 0) != 0) spec.view.push_back({directory, {}, false, false});
  }
  if (!libraries.empty()) spec.environment.push_back("LD_LIBRARY_PATH=" + libraries);
  add_device_nodes(spec.view);
  // Where a GPU sits, and which processors are near it.
  if (directory_exists("/sys")) spec.view.push_back({"/sys", {}, false, false});
  spec.need_proc = true;
  spec.own_proc = true;
  spec.tmp = true;
  spec.memfd = true;
  spec.limits.wall_s = 3600;
  spec.limits.processes = kThreads;
  spec.limits.open_files = kOpenFiles;
  spec.limits.output_bytes = 256U << 10;
  return spec;
}

Expected<std::string> probe_gpu(const CudaToolkit& toolkit, const VerifyOptions& options,
                                bool sanitizer) {
  if (sanitizer && toolkit.sanitizer.empty()) {
    return fail(ExitCode::kEnvironment, "compute-sanitizer is not on this machine");
  }
  SandboxSpec spec = gpu_sandbox(toolkit, options.worker);
  spec.argv = worker_command(toolkit, options.worker, sanitizer ? Build::kAddress : Build::kPlain);
  spec.limits.wall_s = kGpuReadySeconds;
  const auto outcome = run_sandboxed(spec, options.sandbox);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->end == SandboxEnd::kExited && outcome->exit_code == 0 &&
      contains(outcome->out, "gpu: ")) {
    return outcome->out;
  }
  const std::string why =
      outcome->start_error.empty() ? outcome->out + outcome->err : outcome->start_error;
  return fail(ExitCode::kEnvironment, fmt::format("the GPU does not work in the sandbox{}: {}",
                                                  sanitizer ? " with compute-sanitizer" : "", why));
}

Expected<std::unique_ptr<Session>> start_cuda_session(const CudaToolkit& toolkit,
                                                      const Subject& subject, const Built& built,
                                                      Build build) {
  SandboxSpec spec = gpu_sandbox(toolkit, subject.options.worker);
  if (built.program) {
    start_instead(*built.program, spec);
  } else {
    spec.argv = worker_command(toolkit, subject.options.worker, build);
    spec.argv.insert(spec.argv.end(), {"--code", built.path});
    spec.view.push_back({built.path, {}, false, false});
  }
  auto session = std::make_unique<CudaSession>(subject, build, std::move(spec));
  if (const Status started = session->start(); !started) return tl::unexpected(started.error());
  return session;
}

}  // namespace tensorpath
