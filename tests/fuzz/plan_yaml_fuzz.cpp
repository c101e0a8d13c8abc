// read_plan and evaluate_plan: no document may crash or hang them, and what they give fits into a
// request.
#include "harness/plan_eval.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace tensorpath;

const char* const kOperator = R"(
name: rmsnorm
summary: a norm
family: norm
source: for tests
kind: arithmetic
nan: propagates
dtypes: [fp32, fp16]
dims: {rows: {range: [1, 1048576], typical: 16}, hidden: {range: [1, 65536], typical: 4096}}
attributes: {eps: {default: 1.0e-6}}
inputs:
  x: {dtype: T, shape: [rows, hidden], strided: true}
  weight: {dtype: T, shape: [hidden], fill: weight, static: true}
outputs: {y: {dtype: T, shape: [rows, hidden], strided: true}}
reduction: hidden
flops: 4 * rows * hidden
bytes: 2 * rows * hidden * sizeof(T)
smoke: [{rows: 2, hidden: 8}]
)";

const OperatorSpec& spec() {
  static const OperatorSpec read = [] {
    auto result = read_operator(kOperator, "fuzz.yaml", find_reference("rmsnorm"), "");
    if (!result) std::abort();
    return std::move(*result);
  }();
  return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  KernelTask task;
  task.op = &spec();
  task.device = DeviceKind::kCuda;
  task.domain.dtype = DType::kFp16;
  const auto plan = read_plan({reinterpret_cast<const char*>(bytes), size}, "plan.yaml", task);
  if (!plan) {
    if (plan.error().diagnostics.empty()) std::abort();
    return 0;
  }
  const Symbols symbols{{"rows", 6},      {"hidden", 64},   {"x_stride", 72},
                        {"y_stride", 64}, {"sizeof(T)", 2}, {"eps", 0}};
  const std::vector<std::pair<std::string, double>> attributes{{"eps", 1e-6}};
  PlanAtShape at{spec(), DType::kFp16, symbols, attributes, {"x", "weight", "y"}};
  for (const PlanWorkspace& workspace : plan->workspaces) at.buffers.push_back(workspace.name);
  (void)workspace_sizes(*plan, symbols, 1U << 30);
  const auto list = evaluate_plan(*plan, at);
  if (!list) {
    if (list.error().diagnostics.empty()) std::abort();
    return 0;
  }
  std::size_t words = 0;
  for (const worker::Launch& launch : list->launches) {
    if (launch.kernel[sizeof launch.kernel - 1] != 0 || launch.grid[0] == 0) std::abort();
    words += launch.words;
  }
  if (words != list->words.size() || list->prepare >= list->launches.size()) std::abort();
  for (const worker::Word& word : list->words) {
    if (word.kind == worker::Word::Kind::kTensorMap && word.value >= list->maps.size())
      std::abort();
    if (word.kind == worker::Word::Kind::kBuffer && word.value >= at.buffers.size()) std::abort();
  }
  return 0;
}
