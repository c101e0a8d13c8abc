// y = ln(x), accurate relative to the result near one also.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void log(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  for (std::int64_t i = 0; i < y.size; ++i) {
    y.set(i, log(x.unflushed<Number>(i)));
    // A denormal may be read as zero.
    if (x.is_denormal(i)) y.also(i, log(constant<Number>(0)));
  }
}

}  // namespace

TENSORPATH_REFERENCE(log)
