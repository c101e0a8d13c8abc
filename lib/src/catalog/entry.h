// What all catalog files share: a schema line, a canonical name, and the rule that each figure has
// a source with a date. The readers in read.h build on these.
// Mistakes are collected; a reader returns what it could make out, and loading fails if any is
// left.
#pragma once

#include "names.h"

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/yaml.h>
#include <tensorpath/catalog.h>

namespace tensorpath::catalog {

// A name in one file that some other file must define; checked once everything is read.
struct Reference {
  enum class Kind { kGpu, kFormat, kKvFormat, kModelOrTrait };

  Kind kind;
  std::string name;
  SourceLocation where;
};

// What a reader hands back beside its value.
struct Reading {
  Diagnostics diagnostics;
  std::vector<Reference> references;
};

// Reads `schema` and reports another one than expected.
void read_schema(MapReader& map, std::string_view expected);
// Reads `name` and reports what is not canonical.
[[nodiscard]] std::string read_name(MapReader& map);
// Reads `sources` and reports each key of the document that no source covers. A source names a key,
// or a part of one ("dense_tflops.int8"); "*" stands for all the others.
[[nodiscard]] std::vector<SourceNote> read_sources(const YamlNode& document, MapReader& map);

// Larger counts are slips: the longest contexts have some 1e7 tokens, and all else is smaller. Sums
// of a few stay inside an int.
inline constexpr int kMaxCount = 100'000'000;

// Required values: absent ones are reported with what they are, and read as the neutral value.
[[nodiscard]] double required_number(MapReader& map, std::string_view key, std::string_view what,
                                     NumberRange range = {});
[[nodiscard]] int required_int(MapReader& map, std::string_view key, std::string_view what,
                               int min = 1, int max = kMaxCount);
[[nodiscard]] std::string required_text(MapReader& map, std::string_view key,
                                        std::string_view what);
[[nodiscard]] std::string required_word(MapReader& map, std::string_view key, std::string_view what,
                                        const std::vector<std::string>& allowed);
[[nodiscard]] int optional_int(MapReader& map, std::string_view key, int otherwise, int min = 0,
                               int max = kMaxCount);

// The mapping under a key; null after a report.
[[nodiscard]] const YamlNode* required_map(MapReader& map, std::string_view key,
                                           std::string_view what);
// The items of the list of mappings under a key; an absent key is an empty list.
[[nodiscard]] const std::vector<YamlNode>& list_of_maps(MapReader& map, std::string_view key);

// quality: {factor, provenance}
struct Quality {
  double factor = 1;
  Provenance provenance = Provenance::kAssumed;
};
[[nodiscard]] Quality read_quality(MapReader& map);

}  // namespace tensorpath::catalog
