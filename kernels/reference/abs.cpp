// y = |x|. Clears a bit, so it is exact: denormals stay, too.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void abs(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, abs(x.at<Number>(i)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(abs)
