// y = a * b. fp32 holds the product of two 16-bit numbers exactly, so that it rounds once.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void elementwise_mul(const Call& call) {
  const Tensor& a = call.input("a");
  const Tensor& b = call.input("b");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, settled(a.at<Number>(i) * b.at<Number>(i)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(elementwise_mul)
