// y = max(x, 0). Selects, so it is exact: denormals stay, too.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void relu(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, maximum(x.at<Number>(i), constant<Number>(0)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(relu)
