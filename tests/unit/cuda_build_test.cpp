// With a CUDA toolkit these compile; without one they say so and pass.
#include "harness/cuda_build.h"

#include "harness/cuda_object.h"
#include "scratch.h"

using namespace tensorpath;
using test::Scratch;

namespace {

const char* const kScale = R"(
#include <cuda_fp16.h>
extern "C" __global__ void scale(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2.0f * x[i];
}
)";

// The parts of a verification that compiling needs.
struct Compilation {
  explicit Compilation(const std::string& source) {
    operators = Operators::load({std::string(TENSORPATH_SOURCE_DIR) + "/kernels/ops"}).value();
    task.op = operators.find("abs").value();
    task.device = DeviceKind::kCuda;
    task.architecture = "sm_90";
    candidate.files = {{"kernel.cu", source}};
    options.sandbox = SandboxMode::kBestEffort;
  }
  [[nodiscard]] Subject subject() const {
    return {task, candidate, options, defences, scratch.path()};
  }

  Scratch scratch;
  Operators operators;
  KernelTask task;
  KernelCandidate candidate;
  VerifyOptions options;
  Defences defences;
};

std::optional<CudaToolkit> toolkit() {
  auto found = find_cuda_toolkit();
  if (found) return *found;
  WARN("not tested: " << found.error().to_string());
  return std::nullopt;
}

Refusal scan_of(const std::string& source) {
  const Compilation one(source);
  return scan_cuda_source(one.subject());
}

}  // namespace

TEST_CASE("a kernel is compiled in the sandbox, with its resources") {
  const auto cuda = toolkit();
  if (!cuda) return;
  const Compilation one(kScale);
  const auto built = build_cubin(*cuda, one.subject(), Build::kPlain);
  REQUIRE(built);
  INFO(built->refusal.detail);
  REQUIRE(built->refusal.failure == Failure::kNone);
  CHECK(built->toolchain.find("-arch=sm_90a") != std::string::npos);
  REQUIRE(built->resources.size() == 1);
  CHECK(built->resources[0].kernel == "scale");
  const auto bytes = read_file(built->path);
  REQUIRE(bytes);
  const auto object = read_elf(*bytes, "kernel.cubin");
  REQUIRE(object);
  CHECK(object->defines_function("scale"));
}

TEST_CASE("task.h tells a kernel its element type") {
  const auto cuda = toolkit();
  if (!cuda) return;
  for (const auto& [dtype, bytes] :
       {std::pair{DType::kFp32, 4}, {DType::kFp16, 2}, {DType::kBf16, 2}}) {
    Compilation one(fmt::format(
        "#include \"task.h\"\n"
        "static_assert(sizeof(T) == {});\n"
        "extern \"C\" __global__ void twice(const T* x, T* y) {{\n"
        "  y[threadIdx.x] = tp_from_float<T>(2.0f * tp_to_float(x[threadIdx.x]));\n}}\n",
        bytes));
    one.task.domain.dtype = dtype;
    CHECK(scan_cuda_source(one.subject()).failure == Failure::kNone);
    const auto built = build_cubin(*cuda, one.subject(), Build::kPlain);
    REQUIRE(built);
    INFO(built->refusal.detail);
    CHECK(built->refusal.failure == Failure::kNone);
  }
}

TEST_CASE("a mistake in a kernel is a compile error in the compiler's words") {
  const auto cuda = toolkit();
  if (!cuda) return;
  const Compilation one("extern \"C\" __global__ void k(float* x) { x[0] = nonsense; }\n");
  const auto built = build_cubin(*cuda, one.subject(), Build::kPlain);
  REQUIRE(built);
  CHECK(built->refusal.failure == Failure::kCompileError);
  CHECK(built->refusal.detail.find("nonsense") != std::string::npos);
  CHECK(built->refusal.detail.find(one.scratch.path()) == std::string::npos);
}

TEST_CASE("the compiler does not see the machine's files") {
  const auto cuda = toolkit();
  if (!cuda || !probe_sandbox().user_namespaces) return;
  const Compilation one("#include \"/etc/passwd\"\n");
  const auto built = build_cubin(*cuda, one.subject(), Build::kPlain);
  REQUIRE(built);
  CHECK(built->refusal.failure == Failure::kCompileError);
  CHECK(built->refusal.detail.find("root:") == std::string::npos);
}

TEST_CASE("includes of a kernel are those of device code") {
  CHECK(scan_of(kScale).failure == Failure::kNone);
  CHECK(scan_of("#include <cooperative_groups/reduce.h>\n#include <cuda/std/limits>\n").failure ==
        Failure::kNone);
  CHECK(scan_of("#include <cstdio>\n").failure == Failure::kForbiddenInclude);
  CHECK(scan_of("#include \"/etc/passwd\"\n").failure == Failure::kForbiddenInclude);
  CHECK(scan_of("#include <cuda/std/../../etc/passwd>\n").failure == Failure::kForbiddenInclude);
}

TEST_CASE("an architecture comes with its own instructions where it has any") {
  CHECK(full_architecture("sm_90") == "sm_90a");
  CHECK(full_architecture("sm_90a") == "sm_90a");
  CHECK(full_architecture("sm_86") == "sm_86");
}
