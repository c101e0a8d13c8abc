#include "utf8.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <unordered_set>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/json.h>

namespace tensorpath {
namespace {

constexpr std::size_t kDeepest = 64;
// Objects of a few keys are searched; larger ones get an index, so that a hostile file stays
// linear.
constexpr std::size_t kIndexFrom = 16;
// Whole numbers up to here are exact in a double.
constexpr double kLargestExact = 9007199254740992.0;

// Counts what the lexer has consumed, which is how an event knows its place.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* consumed) : at_(at), consumed_(consumed) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*consumed_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* consumed_;
};

// Builds the tree from parse events; stops at the first duplicate key or at too deep a nesting.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  TreeBuilder(std::string_view text, const std::size_t& consumed)
      : text_(text), consumed_(consumed) {}

  [[nodiscard]] Json take_root() { return std::move(root_); }

  std::size_t error_offset = 0;
  std::string error_message;
  std::string error_hint;

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // JSON text has none

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& key) override {
    Open& object = open_.back();
    if (object.value.size() == kIndexFrom) {
      for (const auto& item : object.value.items()) object.keys.insert(item.key());
    }
    const bool known = object.value.size() < kIndexFrom ? object.value.contains(key)
                                                        : !object.keys.insert(key).second;
    if (known) {
      error_offset = start_of_string(consumed_);
      error_message = fmt::format("key {} appears twice", quote_input(key));
      error_hint = "remove one";
      return false;
    }
    object.key = std::move(key);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    error_offset = position == 0 ? 0 : position - 1;
    error_message = "not valid JSON: " + reason(error.what());
    return false;
  }

 private:
  struct Open {
    Json value;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  // The library's text is "[json.exception...] parse error at line 1, column 2: REASON".
  static std::string reason(const std::string& what) {
    const std::size_t column = what.find("column ");
    const std::size_t colon = what.find(": ", column == std::string::npos ? 0 : column);
    if (colon != std::string::npos) return what.substr(colon + 2);
    const std::size_t bracket = what.find("] ");
    return bracket == std::string::npos ? what : what.substr(bracket + 2);
  }

  // Offset of the opening quote of the string that ends before `end`.
  [[nodiscard]] std::size_t start_of_string(std::size_t end) const {
    std::size_t i = std::min(end, text_.size());
    if (i < 2) return 0;
    for (i -= 2; i > 0; --i) {
      if (text_[i] == '"' && text_[i - 1] != '\\') return i;
    }
    return 0;
  }

  bool open(Json value) {
    if (open_.size() >= kDeepest) {
      error_offset = consumed_ == 0 ? 0 : consumed_ - 1;
      error_message = fmt::format("nested deeper than {} levels", kDeepest);
      error_hint = "is it the right file?";
      return false;
    }
    open_.push_back({std::move(value), {}, {}});
    return true;
  }

  bool close() {
    Json value = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(value));
  }

  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.is_array()) {
      open_.back().value.push_back(std::move(value));
    } else {
      // Past duplicates: straight to the end, where operator[] would search every key.
      auto& object = open_.back().value.get_ref<Json::object_t&>();
      object.emplace_back(std::move(open_.back().key), std::move(value));
    }
    return true;
  }

  std::string_view text_;
  const std::size_t& consumed_;
  Json root_;
  std::vector<Open> open_;
};

}  // namespace

Expected<Json> parse_json(std::string_view text, const std::string& file_name) {
  const auto place = [&](std::size_t offset) {
    const TextPosition at = position_of(text, offset);
    return SourceLocation{file_name, at.line, at.column};
  };
  std::size_t consumed = 0;
  TreeBuilder builder(text, consumed);
  const CountingIterator begin(text.data(), &consumed);
  const CountingIterator end(text.data() + text.size(), &consumed);
  try {
    if (Json::sax_parse(begin, end, &builder)) return builder.take_root();
  } catch (const nlohmann::detail::exception& error) {
    return fail_at({file_name, 0, 0}, fmt::format("not valid JSON: {}", error.what()));
  }
  return fail_at(place(builder.error_offset), builder.error_message, builder.error_hint);
}

Expected<Json> read_json_file(const std::string& path, std::size_t max_bytes) {
  auto text = read_file(path, max_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_json(*text, path == "-" ? "<stdin>" : path);
}

std::string to_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string to_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json json_number(double value, int digits) {
  if (!std::isfinite(value)) return nullptr;
  const double rounded = std::strtod(fmt::format("{:.{}g}", value, digits).c_str(), nullptr);
  // 800, not 800.0: what a person would have written.
  if (rounded == std::floor(rounded) && std::fabs(rounded) < kLargestExact) {
    return static_cast<std::int64_t>(rounded);
  }
  return rounded;
}

}  // namespace tensorpath
