// y = x sigmoid(x).
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
Number sigmoid_of(Number x) {
  const Number one = constant<Number>(1);
  return one / (one + exp(-x));
}

template <typename Number>
void silu(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    const Number value = x.at<Number>(i);
    y.set(i, value * sigmoid_of(value));
    if (x[i] == -kAny) y.also(i, constant<Number>(0));
  }
}

}  // namespace

TENSORPATH_REFERENCE(silu)
