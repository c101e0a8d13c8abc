// y = e^x.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void exp(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, settled(exp(x.at<Number>(i))));
  }
}

}  // namespace

TENSORPATH_REFERENCE(exp)
