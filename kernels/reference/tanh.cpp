// y = tanh(x). Accurate relative to the result near zero also, where e^2x - 1 cancels.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void tanh(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, tanh(x.at<Number>(i)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(tanh)
