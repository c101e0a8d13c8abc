#include "shell.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string shell_word(const Word& word) {
  if (word.variable.empty()) return shell_quote(word.text);
  return fmt::format("\"${{{}}}{}\"", word.variable, word.suffix);
}

}  // namespace

std::string shell_quote(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
  });
  if (plain) return text;
  return "'" + replaced(text, "'", "'\\''") + "'";
}

std::string comment_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return out;
}

std::string shell_command(const std::vector<std::vector<Word>>& rows, const std::string& indent,
                          const std::string& tail) {
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) out += " \\\n" + indent;
    for (std::size_t k = 0; k < rows[i].size(); ++k) {
      if (k > 0) out += ' ';
      out += shell_word(rows[i][k]);
    }
  }
  return tail.empty() ? out : out + " \\\n" + indent + tail;
}

Json compose_words(const std::vector<std::vector<Word>>& rows) {
  Json words = Json::array();
  for (const auto& row : rows) {
    for (const Word& word : row) {
      words.push_back(word.variable.empty()
                          ? replaced(word.text, "$", "$$")
                          : fmt::format("${{{}:?}}{}", word.variable, word.suffix));
    }
  }
  return words;
}

Json kubernetes_words(const std::vector<std::vector<Word>>& rows) {
  Json words = Json::array();
  for (const auto& row : rows) {
    for (const Word& word : row) {
      words.push_back(word.variable.empty() ? replaced(word.text, "$(", "$$(")
                                            : fmt::format("$({}){}", word.variable, word.suffix));
    }
  }
  return words;
}

}  // namespace tensorpath::deploy
