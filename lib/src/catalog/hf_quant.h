// Which catalog format the weights beside a config.json are stored in.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/base/yaml.h>

namespace tensorpath::catalog {

// From a quantization_config mapping of config.json. A method without a catalog format is reported
// at its place; the return value is then empty.
[[nodiscard]] std::string format_of_quantization(const YamlNode& quantization,
                                                 Diagnostics& diagnostics);
// From ModelOpt's hf_quant_config.json.
[[nodiscard]] std::string format_of_modelopt(const YamlNode& document, Diagnostics& diagnostics);
// From torch_dtype. A class that says nothing is served in 16 bits: bf16.
[[nodiscard]] std::string format_of_dtype(std::string_view torch_dtype);

}  // namespace tensorpath::catalog
