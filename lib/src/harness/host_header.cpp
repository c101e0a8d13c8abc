// task.h: the arguments of one task as a struct, every field eight bytes, in the order in which the
// worker passes them (call_words in host_session.cpp).
#include <fmt/format.h>

#include <tensorpath/harness/task.h>

namespace tensorpath {
namespace {

constexpr std::string_view kKernelHeader =
#include "kernel_header.inc"
    ;

std::string_view c_type(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return "float";
    case DType::kFp16:
      return "tp_fp16";
    case DType::kBf16:
      return "tp_bf16";
    case DType::kInt8:
      return "std::int8_t";
    case DType::kUint8:
      return "std::uint8_t";
    case DType::kInt32:
      return "std::int32_t";
    case DType::kInt64:
      return "std::int64_t";
    default:
      return "tp_code";
  }
}

std::string shape_text(const TensorSpec& tensor) {
  std::string text;
  for (const Expression& dim : tensor.shape) text += (text.empty() ? "" : ", ") + dim.text();
  return text;
}

std::string pointer(const KernelTask& task, const TensorSpec& tensor, bool is_const) {
  const DType dtype = task.op->dtype_of(tensor, task.domain.dtype);
  return fmt::format("  {}{}* {};  /* {} [{}]{} */\n", is_const ? "const " : "", c_type(dtype),
                     tensor.name, name_of(dtype), shape_text(tensor),
                     tensor.inout ? ", read and written" : "");
}

}  // namespace

std::string_view kernel_header() { return kKernelHeader; }

std::string host_header(const KernelTask& task) {
  const OperatorSpec& op = *task.op;
  std::string text = fmt::format(
      "/* {}: {}. Made by tensorpath; changes to it are lost. */\n#ifndef TASK_H\n#define "
      "TASK_H\n\n"
      "#include \"tensorpath_kernel.h\"\n\nstruct task_args {{\n",
      op.name, op.summary);
  for (const TensorSpec& tensor : op.inputs) text += pointer(task, tensor, true);
  for (const TensorSpec& tensor : op.outputs) text += pointer(task, tensor, false);
  text += "  void* workspace;  /* of the size that plan.yaml asks for, 64-byte aligned */\n";
  for (const DimRange& dim : task.domain.dims) {
    text += dim.fixed() ? fmt::format("  std::int64_t {};  /* always {} */\n", dim.name, dim.least)
                        : fmt::format("  std::int64_t {};  /* {} to {} */\n", dim.name, dim.least,
                                      dim.most);
  }
  for (const auto* tensors : {&op.inputs, &op.outputs}) {
    for (const TensorSpec& tensor : *tensors) {
      if (!tensor.strided) continue;
      text += fmt::format("  std::int64_t {}_stride;  /* elements from a row to the next */\n",
                          tensor.name);
    }
  }
  for (const auto& [name, value] : task.domain.attributes) {
    text += fmt::format("  double {};  /* {} */\n", name, value);
  }
  return text + "};\n\n#endif\n";
}

}  // namespace tensorpath
