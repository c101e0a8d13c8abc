#include "json_tree.h"

#include <algorithm>
#include <utility>

#include <tensorpath/base/json.h>

namespace tensorpath {
namespace {

// Walks text that parse_json has accepted, so it only has to tell tokens apart. Nesting is bounded
// by parse_json, which makes the recursion safe.
class TreeReader {
 public:
  TreeReader(std::string_view text, const std::string& file_name, int first_line)
      : text_(text), file_name_(file_name), line_(first_line) {}

  YamlNode read() {
    skip_space();
    YamlNode node;
    node.where = here();
    switch (peek()) {
      case '{':
        read_map(node);
        break;
      case '[':
        read_list(node);
        break;
      case '"':
        node.kind = YamlNode::Kind::kScalar;
        node.quoted = true;
        node.scalar = read_string();
        break;
      default:
        read_word(node);
    }
    return node;
  }

 private:
  void read_map(YamlNode& node) {
    node.kind = YamlNode::Kind::kMap;
    advance();
    for (skip_space(); at_ < text_.size() && peek() != '}'; skip_space()) {
      if (peek() == ',') {
        advance();
        continue;
      }
      node.key_positions.emplace_back(line_, column());
      std::string key = read_string();
      skip_space();
      advance();  // the colon
      YamlNode value = read();
      node.entries.emplace_back(std::move(key), std::move(value));
    }
    advance();
  }

  void read_list(YamlNode& node) {
    node.kind = YamlNode::Kind::kSequence;
    advance();
    for (skip_space(); at_ < text_.size() && peek() != ']'; skip_space()) {
      if (peek() == ',') {
        advance();
        continue;
      }
      node.items.push_back(read());
    }
    advance();
  }

  // A number, true, false or null.
  void read_word(YamlNode& node) {
    const std::size_t start = at_;
    while (at_ < text_.size() && std::string_view(" \t\r\n,]}").find(peek()) == std::string::npos) {
      ++at_;
    }
    node.scalar = std::string(text_.substr(start, at_ - start));
    node.kind = node.scalar == "null" ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
  }

  std::string read_string() {
    const std::size_t start = at_;
    ++at_;
    while (at_ < text_.size() && peek() != '"') at_ += peek() == '\\' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
    const std::string_view token = text_.substr(start, at_ - start);
    if (token.find('\\') == std::string_view::npos && token.size() >= 2) {
      return std::string(token.substr(1, token.size() - 2));
    }
    const Json decoded = Json::parse(token, nullptr, false);
    return decoded.is_string() ? decoded.get<std::string>() : std::string();
  }

  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(peek()) != std::string::npos) {
      if (peek() == '\n') {
        ++line_;
        line_start_ = at_ + 1;
      }
      ++at_;
    }
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void advance() { at_ = std::min(at_ + 1, text_.size()); }
  [[nodiscard]] int column() const { return static_cast<int>(at_ - line_start_) + 1; }
  [[nodiscard]] SourceLocation here() const { return {file_name_, line_, column()}; }

  std::string_view text_;
  const std::string& file_name_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  int line_;
};

}  // namespace

Expected<YamlNode> parse_json_tree(std::string_view text, const std::string& file_name,
                                   int first_line) {
  const Expected<Json> checked = parse_json(text, file_name);
  if (!checked) {
    Error error = checked.error();
    for (Diagnostic& found : error.diagnostics) {
      if (found.where.line > 0) found.where.line += first_line - 1;
    }
    return tl::unexpected(std::move(error));
  }
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return TreeReader(text, file_name, first_line).read();
}

}  // namespace tensorpath
