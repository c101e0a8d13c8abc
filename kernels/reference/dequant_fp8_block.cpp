// w = code * scale, a scale per block of 128 x 128.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr std::int64_t kBlock = 128;

template <typename Number>
void dequant_fp8_block(const Call& call) {
  const Tensor& codes = call.input("codes");
  const Tensor& scales = call.input("scales");
  const Output& w = call.output("w");
  const std::int64_t rows = call.dim("rows");
  const std::int64_t cols = call.dim("cols");
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const Number scale = scales.at<Number>(i / kBlock * scales.dim(1) + j / kBlock);
      w.set(i * cols + j, codes.at<Number>(i * cols + j) * scale);
    }
  }
}

}  // namespace

TENSORPATH_REFERENCE(dequant_fp8_block)
