// A JSON tree as YAML 1.2 block text (to_yaml_text).
#include <algorithm>
#include <array>
#include <cctype>

#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath {
namespace {

// Plain words that YAML 1.1 or 1.2 readers take for something else than text.
bool reads_as_other_type(const std::string& text) {
  static constexpr std::array<std::string_view, 12> kWords = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf", "~"};
  std::string lower;
  for (const char c : text) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (std::find(kWords.begin(), kWords.end(), lower) != kWords.end()) return true;
  // Numbers, dates, sexagesimals and versions alike: quoting one too many does no harm.
  return std::isdigit(static_cast<unsigned char>(text.front())) != 0 || text.front() == '.' ||
         text.front() == '+' || text.front() == '-';
}

bool is_plain_safe(const std::string& text) {
  if (text.empty() || text.back() == ' ' || text.back() == ':') return false;
  if (std::isalnum(static_cast<unsigned char>(text.front())) == 0 && text.front() != '/' &&
      text.front() != '_' && text.front() != '(' && text.front() != '$') {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // Flow indicators are legal in a block but not in every reader's eyes; others never are.
    if (byte < 0x20 || byte >= 0x7F ||
        std::string_view("{}[],\"'`").find(text[i]) != std::string_view::npos) {
      return false;
    }
    const char next = i + 1 < text.size() ? text[i + 1] : ' ';
    if (text[i] == ':' && next == ' ') return false;
    if (text[i] == ' ' && next == '#') return false;
  }
  return !reads_as_other_type(text);
}

// Text of several lines that a literal block ("|") keeps as it is.
bool is_literal_safe(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.front() == ' ' || text.front() == '\n') {
    return false;
  }
  if (text.size() >= 2 && text[text.size() - 1] == '\n' && text[text.size() - 2] == '\n') {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\n' || (byte >= 0x20 && byte < 0x7F);
  });
}

// YAML 1.2, 7.4.2: an implicit key is at most 1024 characters; the margin is for the quotes.
constexpr std::size_t kLongestSimpleKey = 1000;

class Writer {
 public:
  std::string take() { return std::move(out_); }

  // Writes a value whose line has already begun (after "key:" or "-"), `depth` levels in.
  void value(const Json& node, int depth, bool after_dash) {
    if (node.is_object() && !node.empty()) {
      object(node, depth, after_dash);
    } else if (node.is_array() && !node.empty()) {
      array(node, depth, after_dash);
    } else {
      if (!out_.empty() && out_.back() != '\n') out_ += ' ';
      scalar(node, depth);
    }
  }

 private:
  void object(const Json& node, int depth, bool after_dash) {
    bool first = true;
    begin_block(after_dash);
    for (const auto& item : node.items()) {
      if (!(first && after_dash)) indent(depth);
      first = false;
      key(item.key(), depth);
      value(item.value(), depth + 1, false);
    }
  }

  void array(const Json& node, int depth, bool after_dash) {
    bool first = true;
    begin_block(after_dash);
    for (const Json& item : node) {
      if (!(first && after_dash)) indent(depth);
      first = false;
      out_ += '-';
      value(item, depth + 1, true);
    }
  }

  // The first entry after a dash shares its line; after a key it starts the next one.
  void begin_block(bool after_dash) {
    if (after_dash) {
      out_ += ' ';
    } else if (!out_.empty() && out_.back() != '\n') {
      out_ += '\n';
    }
  }

  void scalar(const Json& node, int depth) {
    if (!node.is_string()) {
      out_ += to_line(node) + '\n';
      return;
    }
    const auto& content = node.get_ref<const std::string&>();
    if (!is_literal_safe(content)) {
      out_ += text(content) + '\n';
      return;
    }
    const bool ends_in_break = content.back() == '\n';
    out_ += ends_in_break ? "|\n" : "|-\n";
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t end = std::min(content.find('\n', at), content.size());
      if (end > at) indent(std::max(depth, 1));
      out_.append(content, at, end - at);
      out_ += '\n';
      at = end + 1;
    }
  }

  // A JSON string is a YAML double-quoted one, but for the one control character JSON lets through.
  static std::string text(const std::string& content) {
    if (is_plain_safe(content)) return content;
    std::string out;
    for (const char c : to_line(content))
      out += c == '\x7F' ? std::string("\\x7f") : std::string(1, c);
    return out;
  }

  // "key:" or, past the length that a YAML reader takes for a simple key, "? key" and ":".
  void key(const std::string& name, int depth) {
    const std::string shown = text(name);
    if (shown.size() <= kLongestSimpleKey) {
      out_ += shown + ':';
      return;
    }
    out_ += "? " + shown + '\n';
    indent(depth);
    out_ += ':';
  }

  void indent(int depth) { out_.append(2 * static_cast<std::size_t>(depth), ' '); }

  std::string out_;
};

}  // namespace

std::string to_yaml_text(const Json& value) {
  Writer writer;
  writer.value(value, 0, false);
  return writer.take();
}

}  // namespace tensorpath
