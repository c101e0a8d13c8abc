// y = silu(gate) up, row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
Number silu_of(Number x) {
  const Number one = constant<Number>(1);
  return x * (one / (one + exp(-x)));
}

template <typename Number>
void swiglu(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < hidden; ++i) {
      const std::int64_t gate = row * 2 * hidden + i;
      const Number up = x.at<Number>(gate + hidden);
      const Number activated = call.rounded("activated", silu_of(x.at<Number>(gate)));
      y.set(row * hidden + i, activated * up);
      if (x[gate] == -kAny) y.also(row * hidden + i, constant<Number>(0) * up);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(swiglu)
