// model_from_hf_text: no config.json may crash or hang; a model that comes out has sane shapes. A
// NUL byte in the input parts config.json from the hf_quant_config.json beside it.
#include "catalog/hf_config.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = std::min(text.find('\0'), size);
  const auto model = tensorpath::catalog::model_from_hf_text(
      {"fuzz/config.json", text.substr(0, cut), "fuzz/hf_quant_config.json",
       cut < size ? text.substr(cut + 1) : std::string()});
  if (!model) {
    if (model.error().to_string().empty()) std::abort();
    return 0;
  }
  const auto& attention = model->attention;
  if (model->layers < 1 || model->hidden < 1 || model->vocab < 1 || attention.heads < 1 ||
      attention.kv_heads < 1 || attention.head_dim < 1 || model->native_format.empty() ||
      attention.windowed_layers > model->layers || model->moe_layers() > model->layers ||
      model->moe_layers() < 0 || !std::isfinite(model->total_params()) ||
      model->total_params() <= 0 || model->active_params() > model->total_params() * 1.0000001) {
    std::abort();
  }
  return 0;
}
