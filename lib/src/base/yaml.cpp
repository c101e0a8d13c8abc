#include "utf8.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <unordered_set>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/units.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath {

YamlNode::YamlNode() = default;
YamlNode::YamlNode(const YamlNode&) = default;
YamlNode::YamlNode(YamlNode&&) noexcept = default;
YamlNode& YamlNode::operator=(const YamlNode&) = default;
YamlNode& YamlNode::operator=(YamlNode&&) noexcept = default;
YamlNode::~YamlNode() = default;

namespace {

// Thrown from an event handler to stop yaml-cpp at once; never leaves parse_yaml.
struct Refused {
  YAML::Mark mark;
  std::string message;
  std::string hint;
};

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Maps of a few entries are searched; larger ones get an index, so that a hostile file stays
// linear.
constexpr std::size_t kIndexFrom = 16;

// Builds the tree from yaml-cpp's events, refusing what the header lists as it arrives.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, std::string_view text, const YamlLimits& limits)
      : file_(std::move(file)), text_(text), limits_(limits) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    // yaml-cpp also starts a document where a line is indented less than the one before it allows.
    const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
    if (text_.substr(std::min(at, text_.size())).starts_with("---")) {
      throw Refused{mark, "a second document starts here, expected one", "remove the '---' line"};
    }
    throw Refused{mark, "this line belongs to nothing above it", "check the indentation"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (key_expected()) {
      throw Refused{mark, "a key is empty, expected text", "write 'key: value'"};
    }
    YamlNode node = start(YamlNode::Kind::kNull, mark);
    // yaml-cpp marks an absent value where the next token is; the key is where a person looks.
    if (!open_.empty() && open_.back().node.is_map()) {
      const auto [line, column] = open_.back().node.key_positions.back();
      node.where.line = line;
      node.where.column = column;
    }
    add(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{mark, "aliases ('*name') are not accepted", "write the value out"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (key_expected()) {
      add_key(mark, value);
      return;
    }
    YamlNode node = start(YamlNode::Kind::kScalar, mark);
    node.quoted = tag == "!";
    node.scalar = value;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode node;
    bool has_key = false;                  // kMap: the key is read, its value is next
    std::unordered_set<std::string> keys;  // kMap of kIndexFrom entries and more
  };

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      throw Refused{mark, "anchors ('&name') are not accepted", "write the value out"};
    }
  }

  // yaml-cpp hands "?" for a plain node without a tag and "!" for a quoted scalar.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{mark, fmt::format("tags ({}) are not accepted", quote_input(tag)),
                    "remove the tag; quotes make a value text"};
    }
  }

  [[nodiscard]] bool key_expected() const {
    return !open_.empty() && open_.back().node.is_map() && !open_.back().has_key;
  }

  YamlNode start(YamlNode::Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > limits_.max_nodes) {
      throw Refused{mark,
                    fmt::format("more than {} values, the most that is read", limits_.max_nodes),
                    "is it the right file?"};
    }
    YamlNode node;
    node.kind = kind;
    node.where = {file_, mark.line + 1, mark.column + 1};
    return node;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (key_expected()) {
      throw Refused{mark, "a key is a list or a mapping, expected text",
                    "quote a key or a value that contains '{', '[' or ': '"};
    }
    if (static_cast<int>(open_.size()) >= limits_.max_depth) {
      throw Refused{mark, fmt::format("nested deeper than {} levels", limits_.max_depth),
                    "is it the right file?"};
    }
    open_.push_back({start(kind, mark), false, {}});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add_key(const YAML::Mark& mark, const std::string& key) {
    Open& map = open_.back();
    auto& entries = map.node.entries;
    if (entries.size() == kIndexFrom) {
      for (const auto& entry : entries) map.keys.insert(entry.first);
    }
    const bool known =
        entries.size() < kIndexFrom ? map.node.find(key) != nullptr : !map.keys.insert(key).second;
    if (known) refuse_duplicate(map.node, mark, key);
    map.node.key_positions.emplace_back(mark.line + 1, mark.column + 1);
    entries.emplace_back(key, YamlNode{});
    map.has_key = true;
  }

  [[noreturn]] static void refuse_duplicate(const YamlNode& map, const YAML::Mark& mark,
                                            const std::string& key) {
    std::size_t i = 0;
    while (map.entries[i].first != key) ++i;
    throw Refused{mark, fmt::format("key {} appears twice", quote_input(key)),
                  fmt::format("remove one; the first is in line {}", map.key_positions[i].first)};
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_sequence()) {
      parent.node.items.push_back(std::move(node));
    } else {
      parent.node.entries.back().second = std::move(node);
      parent.has_key = false;
    }
  }

  std::string file_;
  std::string_view text_;
  YamlLimits limits_;
  YamlNode root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

// yaml-cpp takes 0x04 for the end of the file and guesses UTF-16 from zero bytes, so neither may
// reach it. Returns the offset of the first such byte.
std::size_t find_control_character(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7F) return i;
  }
  return std::string_view::npos;
}

// Offset of the first tab that indents something.
std::size_t find_indenting_tab(std::string_view text) {
  std::size_t tab = std::string_view::npos;
  bool indenting = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || c == '\r') {
      indenting = true;
      tab = std::string_view::npos;
    } else if (!indenting || c == ' ') {
      continue;
    } else if (c == '\t') {
      if (tab == std::string_view::npos) tab = i;
    } else if (tab != std::string_view::npos && c != '#') {
      return tab;
    } else {
      indenting = false;
    }
  }
  return std::string_view::npos;
}

Status check_bytes(std::string_view text, const std::string& file, const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail_at({file, 0, 0},
                   fmt::format("the document is larger than {}, the most that is read",
                               human_bytes(static_cast<double>(limits.max_bytes))),
                   "is it the right file?");
  }
  const auto place = [&](std::size_t offset) {
    const TextPosition at = position_of(text, offset);
    return SourceLocation{file, at.line, at.column};
  };
  if (const std::size_t at = find_invalid_utf8(text); at != std::string_view::npos) {
    return fail_at(place(at),
                   fmt::format("byte 0x{:02x} is not UTF-8", static_cast<unsigned char>(text[at])),
                   "save the file as UTF-8");
  }
  if (const std::size_t at = find_control_character(text); at != std::string_view::npos) {
    return fail_at(place(at),
                   fmt::format("control character 0x{:02x}, expected text",
                               static_cast<unsigned char>(text[at])),
                   "is it the right file? In a quoted value write it as an escape");
  }
  if (const std::size_t at = find_indenting_tab(text); at != std::string_view::npos) {
    return fail_at(place(at), "a tab indents this line, expected spaces", "use spaces");
  }
  return {};
}

std::string hint_for(const std::string& message) {
  if (message.find("illegal map value") != std::string::npos) {
    return "quote a value that contains ': ', and check the indentation";
  }
  if (message.find("end of map") != std::string::npos) {
    return "check the indentation, and that every '{' has its '}'";
  }
  if (message.find("end of sequence") != std::string::npos) {
    return "check the indentation, and that every '[' has its ']'";
  }
  if (message.find("EOF") != std::string::npos ||
      message.find("document indicator") != std::string::npos) {
    return "a quote is not closed";
  }
  if (message.find("unknown token") != std::string::npos) {
    return "quote a value that starts with a special character";
  }
  return {};
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

std::string YamlNode::kind_name() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kScalar:
      if (yaml_number(*this)) return "a number";
      return yaml_bool(*this) ? "true or false" : "text";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      break;
  }
  return "a mapping";
}

Expected<YamlNode> parse_yaml(std::string_view text, std::string file_name,
                              const YamlLimits& limits) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (Status checked = check_bytes(text, file_name, limits); !checked) {
    return tl::unexpected(checked.error());
  }
  const auto place = [&](const YAML::Mark& mark) {
    if (mark.is_null()) return SourceLocation{file_name, 0, 0};
    // The end marker below is not the person's text.
    if (static_cast<std::size_t>(mark.pos) < text.size()) {
      return SourceLocation{file_name, mark.line + 1, mark.column + 1};
    }
    const TextPosition end = position_of(text, text.size());
    return SourceLocation{file_name, end.line, end.column};
  };
  try {
    // Without the end marker yaml-cpp takes a quote that is never closed for one that is.
    std::istringstream stream{std::string(text) + "\n...\n"};
    YAML::Parser parser(stream);
    TreeBuilder builder(file_name, text, limits);
    while (parser.HandleNextDocument(builder)) {
    }
    YamlNode root = builder.take_root();
    if (root.is_null()) root.where = {file_name, 1, 1};
    return root;
  } catch (const Refused& refused) {
    return fail_at(place(refused.mark), refused.message, refused.hint);
  } catch (const YAML::Exception& error) {
    return fail_at(place(error.mark), "not valid YAML: " + error.msg, hint_for(error.msg));
  } catch (const std::exception& error) {
    return fail_at({file_name, 0, 0}, fmt::format("not valid YAML: {}", error.what()));
  }
}

Expected<YamlNode> read_yaml_file(const std::string& path, const YamlLimits& limits) {
  auto text = read_file(path, limits.max_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_yaml(*text, path == "-" ? "<stdin>" : path, limits);
}

std::optional<double> yaml_number(const YamlNode& node) {
  if (!node.is_scalar() || node.quoted) return std::nullopt;
  std::string_view text = node.scalar;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('+') || text.empty()) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<bool> yaml_bool(const YamlNode& node) {
  if (!node.is_scalar() || node.quoted) return std::nullopt;
  if (node.scalar == "true" || node.scalar == "True") return true;
  if (node.scalar == "false" || node.scalar == "False") return false;
  return std::nullopt;
}

}  // namespace tensorpath
