// y = sqrt(x).
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void sqrt(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, sqrt(x.unflushed<Number>(i)));
    // Read as zero, even a negative one has a root.
    if (x.is_denormal(i)) y.also(i, constant<Number>(0));
  }
}

}  // namespace

TENSORPATH_REFERENCE(sqrt)
