// oneDNN on its own threads, with the bias and the activation in its primitive. Only relu is added
// behind it, on the same threads: oneDNN's makes 0 of NaN. What was made for a shape is kept until
// another comes; b is not repacked ahead, as a candidate cannot do so either.
#include "task.h"

#include <array>
#include <optional>
#include <type_traits>
#include <unordered_map>

#include <dnnl.hpp>

namespace {

using dnnl::memory;
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr auto kType = std::is_same_v<T, float>     ? memory::data_type::f32
                       : std::is_same_v<T, tp_fp16> ? memory::data_type::f16
                                                    : memory::data_type::bf16;
constexpr int kRelu = 1;
constexpr int kGelu = 2;
constexpr int kSilu = 3;

const dnnl::engine& cpu() {
  static const dnnl::engine kCpu(dnnl::engine::kind::cpu, 0);
  return kCpu;
}

struct Shape {
  std::int64_t m, n, k, a_stride, b_stride, y_stride;
  bool bias;
  int activation;
  bool operator==(const Shape&) const = default;
};

dnnl::primitive_attr attributes_of(const Shape& shape) {
  dnnl::primitive_attr attributes;
  if (shape.activation != kGelu && shape.activation != kSilu) return attributes;
  const auto algorithm = shape.activation == kGelu ? dnnl::algorithm::eltwise_gelu_tanh
                                                   : dnnl::algorithm::eltwise_swish;
  dnnl::post_ops after;
#if DNNL_VERSION_MAJOR >= 3
  after.append_eltwise(algorithm, 1, 0);
#else
  after.append_eltwise(1, algorithm, 1, 0);
#endif
  attributes.set_post_ops(after);
  return attributes;
}

// Empty where oneDNN has no such product here.
dnnl::matmul::primitive_desc describe(const Shape& shape) {
  const memory::desc a({shape.m, shape.k}, kType, {shape.a_stride, 1});
  const memory::desc b({shape.k, shape.n}, kType, {shape.b_stride, 1});
  const memory::desc y({shape.m, shape.n}, kType, {shape.y_stride, 1});
  const memory::desc bias =
      shape.bias ? memory::desc({1, shape.n}, kType, {shape.n, 1}) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), a, b, bias, y, attributes_of(shape), true};
#else
  return {dnnl::matmul::desc(a, b, bias, y), attributes_of(shape), cpu(), true};
#endif
}

class Product {
 public:
  explicit Product(const Shape& shape) : shape_(shape), stream_(cpu()) {
    const dnnl::matmul::primitive_desc description = describe(shape);
    product_ = dnnl::matmul(description);
    const auto add = [&](int argument, const memory::desc& desc) {
      arguments_.emplace(argument, memory(desc, cpu(), nullptr));
    };
    add(DNNL_ARG_SRC, description.src_desc());
    add(DNNL_ARG_WEIGHTS, description.weights_desc());
    add(DNNL_ARG_DST, description.dst_desc());
    if (shape.bias) add(DNNL_ARG_BIAS, description.bias_desc());
  }
  [[nodiscard]] const Shape& shape() const { return shape_; }

  void run(const task_args& t) {
    arguments_.at(DNNL_ARG_SRC).set_data_handle(const_cast<T*>(t.a));
    arguments_.at(DNNL_ARG_WEIGHTS).set_data_handle(const_cast<T*>(t.b));
    arguments_.at(DNNL_ARG_DST).set_data_handle(t.y);
    if (shape_.bias) arguments_.at(DNNL_ARG_BIAS).set_data_handle(const_cast<T*>(t.bias_values));
    product_.execute(stream_, arguments_);
    stream_.wait();
    if (shape_.activation != kRelu) return;
#pragma omp parallel for
    for (std::int64_t r = 0; r < t.m; ++r) {
      T* y = t.y + r * t.y_stride;
      for (std::int64_t j = 0; j < t.n; ++j) {
        if (tp_to_float(y[j]) < 0) y[j] = tp_from_float<T>(0);
      }
    }
  }

 private:
  Shape shape_;
  dnnl::stream stream_;
  dnnl::matmul product_;
  std::unordered_map<int, memory> arguments_;
};

}  // namespace

extern "C" const char* tensorpath_absent() {
  // The threads come up now, and not in a timed call.
#pragma omp parallel
  { asm volatile(""); }
  if (describe({16, 16, 16, 16, 16, 16, true, kGelu})) return nullptr;
  return "oneDNN multiplies no matrices of this type on this processor";
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  static std::optional<Product> product;
  const task_args& t = *args;
  const Shape shape{t.m,        t.n,        t.k,         t.a_stride,
                    t.b_stride, t.y_stride, t.bias != 0, static_cast<int>(t.activation)};
  if (!product || product->shape() != shape) product.emplace(shape);
  product->run(t);
}
