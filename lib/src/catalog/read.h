// One reader per kind of catalog file: a parsed document in, a value out.
// Every mistake is added to the reading, with its place; names that other files must define are
// added as references. tensorpath-catalog(5) describes the keys.
#pragma once

#include "entry.h"

namespace tensorpath::catalog {

inline constexpr std::string_view kGpuSchema = "tensorpath.gpu/v1";
inline constexpr std::string_view kModelSchema = "tensorpath.model/v1";
inline constexpr std::string_view kEngineSchema = "tensorpath.engine/v1";
inline constexpr std::string_view kFormatSchema = "tensorpath.format/v1";
inline constexpr std::string_view kKvFormatSchema = "tensorpath.kv_format/v1";
inline constexpr std::string_view kPricesSchema = "tensorpath.prices/v1";

[[nodiscard]] Gpu read_gpu(const YamlNode& document, Reading& reading);
[[nodiscard]] Model read_model(const YamlNode& document, Reading& reading);
[[nodiscard]] Engine read_engine(const YamlNode& document, Reading& reading);
[[nodiscard]] Format read_format(const YamlNode& document, Reading& reading);
[[nodiscard]] KvFormat read_kv_format(const YamlNode& document, Reading& reading);
[[nodiscard]] std::vector<Price> read_prices(const YamlNode& document, Reading& reading);

}  // namespace tensorpath::catalog
