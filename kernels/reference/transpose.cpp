// y = x with its two axes swapped.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void transpose(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t columns = call.dim("columns");
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      y.move(column * rows + row, x, row * columns + column);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(transpose)
