// y = a + b. By way of fp32 a sum of 16-bit numbers still rounds as if once (24 >= 2 * 11 + 2
// bits).
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void elementwise_add(const Call& call) {
  const Tensor& a = call.input("a");
  const Tensor& b = call.input("b");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, settled(a.at<Number>(i) + b.at<Number>(i)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(elementwise_add)
