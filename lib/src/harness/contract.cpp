// contract.md: what the author of a candidate is told.
#include <fmt/format.h>

#include <tensorpath/harness/task.h>

namespace tensorpath {
namespace {

std::string shape_of(const TensorSpec& tensor) {
  std::string text;
  for (const Expression& dim : tensor.shape) text += (text.empty() ? "" : ", ") + dim.text();
  return "[" + text + "]";
}

std::string tensor_line(const KernelTask& task, const TensorSpec& tensor, bool output) {
  const DType dtype = task.op->dtype_of(tensor, task.domain.dtype);
  std::string text = fmt::format("- `{}` {} {}", tensor.name, name_of(dtype), shape_of(tensor));
  if (tensor.strided) text += fmt::format(", rows `{}_stride` elements apart", tensor.name);
  text += tensor.element_aligned ? ", starts at any element" : ", starts at a multiple of 16 bytes";
  if (tensor.inout) text += ", read and written; what you do not write must stay";
  if (output) text += fmt::format(", compared by the rule `{}`", name_of(tensor.rule));
  if (tensor.is_static) text += ", static (the same for many calls)";
  return text + "\n";
}

std::string domain_lines(const KernelTask& task) {
  std::string text;
  for (const DimRange& dim : task.domain.dims) {
    text += dim.fixed() ? fmt::format("- `{}` is always {}\n", dim.name, dim.least)
                        : fmt::format("- `{}` from {} to {}\n", dim.name, dim.least, dim.most);
  }
  for (const auto& [name, value] : task.domain.attributes) {
    text += fmt::format("- `{}` = {}\n", name, value);
  }
  return text;
}

constexpr std::string_view kHostRules =
    "One file, `kernel.cpp`, that includes `task.h` and defines\n\n"
    "    extern \"C\" void tensorpath_kernel(const task_args* args, const tp_pool* pool);\n\n"
    "and, if it needs memory, `plan.yaml` with `workspace: <bytes, a formula over the dims>`.\n"
    "It may include task.h, tensorpath_kernel.h, cstdint, cstddef, cstring, cmath, algorithm, "
    "array,\n"
    "atomic, bit, limits, numeric, type_traits, utility and immintrin.h, and call libm, memcpy,\n"
    "memmove, memset and memcmp. No writable globals, no allocation, no system calls, no clocks, "
    "no\n"
    "threads of its own: `tp_parallel_for(pool, tasks, body)` runs on the harness's.\n";
constexpr std::string_view kCudaRules =
    "Device code in `kernel.cu` and a launch plan in `plan.yaml` (tensorpath-candidate(5)). What "
    "it\n"
    "may include is listed there; task.h has the element type T. No host\n"
    "code, no writable globals, no device malloc, printf or launches; memory is declared in the "
    "plan\n"
    "as workspaces.\n";

}  // namespace

std::string contract_text(const KernelTask& task) {
  const OperatorSpec& op = *task.op;
  std::string text = fmt::format(
      "# {} in {} on {}\n\n{}\n\nSource: {}.\nNaN and infinity: {}.\n\n## Where it must hold\n\n{}",
      op.name, name_of(task.domain.dtype), task.architecture, op.summary, op.source, op.nan_rule,
      domain_lines(task));
  text += "\n## Inputs\n\n";
  for (const TensorSpec& tensor : op.inputs) text += tensor_line(task, tensor, false);
  text += "\n## Outputs\n\n";
  for (const TensorSpec& tensor : op.outputs) text += tensor_line(task, tensor, true);
  text += fmt::format(
      "\n## How it is judged\n\nAgainst a float64 reference, every element, within the error that "
      "an "
      "implementation\nmay have that keeps its sums in {}, in any order, plus the rounding of the "
      "output. Shapes,\nlayouts and contents of the hidden cases are drawn anew for each attempt: "
      "sizes of 1, primes,\nodd ones, large ones; contents that are {}.\nPadding between rows is "
      "NaN "
      "and must stay as it is; inputs must stay as they are. Calls repeat\nwith other contents and "
      "other addresses.\n",
      name_of(op.accumulate), fmt::join(op.regimes, ", "));
  if (!op.roundings.empty()) {
    text += "Rounding these on the way is allowed:";
    for (const RoundingSpec& rounding : op.roundings) {
      text += fmt::format(
          " {} to {}", rounding.name,
          rounding.dtype == "T" ? std::string(name_of(task.domain.dtype)) : rounding.dtype);
    }
    text += ".\n";
  }
  text += "\n## What to hand in\n\n";
  text += task.device == DeviceKind::kHost ? kHostRules : kCudaRules;
  return text + "\nPut the files into `candidate/` and run `tensorpath forge verify`.\n";
}

}  // namespace tensorpath
