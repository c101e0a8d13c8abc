// w = code * (scale * global), block by block of 16.
#include <tensorpath/ops/reference.h>

namespace {

using namespace tensorpath::reference;

constexpr std::int64_t kBlock = 16;

template <typename Number>
void dequant_nvfp4(const Call& call) {
  const Tensor& codes = call.input("codes");
  const Tensor& scales = call.input("scales");
  const Number global = call.input("global").at<Number>(0);
  const Output& w = call.output("w");
  // Rows are whole blocks, so that blocks count through.
  for (std::int64_t i = 0; i < codes.size; ++i) {
    w.set(i, codes.at<Number>(i) * (scales.at<Number>(i / kBlock) * global));
  }
}

}  // namespace

TENSORPATH_REFERENCE(dequant_nvfp4)
