// w = (code - zero) * scale, group by group of input features.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void dequant_int4(const Call& call) {
  const Tensor& codes = call.input("codes");
  const Tensor& scales = call.input("scales");
  const Tensor& zeros = call.input("zeros");
  const Output& w = call.output("w");
  const std::int64_t group = call.dim("group");
  const std::int64_t k = call.dim("k");
  const std::int64_t n = call.dim("n");
  const bool symmetric = call.attribute("symmetric") != 0;
  const Number middle = constant<Number>(8);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t at = i / group * n + j;
      const Number zero = symmetric ? middle : zeros.at<Number>(at);
      w.set(i * n + j, (codes.at<Number>(i * n + j) - zero) * scales.at<Number>(at));
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(dequant_int4)
