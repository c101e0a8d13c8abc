// residual := x + residual; y = rmsnorm(residual) * weight, row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
Number scale_of(const Call& call, const std::vector<Number>& row) {
  Sum<Number> squares(call);
  for (const Number& value : row) squares.add(value * value);
  const Number count = constant<Number>(static_cast<double>(row.size()));
  return rsqrt(squares.total() / count + constant<Number>(call.attribute("eps")));
}

template <typename Number>
void fused_add_rmsnorm(const Call& call) {
  const Tensor& x = call.input("x");
  const Tensor& before = call.input("residual");
  const Tensor& weight = call.input("weight");
  const Output& residual = call.output("residual");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  std::vector<Number> sums(static_cast<std::size_t>(hidden));
  std::vector<Number> stored(static_cast<std::size_t>(hidden));
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < hidden; ++i) {
      const std::int64_t at = row * hidden + i;
      const auto column = static_cast<std::size_t>(i);
      sums[column] = x.at<Number>(at) + before.at<Number>(at);
      stored[column] = call.nearest("residual", sums[column]);
      residual.set(at, sums[column]);
    }
    const Number scale = scale_of(call, stored);
    const Number unrounded_scale = scale_of(call, sums);
    const auto normalised = [&](Number value, Number by, std::int64_t i) {
      return call.rounded("normalised", value * by) * weight.at<Number>(i);
    };
    for (std::int64_t i = 0; i < hidden; ++i) {
      const auto column = static_cast<std::size_t>(i);
      y.set(row * hidden + i, normalised(stored[column], scale, i));
      y.also(row * hidden + i, normalised(sums[column], unrounded_scale, i));
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(fused_add_rmsnorm)
