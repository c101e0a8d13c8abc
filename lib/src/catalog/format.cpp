// data/formats/*.yaml: how weights (tensorpath.format) and the KV cache (tensorpath.kv_format) are
// stored. Bits count everything that is stored beside the values: scales, zero points, block
// minima.
#include "read.h"

#include <fmt/format.h>

namespace tensorpath::catalog {
namespace {

Dtype dtype_of(std::string_view word) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(Dtype::kCount); ++i) {
    if (to_string(static_cast<Dtype>(i)) == word) {
      return static_cast<Dtype>(i);
    }
  }
  return Dtype::kBf16;
}

}  // namespace

Format read_format(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  Format format;
  read_schema(map, kFormatSchema);
  format.name = read_name(map);
  format.title = required_text(map, "title", "the name that people read");
  format.aliases = map.text_list("aliases");
  format.bits_per_param = required_number(map, "bits_per_param",
                                          "bits per covered parameter, scales included", {1, 64});
  format.covers =
      required_word(map, "covers", "which tensors it stores", {"linear", "experts", "all"});
  format.compute =
      dtype_of(required_word(map, "compute", "the matrix-unit type used where it exists",
                             {"fp32", "bf16", "fp16", "fp8", "int8", "fp4"}));
  map.require("weight_only", "whether activations stay 16-bit even where units exist");
  format.weight_only = map.boolean("weight_only").value_or(false);
  const Quality quality = read_quality(map);
  format.quality = quality.factor;
  format.quality_provenance = quality.provenance;
  format.sources = read_sources(document, map);
  map.finish();
  return format;
}

KvFormat read_kv_format(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  KvFormat format;
  read_schema(map, kKvFormatSchema);
  format.name = read_name(map);
  format.aliases = map.text_list("aliases");
  format.bytes_per_element =
      required_number(map, "bytes_per_element", "bytes per element, scales included", {0.1, 8});
  const Quality quality = read_quality(map);
  format.quality = quality.factor;
  format.quality_provenance = quality.provenance;
  format.sources = read_sources(document, map);
  map.finish();
  return format;
}

}  // namespace tensorpath::catalog
