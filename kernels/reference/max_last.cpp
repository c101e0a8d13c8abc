// y = the largest of each row. Selects, so it is exact: denormals stay, too.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void max_last(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t hidden = call.dim("hidden");
  for (std::int64_t row = 0; row < rows; ++row) {
    Number largest = x.at<Number>(row * hidden);
    for (std::int64_t i = 1; i < hidden; ++i) {
      largest = maximum(largest, x.at<Number>(row * hidden + i));
    }
    y.set(row, largest);
  }
}

}  // namespace

TENSORPATH_REFERENCE(max_last)
