// y = x Phi(x). In the negative tail 1 + erf(..) keeps what fp32 leaves of it, as in every
// framework.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
Number distribution(bool approximate, Number x) {
  const Number one = constant<Number>(1);
  const Number half = constant<Number>(0.5);
  if (!approximate) return half * (one + erf(x * constant<Number>(0.7071067811865476)));
  // Multiplied out, so that nothing shrinks again once the cube has overflowed.
  const Number inner =
      constant<Number>(0.7978845608028654) * x + constant<Number>(0.035677408136300125) * x * x * x;
  return half * (one + tanh(inner));
}

template <typename Number>
void gelu(const Call& call) {
  const Tensor& x = call.input("x");
  const Output& y = call.output("y");
  const bool approximate = call.attribute("approximate") != 0;
  for (std::int64_t i = 0; i < y.size; ++i) {
    const Number value = x.at<Number>(i);
    y.set(i, value * distribution(approximate, value));
    if (x[i] == -kAny) y.also(i, constant<Number>(0));
  }
}

}  // namespace

TENSORPATH_REFERENCE(gelu)
