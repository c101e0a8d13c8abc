// y = x / max(|x|, eps), row by row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void l2_normalize(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t hidden = call.dim("hidden");
  const Number eps = constant<Number>(call.attribute("eps"));
  for (std::int64_t row = 0; row < call.dim("rows"); ++row) {
    const Number squares = dot<Number>(call, x, row * hidden, x, row * hidden, hidden);
    const Number length = maximum(sqrt(squares), eps);
    for (std::int64_t i = row * hidden; i < (row + 1) * hidden; ++i) {
      y.set(i, x.at<Number>(i) / length);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(l2_normalize)
