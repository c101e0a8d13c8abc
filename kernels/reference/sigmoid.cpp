// y = 1 / (1 + e^-x).
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void sigmoid(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const Number one = constant<Number>(1);
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, one / (one + exp(-x.at<Number>(i))));
  }
}

}  // namespace

TENSORPATH_REFERENCE(sigmoid)
