// JSON in and out. Objects keep the order they were filled in, so equal input gives equal bytes.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensorpath/base/error.h>

namespace tensorpath {

using Json = nlohmann::ordered_json;

// Errors carry file:line:column. Duplicate keys, trailing text and nesting past 64 are errors.
[[nodiscard]] Expected<Json> parse_json(std::string_view text, const std::string& file_name);
[[nodiscard]] Expected<Json> read_json_file(const std::string& path,
                                            std::size_t max_bytes = 64U << 20);

// Two-space indented text with a final newline. Numbers are the shortest text that reads back
// equal; NaN and infinity become null.
[[nodiscard]] std::string to_text(const Json& value);
// One line, no final newline.
[[nodiscard]] std::string to_line(const Json& value);
// The same tree as YAML 1.2 block text.
[[nodiscard]] std::string to_yaml_text(const Json& value);
// A finite number rounded to `digits` significant digits, or null.
[[nodiscard]] Json json_number(double value, int digits = 6);

}  // namespace tensorpath
