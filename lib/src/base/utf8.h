// Well-formed UTF-8, for the readers: a library that guesses at encodings never sees anything else.
#pragma once

#include <cstddef>
#include <string_view>

namespace tensorpath {

// Offset of the first byte that is not well-formed UTF-8 (RFC 3629), or npos.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text);

// Line and column (both from 1; columns are bytes) of an offset.
struct TextPosition {
  int line = 1;
  int column = 1;
};
[[nodiscard]] TextPosition position_of(std::string_view text, std::size_t offset);

}  // namespace tensorpath
