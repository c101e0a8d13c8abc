// y = x w[e]^T, each row of x by the weights of the expert whose group it is in.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

template <typename Number>
void grouped_moe_gemm(const Call& call) {
  const Tensor& x = call.input("x");
  const Tensor& w = call.input("w");
  const Tensor& offsets = call.input("offsets");
  const Output& y = call.output("y");
  const std::int64_t n = call.dim("n");
  const std::int64_t k = call.dim("k");
  for (std::int64_t expert = 0; expert < call.dim("experts"); ++expert) {
    call.for_each(n, [&](std::int64_t j) {
      for (std::int64_t i = offsets.integer(expert); i < offsets.integer(expert + 1); ++i) {
        y.set(i * n + j, dot<Number>(call, x, i * k, w, (expert * n + j) * k, k));
      }
    });
  }
}

}  // namespace

TENSORPATH_REFERENCE(grouped_moe_gemm)
