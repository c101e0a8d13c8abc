#include "sanitizer_words.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace tensorpath {
namespace {

constexpr std::size_t kMostLines = 12;
constexpr std::size_t kMostLineBytes = 300;
constexpr std::array<std::string_view, 2> kSources = {"kernel.cpp:", "kernel.cu:"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool names_source(std::string_view line) {
  return std::any_of(kSources.begin(), kSources.end(),
                     [&](std::string_view source) { return contains(line, source); });
}

// Frames outside the source, notes and summaries are left out.
bool tells_something(std::string_view line) {
  if (line.starts_with("========= ")) return !contains(line, "ost ");
  if (line.starts_with("#")) return names_source(line);
  constexpr std::array<std::string_view, 6> kTelling = {
      "ERROR: ", "WARNING: ThreadSanitizer", "runtime error: ", " is located ", " of size ",
      "revious "};
  return std::any_of(kTelling.begin(), kTelling.end(),
                     [&](std::string_view part) { return contains(line, part); });
}

// A path's directories are those of the build.
std::string without_directories(std::string_view line) {
  for (const std::string_view source : kSources) {
    const std::size_t at = line.find(source);
    if (at == std::string_view::npos || at == 0 || line[at - 1] != '/') continue;
    const std::size_t space = line.rfind(' ', at);
    const std::size_t start = space == std::string_view::npos ? 0 : space + 1;
    return std::string(line.substr(0, start)).append(line.substr(at));
  }
  return std::string(line);
}

std::string masked(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    const std::string_view rest = line.substr(i);
    const auto* source = std::find_if(kSources.begin(), kSources.end(), [&](std::string_view name) {
      return rest.starts_with(name);
    });
    if (source != kSources.end()) {
      std::size_t end = source->size();
      while (end < rest.size() && (is_digit(rest[end]) || rest[end] == ':')) ++end;
      out.append(rest.substr(0, end));
      i += end;
    } else if (is_digit(line[i]) && (i == 0 || !is_word(line[i - 1]))) {
      // "0x7f", "1.5e" and "16" are numbers; the 32 of int32 is none.
      while (i < line.size() && (is_word(line[i]) || line[i] == '.')) ++i;
      out += 'N';
    } else {
      const unsigned char c = static_cast<unsigned char>(line[i++]);
      out += c < 0x20 || c == 0x7F ? ' ' : static_cast<char>(c);
    }
  }
  return out;
}

}  // namespace

std::string sanitizer_words(std::string_view report) {
  std::string words;
  std::size_t lines = 0;
  while (!report.empty() && lines < kMostLines) {
    const std::size_t end = std::min(report.find('\n'), report.size());
    std::string_view line = report.substr(0, end);
    report.remove_prefix(std::min(end + 1, report.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (!tells_something(line)) continue;
    if (lines++ > 0) words += '\n';
    words += masked(without_directories(line).substr(0, kMostLineBytes));
  }
  return words.empty() ? "the sanitizer ended the process and said nothing that can be told"
                       : words;
}

}  // namespace tensorpath
