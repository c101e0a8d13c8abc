// y = e^(x - m) / sum of e^(x - m), m the largest of the row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void softmax(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  std::vector<Number> powers(static_cast<std::size_t>(hidden));
  for (std::int64_t row = 0; row < rows; ++row) {
    Number largest = x.at<Number>(row * hidden);
    for (std::int64_t i = 1; i < hidden; ++i) {
      largest = maximum(largest, x.at<Number>(row * hidden + i));
    }
    Sum<Number> sum(call);
    for (std::int64_t i = 0; i < hidden; ++i) {
      Number& power = powers[static_cast<std::size_t>(i)];
      power = exp(x.at<Number>(row * hidden + i) - largest);
      sum.add(power);
    }
    const Number total = sum.total();
    for (std::int64_t i = 0; i < hidden; ++i) {
      y.set(row * hidden + i, powers[static_cast<std::size_t>(i)] / total);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(softmax)
