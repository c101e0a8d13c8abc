// y = the sum of each row.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void sum_last(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  for (std::int64_t row = 0; row < rows; ++row) {
    Sum<Number> sum(call);
    for (std::int64_t i = 0; i < hidden; ++i) sum.add(x.at<Number>(row * hidden + i));
    y.set(row, sum.total());
  }
}

}  // namespace

TENSORPATH_REFERENCE(sum_last)
