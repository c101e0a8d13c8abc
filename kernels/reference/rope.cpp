// Rotary position embedding: pairs of a head's elements turned by the angles of their position.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void rope(const Call& call) {
  const Tensor& x = call.input("x");
  const Tensor& positions = call.input("positions");
  const Tensor& cache = call.input("cos_sin_cache");
  const Output& y = call.output("y");
  const std::int64_t heads = call.dim("heads");
  const std::int64_t head_dim = call.dim("head_dim");
  const std::int64_t rotary_dim = call.dim("rotary_dim");
  const std::int64_t half = rotary_dim / 2;
  const bool interleaved = call.attribute("interleaved") != 0;
  for (std::int64_t token = 0; token < call.dim("tokens"); ++token) {
    const std::int64_t angles = positions.integer(token) * rotary_dim;
    for (std::int64_t head = 0; head < heads; ++head) {
      const std::int64_t begin = (token * heads + head) * head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const std::int64_t first = begin + (interleaved ? 2 * i : i);
        const std::int64_t second = interleaved ? first + 1 : first + half;
        const Number cos = cache.at<Number>(angles + i);
        const Number sin = cache.at<Number>(angles + half + i);
        const Number a = x.at<Number>(first);
        const Number b = x.at<Number>(second);
        y.set(first, call.rounded("product", a * cos) - call.rounded("product", b * sin));
        y.set(second, call.rounded("product", b * cos) + call.rounded("product", a * sin));
      }
      for (std::int64_t i = rotary_dim; i < head_dim; ++i) {
        y.set(begin + i, x.at<Number>(begin + i));
      }
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(rope)
