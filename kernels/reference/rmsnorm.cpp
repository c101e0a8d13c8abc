// y = x / sqrt(mean(x^2) + eps) * weight, row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void rmsnorm(const Call& call) {
  const Tensor& x = call.input("x");
  const Tensor& weight = call.input("weight");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  const Number eps = constant<Number>(call.attribute("eps"));
  const Number count = constant<Number>(static_cast<double>(hidden));
  for (std::int64_t row = 0; row < rows; ++row) {
    Sum<Number> squares(call);
    for (std::int64_t i = 0; i < hidden; ++i) {
      const Number value = x.at<Number>(row * hidden + i);
      squares.add(value * value);
    }
    const Number scale = rsqrt(squares.total() / count + eps);
    for (std::int64_t i = 0; i < hidden; ++i) {
      const Number normalised = call.rounded("normalised", x.at<Number>(row * hidden + i) * scale);
      y.set(row * hidden + i, normalised * weight.at<Number>(i));
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(rmsnorm)
