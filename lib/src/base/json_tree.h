// JSON as the same placed tree that YAML files become, so that one reader (MapReader) serves both
// and an error in a JSON file names its line and column too.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/base/yaml.h>

namespace tensorpath {

// Refuses what parse_json refuses. `first_line` is the line of `text` in its file, for JSON Lines.
[[nodiscard]] Expected<YamlNode> parse_json_tree(std::string_view text,
                                                 const std::string& file_name, int first_line = 1);

}  // namespace tensorpath
