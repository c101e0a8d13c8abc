// y = activation(a b + bias).
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
Number activate(std::int64_t activation, Number x) {
  const Number one = constant<Number>(1);
  if (activation == 1) return maximum(x, constant<Number>(0));
  if (activation == 2) {
    const Number inner =
        constant<Number>(0.7978845608028654) * (x + constant<Number>(0.044715) * x * x * x);
    return constant<Number>(0.5) * x * (one + tanh(inner));
  }
  if (activation == 3) return x / (one + exp(-x));
  return x;
}

template <typename Number>
void matmul(const Call& call) {
  const Tensor& a = call.input("a");
  const Tensor& b = call.input("b");
  const Tensor& bias = call.input("bias_values");
  const Output& y = call.output("y");
  const std::int64_t m = call.dim("m");
  const std::int64_t n = call.dim("n");
  const std::int64_t k = call.dim("k");
  const bool biased = call.attribute("bias") != 0;
  const auto activation = static_cast<std::int64_t>(call.attribute("activation"));
  const Columns columns(call, b, k, n);
  // A few rows meet each column while it is in the cache.
  constexpr std::int64_t kRows = 8;
  call.for_each((m + kRows - 1) / kRows * n, [&](std::int64_t part) {
    const std::int64_t j = part % n;
    const std::int64_t first = part / n * kRows;
    const Number addend = bias.at<Number>(j);
    for (std::int64_t i = first; i < std::min(m, first + kRows); ++i) {
      const Number sum =
          dot<Number>(call, a, i * k, columns.tensor(), j * k, k, biased ? &addend : nullptr);
      y.set(i * n + j, activate(activation, sum));
    }
  });
}

}  // namespace

TENSORPATH_REFERENCE(matmul)
