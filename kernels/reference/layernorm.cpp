// y = (x - mean) / sqrt(var + eps) * weight + bias, row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

// By a sum, or as Welford's running mean, which rounds at each step even where sums are exact.
template <typename Number>
Number mean_of(const Call& call, const std::vector<Number>& row) {
  Sum<Number> sum(call);
  for (const Number& value : row) sum.add(value);
  return sum.inexact_total() / constant<Number>(static_cast<double>(row.size()));
}

// A mean that is off by e adds e^2: the deviations sum to zero, and with them the cross term.
template <typename Number>
Number variance_of(const Call& call, const std::vector<Number>& row, Number mean) {
  Sum<Number> squares(call);
  for (const Number& value : row) {
    const Number deviation = value - without_error(mean);
    squares.add(deviation * deviation);
  }
  const Number count = constant<Number>(static_cast<double>(row.size()));
  return squares.total() / count + error_of(mean) * error_of(mean);
}

template <typename Number>
void layernorm(const Call& call) {
  const Tensor& x = call.input("x");
  const Tensor& weight = call.input("weight");
  const Tensor& bias = call.input("bias");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  const Number eps = constant<Number>(call.attribute("eps"));
  std::vector<Number> row(static_cast<std::size_t>(hidden));
  for (std::int64_t first = 0; first < rows * hidden; first += hidden) {
    for (std::int64_t i = 0; i < hidden; ++i) {
      row[static_cast<std::size_t>(i)] = x.at<Number>(first + i);
    }
    const Number mean = mean_of(call, row);
    const Number scale = rsqrt(variance_of(call, row, mean) + eps);
    for (std::int64_t i = 0; i < hidden; ++i) {
      const Number deviation = row[static_cast<std::size_t>(i)] - mean;
      y.set(first + i, deviation * scale * weight.at<Number>(i) + bias.at<Number>(i));
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(layernorm)
