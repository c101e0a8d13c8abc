#include "base/utf8.h"

#include <tensorpath/evidence/quote.h>

namespace tensorpath {
namespace {

constexpr std::string_view kOpen = "\u201C";
constexpr std::string_view kClose = "\u201D";
constexpr std::string_view kEllipsis = "\u2026";

// Length in bytes of the character that begins with `first`, of well-formed UTF-8.
std::size_t length_of(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

char32_t code_point(std::string_view character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  char32_t value = byte(0);
  if (character.size() > 1) value &= 0x7FU >> character.size();
  for (std::size_t i = 1; i < character.size(); ++i) value = value << 6U | (byte(i) & 0x3FU);
  return value;
}

// Controls, and what is not seen: soft hyphen, zero-width and direction marks, variation selectors,
// tags, and what has no width on a terminal.
bool is_invisible(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x34F || c == 0x61C ||
         (c >= 0x115F && c <= 0x1160) || (c >= 0x17B4 && c <= 0x17B5) ||
         (c >= 0x180B && c <= 0x180F) || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0x3164 ||
         (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB) ||
         c >= 0xE0000;
}

bool acts_in_markup(char c) {
  return std::string_view("\\`*_{}[]<>()#+-!|~&$").find(c) != std::string_view::npos;
}

// An escape sequence from its ESC or CSI on: what follows belongs to it and goes too.
std::size_t escape_length(std::string_view text) {
  if (text.front() != '\x1B' || text.size() < 2) return 1;
  const char kind = text[1];
  if (kind == '[') {
    std::size_t end = 2;
    while (end < text.size() && text[end] >= 0x20 && text[end] < 0x40) ++end;
    return end < text.size() && text[end] >= 0x40 && text[end] < 0x7F ? end + 1 : end;
  }
  // Operating-system commands and their like run to BEL or to ESC backslash.
  if (kind == ']' || kind == 'P' || kind == '_' || kind == '^' || kind == 'X') {
    for (std::size_t end = 2; end < text.size(); ++end) {
      if (text[end] == '\a') return end + 1;
      if (text[end] == '\x1B')
        return end + (end + 1 < text.size() && text[end + 1] == '\\' ? 2 : 0);
    }
    return text.size();
  }
  return 2;
}

void add(std::string& out, std::string_view character) {
  const char32_t c = code_point(character);
  if (character.size() == 1) {
    if (acts_in_markup(character.front())) out += '\\';
    out += character.front() == '"' ? '\'' : character.front();
  } else if (c == 0x201C || c == 0x201D || c == 0x201E || c == 0x201F) {
    out += '\'';
  } else {
    out += character;
  }
}

}  // namespace

std::string quote_untrusted(std::string_view text) {
  std::string out(kOpen);
  const std::size_t most = kOpen.size() + kLongestQuotation;
  while (!text.empty()) {
    if (out.size() >= most) {
      out += kEllipsis;
      break;
    }
    const auto first = static_cast<unsigned char>(text.front());
    if (first == '\x1B') {
      text.remove_prefix(escape_length(text));
    } else if (first == '\n') {
      out += " / ";
      text.remove_prefix(1);
    } else if (first == '\t') {
      out += ' ';
      text.remove_prefix(1);
    } else {
      const std::size_t size = std::min(length_of(first), text.size());
      const std::string_view character = text.substr(0, size);
      if (find_invalid_utf8(character) != std::string_view::npos) {
        text.remove_prefix(1);
        continue;
      }
      if (!is_invisible(code_point(character))) add(out, character);
      text.remove_prefix(size);
    }
  }
  return out.append(kClose);
}

std::string without_quotations(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t open = text.find(kOpen);
    const std::size_t close = open == std::string_view::npos ? open : text.find(kClose, open);
    // A quotation that does not end hides nothing.
    if (close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    text.remove_prefix(close + kClose.size());
  }
}

}  // namespace tensorpath
