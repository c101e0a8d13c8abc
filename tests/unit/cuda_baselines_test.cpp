// The baselines of a GPU that operators name here, and the examples: their plans launch one kernel
// at every shape and layout of the operator, and their sources compile. That they are right a GPU
// shows.
#include "cuda_fixture.h"
#include "harness/device.h"
#include "harness/plan_eval.h"

#include <set>

using namespace tensorpath;

namespace {

struct Kernels {
  std::string op, directory;
};

const std::set<std::string> kWithBaselines = {
    "rmsnorm", "fused_add_rmsnorm", "softmax",         "swiglu", "rope",
    "silu",    "layernorm",         "elementwise_add", "matmul", "dequant_int4"};
const std::set<std::string> kWithExample = {"rmsnorm", "softmax", "rope"};

std::vector<Kernels> all_kernels() {
  const std::string root = TENSORPATH_SOURCE_DIR;
  std::vector<Kernels> all;
  for (const std::string& op : kWithBaselines) {
    for (const char* name : {"naive", "tuned"}) {
      all.push_back({op, root + "/kernels/baselines/" + op + "/cuda-" + name});
    }
  }
  for (const std::string& op : kWithExample) {
    all.push_back({op, root + "/kernels/examples/" + op + "/cuda"});
  }
  return all;
}

struct Read {
  Read(const Operators& operators, const Kernels& kernels, DType dtype) {
    task.op = operators.find(kernels.op).value();
    task.device = DeviceKind::kCuda;
    task.architecture = "sm_90";
    std::vector<DimRange> dims;
    for (const DimSpec& dim : task.op->dims) dims.push_back({dim.name, dim.least, dim.most});
    std::vector<std::pair<std::string, double>> attributes;
    auto domain = make_domain(*task.op, dtype, dims, attributes);
    INFO((domain ? "" : domain.error().to_string()));
    REQUIRE(domain);
    task.domain = std::move(*domain);
    Refusal refusal;
    auto found = read_candidate(kernels.directory, task, refusal);
    INFO(kernels.directory << ": " << refusal.detail);
    REQUIRE(found);
    REQUIRE(refusal.failure == Failure::kNone);
    candidate = std::move(*found);
    options.sandbox = SandboxMode::kBestEffort;
  }
  KernelTask task;
  KernelCandidate candidate;
  VerifyOptions options;
  Defences defences;
};

Operators operators_here() {
  return Operators::load({std::string(TENSORPATH_SOURCE_DIR) + "/kernels/ops"}).value();
}

std::vector<std::string> buffers_of(const Read& read) {
  std::vector<std::string> names;
  for (const TensorSpec& tensor : read.task.op->inputs) names.push_back(tensor.name);
  for (const TensorSpec& tensor : read.task.op->outputs) names.push_back(tensor.name);
  return names;
}

}  // namespace

TEST_CASE("every baseline and example is named by its operator") {
  const Operators operators = operators_here();
  for (const std::string& op : kWithBaselines) {
    for (const char* name : {"naive", "tuned"}) {
      INFO(op << " " << name);
      const auto& baselines = (*operators.find(op))->baselines;
      CHECK(std::any_of(baselines.begin(), baselines.end(), [&](const auto& of) {
        return of.first == "cuda" &&
               std::find(of.second.begin(), of.second.end(), name) != of.second.end();
      }));
    }
  }
}

TEST_CASE("a plan launches one kernel at each shape and layout of its operator") {
  const Operators operators = operators_here();
  Key seed{};
  for (const Kernels& kernels : all_kernels()) {
    for (const DType dtype : {DType::kFp32, DType::kFp16, DType::kBf16}) {
      const Read read(operators, kernels, dtype);
      ++seed[0];
      const auto cases = draw_cases(*read.task.op, read.task.domain, seed, 60);
      REQUIRE(cases);
      for (const Case& one : *cases) {
        const Symbols symbols = symbols_of(*read.task.op, read.task.domain, one);
        const PlanAtShape at{*read.task.op, dtype, symbols, read.task.domain.attributes,
                             buffers_of(read)};
        const auto launches = evaluate_plan(read.candidate.plan, at);
        std::string shape;
        for (const auto& [name, value] : symbols) shape += fmt::format("{}={} ", name, value);
        INFO(kernels.directory << " " << shape << (launches ? "" : launches.error().to_string()));
        REQUIRE(launches);
        CHECK(launches->launches.size() == 1);
      }
    }
  }
}

TEST_CASE("every baseline and example of a GPU compiles and passes the scans") {
  const auto device = make_device(DeviceKind::kCuda);
  if (!device) {
    WARN("not tested: " << device.error().to_string());
    return;
  }
  const Operators operators = operators_here();
  constexpr DType kTypes[] = {DType::kFp16, DType::kFp32, DType::kBf16};
  std::size_t turn = 0;
  for (const Kernels& kernels : all_kernels()) {
    // Types take turns, as a compilation takes seconds; products differ more between them.
    std::vector<DType> types = {kTypes[turn++ % 3]};
    if (kernels.op == "matmul") types = {DType::kFp32, DType::kBf16};
    for (const DType dtype : types) {
      const test::Scratch scratch;
      const Read read(operators, kernels, dtype);
      const Subject subject{read.task, read.candidate, read.options, read.defences, scratch.path()};
      INFO(kernels.directory << " " << name_of(dtype));
      CHECK((*device)->scan_source(subject).detail == "");
      const auto built = (*device)->build(subject, Build::kPlain);
      REQUIRE(built);
      INFO(built->refusal.detail);
      REQUIRE(built->refusal.failure == Failure::kNone);
      const auto scanned = (*device)->scan_object(subject, *built);
      REQUIRE(scanned);
      CHECK(scanned->detail == "");
    }
  }
}
