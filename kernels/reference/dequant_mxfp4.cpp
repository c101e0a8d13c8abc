// w = code * 2^(scale - 127), block by block of 32.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr std::int64_t kBlock = 32;

template <typename Number>
void dequant_mxfp4(const Call& call) {
  const Tensor& codes = call.input("codes");
  const Tensor& scales = call.input("scales");
  const Output& w = call.output("w");
  // Rows are whole blocks, so that blocks count through.
  for (std::int64_t i = 0; i < codes.size; ++i) {
    w.set(i, codes.at<Number>(i) * scales.at<Number>(i / kBlock));
  }
}

}  // namespace

TENSORPATH_REFERENCE(dequant_mxfp4)
