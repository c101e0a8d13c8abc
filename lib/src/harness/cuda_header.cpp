// task.h of a cuda candidate: the task's element type, and how it becomes a float and back. What a
// kernel takes as arguments its plan says.
#include <fmt/format.h>

#include <tensorpath/harness/task.h>

namespace tensorpath {
namespace {

// Codes of narrow types are bytes, as for the host.
std::string_view device_type(DType dtype) {
  switch (dtype) {
    case DType::kFp32:
      return "float";
    case DType::kFp16:
      return "__half";
    case DType::kBf16:
      return "__nv_bfloat16";
    case DType::kInt8:
      return "signed char";
    case DType::kInt32:
      return "int";
    case DType::kInt64:
      return "long long";
    default:
      return "unsigned char";
  }
}

constexpr std::string_view kConversions = R"(
__device__ __forceinline__ float tp_to_float(float x) { return x; }
__device__ __forceinline__ float tp_to_float(__half x) { return __half2float(x); }
__device__ __forceinline__ float tp_to_float(__nv_bfloat16 x) { return __bfloat162float(x); }
/* tp_from_float<T>(x): rounded to nearest even. */
template <typename To>
__device__ __forceinline__ To tp_from_float(float x) {
  return static_cast<To>(x);
}
template <>
__device__ __forceinline__ __half tp_from_float<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 tp_from_float<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

#endif
)";

}  // namespace

std::string cuda_header(const KernelTask& task) {
  return fmt::format(
             "/* {} in {}. Made by tensorpath; changes to it are lost. */\n#ifndef TASK_H\n"
             "#define TASK_H\n\n#include <cstdint>\n#include <cuda_bf16.h>\n"
             "#include <cuda_fp16.h>\n\nusing T = {};\n",
             task.op->name, name_of(task.domain.dtype), device_type(task.domain.dtype)) +
         std::string(kConversions);
}

}  // namespace tensorpath
