#include "utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tensorpath {
namespace {

// Length of the sequence that starts at text[i], or 0 when it is malformed (RFC 3629, section 4:
// overlong forms, surrogates and code points past U+10FFFF are).
std::size_t sequence_length(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) {
    return k < text.size() ? static_cast<std::uint8_t>(text[k]) : std::uint8_t{0};
  };
  const auto in = [](std::uint8_t value, int lo, int hi) { return value >= lo && value <= hi; };
  const std::uint8_t first = byte(i);
  const std::uint8_t second = byte(i + 1);
  if (first < 0x80) return 1;
  if (in(first, 0xC2, 0xDF)) return in(second, 0x80, 0xBF) ? 2 : 0;
  if (in(first, 0xE0, 0xEF)) {
    const int lo = first == 0xE0 ? 0xA0 : 0x80;
    const int hi = first == 0xED ? 0x9F : 0xBF;
    return in(second, lo, hi) && in(byte(i + 2), 0x80, 0xBF) ? 3 : 0;
  }
  if (in(first, 0xF0, 0xF4)) {
    const int lo = first == 0xF0 ? 0x90 : 0x80;
    const int hi = first == 0xF4 ? 0x8F : 0xBF;
    const bool tail = in(byte(i + 2), 0x80, 0xBF) && in(byte(i + 3), 0x80, 0xBF);
    return in(second, lo, hi) && tail ? 4 : 0;
  }
  return 0;
}

// Nearly all text is ASCII, and eight bytes of it are told at once.
bool is_ascii_word(std::string_view text, std::size_t i) {
  std::uint64_t word = 0;
  if (i + sizeof word > text.size()) return false;
  std::memcpy(&word, text.data() + i, sizeof word);
  return (word & 0x8080808080808080U) == 0;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    if (is_ascii_word(text, i)) {
      i += sizeof(std::uint64_t);
      continue;
    }
    const std::size_t length = sequence_length(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

TextPosition position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t last_break = before.rfind('\n');
  const std::size_t line_start = last_break == std::string_view::npos ? 0 : last_break + 1;
  return {static_cast<int>(lines) + 1, static_cast<int>(before.size() - line_start) + 1};
}

}  // namespace tensorpath
