// Arms that are libraries': how they are found, what makes them absent, and that no candidate is
// taken for one.
#include "harness/torch_worker.h"

#include "cuda_fixture.h"
#include "harness/cuda_session.h"
#include "harness/library_arms.h"

#include <algorithm>

#include <tensorpath/forge/bench_run.h>

using namespace tensorpath;

namespace {

constexpr const char* kTorch = "TENSORPATH_PYTHON";

// The variable as a test wants it, and then as it was.
class Python {
 public:
  explicit Python(const std::string& path) {
    if (const char* value = std::getenv(kTorch); value != nullptr) before_ = value;
    ::setenv(kTorch, path.c_str(), 1);
  }
  ~Python() {
    if (before_) ::setenv(kTorch, before_->c_str(), 1);
    if (!before_) ::unsetenv(kTorch);
  }
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;

 private:
  std::optional<std::string> before_;
};

KernelTask task_of(const Operators& operators, const std::string& op, DeviceKind device) {
  KernelTask task;
  task.op = operators.find(op).value();
  task.device = device;
  task.architecture = device == DeviceKind::kCuda ? "sm_90" : "x86-64-v3";
  task.domain = make_domain(*task.op, DType::kFp16, {}, {}).value();
  return task;
}

Operators operators_here() {
  return Operators::load({std::string(TENSORPATH_SOURCE_DIR) + "/kernels/ops"}).value();
}

std::vector<BaselineSource> sources_of(const std::string& op, DeviceKind device) {
  const Operators operators = operators_here();
  return forge::find_baselines(task_of(operators, op, device),
                               {std::string(TENSORPATH_SOURCE_DIR) + "/kernels/baselines"});
}

const BaselineSource* find_source(const std::vector<BaselineSource>& sources,
                                  const std::string& name) {
  const auto found = std::find_if(sources.begin(), sources.end(),
                                  [&](const BaselineSource& one) { return one.name == name; });
  return found == sources.end() ? nullptr : &*found;
}

// A program in the place of Python, which the sandbox can start.
std::string script(const test::Scratch& scratch, const std::string& text) {
  const std::string path = scratch.file("bin/python3");
  REQUIRE(make_directories(scratch.file("bin")));
  REQUIRE(write_file_atomic(path, "#!/bin/sh\n" + text, true));
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(scratch.file("bin"), std::filesystem::perms(0755));
  std::filesystem::permissions(path, std::filesystem::perms(0755));
  return path;
}

Expected<std::string> probe_with(const std::string& python) {
  const Python chosen(python);
  const test::Abs abs("right");
  return probe_torch(abs.toolkit, abs.options);
}

}  // namespace

TEST_CASE("an operator on a GPU has the arms of PyTorch beside the baselines it names") {
  for (const char* op : {"rmsnorm", "fused_add_rmsnorm", "softmax", "swiglu", "rope", "silu",
                         "layernorm", "elementwise_add", "dequant_int4", "matmul", "conv2d"}) {
    INFO(op);
    const auto sources = sources_of(op, DeviceKind::kCuda);
    for (const std::string& arm : pytorch_arms()) {
      const BaselineSource* source = find_source(sources, arm);
      REQUIRE(source != nullptr);
      CHECK(file_exists(path_join(source->directory, "baseline.py")));
    }
    CHECK(find_source(sources, "naive") != nullptr);
    CHECK(find_source(sources_of(op, DeviceKind::kHost), "torch-eager") == nullptr);
  }
  CHECK_FALSE(find_source(sources_of("matmul", DeviceKind::kCuda), "cublaslt")->directory.empty());
  CHECK_FALSE(find_source(sources_of("conv2d", DeviceKind::kCuda), "cudnn")->directory.empty());
  CHECK(find_source(sources_of("matmul", DeviceKind::kHost), "onednn")
            ->directory.ends_with("/onednn"));
  CHECK(find_source(sources_of("abs", DeviceKind::kCuda), "torch-eager") == nullptr);
}

TEST_CASE("arms that call the same function are verified as one, a vendor's library by itself") {
  for (const std::string& arm : pytorch_arms()) CHECK(verified_as(arm) == "torch-eager");
  CHECK(verified_as("cublaslt") == "cublaslt");
  CHECK(is_library_arm("torch-graph"));
  CHECK(is_library_arm("cudnn"));
  CHECK_FALSE(is_library_arm("tuned"));
  CHECK_FALSE(is_library_arm("torch"));
}

TEST_CASE("the plan of each baseline in PyTorch is read, for every type") {
  const Operators operators = operators_here();
  const std::string root = std::string(TENSORPATH_SOURCE_DIR) + "/kernels/baselines";
  int read = 0;
  for (const std::string& op : list_directories(root)) {
    const std::string directory = root + "/" + op + "/torch";
    if (!directory_exists(directory)) continue;
    Refusal refusal;
    const auto candidate =
        read_baseline(directory, task_of(operators, op, DeviceKind::kCuda), refusal, true);
    INFO(op << ": " << refusal.detail);
    REQUIRE(candidate);
    CHECK(refusal.failure == Failure::kNone);
    CHECK(candidate->plan.launches.size() == 1);
    ++read;
  }
  CHECK(read >= 11);
}

TEST_CASE("a candidate cannot bring a program in Python") {
  const Operators operators = operators_here();
  const KernelTask task = task_of(operators, "rmsnorm", DeviceKind::kCuda);
  Refusal refusal;
  const std::string directory =
      std::string(TENSORPATH_SOURCE_DIR) + "/kernels/baselines/rmsnorm/torch";
  REQUIRE(read_candidate(directory, task, refusal));
  CHECK(refusal.failure == Failure::kBadCandidate);
  CHECK(refusal.detail.find("baseline.py") != std::string::npos);
}

TEST_CASE("PyTorch that is not there is a reason") {
  SECTION("no such program") {
    const auto told = probe_with("/nonexistent/python3");
    REQUIRE_FALSE(told);
    CHECK(told.error().to_string().find("TENSORPATH_PYTHON names no program") != std::string::npos);
  }
  SECTION("a Python without it") {
    const test::Scratch scratch;
    const auto told = probe_with(
        script(scratch, "echo \"ModuleNotFoundError: No module named 'torch'\"\nexit 1\n"));
    REQUIRE_FALSE(told);
    CHECK(told.error().to_string().find("No module named 'torch'") != std::string::npos);
  }
  SECTION("a worker without torch-worker beside it") {
    const auto found = find_torch_worker("/usr/bin/env");
    REQUIRE_FALSE(found);
    CHECK(found.error().to_string().find("torch-worker is not installed") != std::string::npos);
  }
}

TEST_CASE("what a PyTorch that works says is kept, and a virtual environment is in the view") {
  const test::Scratch scratch;
  const std::string python = script(scratch, "echo 'torch: 9.9'\necho 'works: yes'\n");
  REQUIRE(make_directories(scratch.file("lib")));
  REQUIRE(write_file_atomic(scratch.file("pyvenv.cfg"), "home = /opt/other/bin\n"));
  const auto told = probe_with(python);
  INFO((told ? "" : told.error().to_string()));
  REQUIRE(told);
  CHECK(told->find("torch: 9.9") != std::string::npos);
  const Python chosen(python);
  const auto program = find_torch_worker(test::build_file("bin/tensorpath-worker"));
  REQUIRE(program);
  const auto& view = program->view;
  for (const char* part : {"bin", "lib", "pyvenv.cfg"}) {
    CHECK(std::any_of(view.begin(), view.end(), [&](const ViewEntry& entry) {
      return entry.source == scratch.file(part) && !entry.writable;
    }));
  }
}

TEST_CASE("a variable that a program sets takes the place of the sandbox's") {
  SandboxSpec spec;
  spec.environment = {"PATH=/bin", "HOME=/tmp"};
  WorkerProgram program;
  program.command = {"/bin/true"};
  program.environment = {"PATH=/opt/bin"};
  start_instead(program, spec);
  CHECK(spec.argv == program.command);
  CHECK(std::count(spec.environment.begin(), spec.environment.end(), "PATH=/opt/bin") == 1);
  CHECK(std::count(spec.environment.begin(), spec.environment.end(), "PATH=/bin") == 0);
  CHECK(std::count(spec.environment.begin(), spec.environment.end(), "HOME=/tmp") == 1);
}

TEST_CASE("a worker in Python that ends shows the end of its traceback") {
  test::Abs abs("right");
  const test::Scratch scratch;
  const Python chosen(
      script(scratch,
             "echo 'Traceback (most recent call last):' >&2\n"
             "i=0; while [ $i -lt 400 ]; do echo '  a frame' >&2; i=$((i+1)); done\n"
             "echo 'ValueError: seen by nobody?' >&2\nexit 1\n"));
  const auto program = find_torch_worker(abs.options.worker);
  REQUIRE(program);
  abs.built.program = *program;
  const auto session = start_cuda_session(abs.toolkit, abs.subject(), abs.built, Build::kPlain);
  REQUIRE(session);
  const auto result = (*session)->call({});
  REQUIRE(result);
  CHECK(result->refusal.failure == Failure::kEarlyExit);
  CHECK(result->refusal.detail.find("ValueError: seen by nobody?") != std::string::npos);
}
