#include "json_reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

constexpr std::size_t kLongestText = 1000;  // longer than any repository or path worth naming
constexpr std::size_t kLongestShown = 60;

std::string shown(const Json& value) {
  // Replaces what is not UTF-8: the text of an untrusted document goes to a terminal.
  std::string line = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (line.size() > kLongestShown) line = line.substr(0, kLongestShown) + "...";
  return line;
}

std::string range_text(double least, double most) {
  if (most >= 1e15) return fmt::format("at least {:.10g}", least);
  return fmt::format("from {:.10g} to {:.10g}", least, most);
}

}  // namespace

std::string type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "true or false";
  if (value.is_number_integer() || value.is_number_unsigned()) return "a whole number";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "text";
  if (value.is_array()) return "a list";
  return "an object";
}

JsonReader::JsonReader(const Json& object, std::string path, Diagnostics& diagnostics)
    : object_(object), path_(std::move(path)), diagnostics_(diagnostics) {
  if (!object.is_object()) {
    diagnostics_.add({}, fmt::format("{}: expected an object, found {}",
                                     path_.empty() ? "the document" : path_, type_name(object)));
  }
}

std::string JsonReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void JsonReader::mistake(std::string_view key, const std::string& message, std::string hint) {
  diagnostics_.add({}, fmt::format("{}: {}", path_of(key), message), std::move(hint));
}

const Json* JsonReader::find(std::string_view key) const {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(std::string(key));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const Json* JsonReader::typed(std::string_view key, bool required, bool (*is)(const Json&),
                              const char* expected) {
  const Json* value = find(key);
  if (value == nullptr) {
    if (required && object_.is_object())
      mistake(key, fmt::format("missing; expected {}", expected));
    return nullptr;
  }
  if (is(*value)) return value;
  mistake(key, fmt::format("expected {}, found {}", expected, shown(*value)));
  return nullptr;
}

int JsonReader::integer(std::string_view key, int least, int most) {
  const std::string expected = "a whole number " + range_text(least, most);
  const Json* value = typed(
      key, true, [](const Json& v) { return v.is_number(); }, expected.c_str());
  if (value == nullptr) return least;
  const double number = value->get<double>();
  if (number != std::floor(number) || number < least || number > most) {
    mistake(key, fmt::format("expected {}, found {}", expected, shown(*value)));
    return least;
  }
  return static_cast<int>(number);
}

int JsonReader::integer_or(std::string_view key, int least, int most, int absent) {
  return find(key) == nullptr ? absent : integer(key, least, most);
}

std::optional<double> JsonReader::number(std::string_view key, double least, double most) {
  const std::string expected = "a number " + range_text(least, most);
  const Json* value = typed(
      key, false, [](const Json& v) { return v.is_number(); }, expected.c_str());
  if (value == nullptr) return std::nullopt;
  const double number = value->get<double>();
  if (!(number >= least && number <= most)) {
    mistake(key, fmt::format("expected {}, found {}", expected, shown(*value)));
    return std::nullopt;
  }
  return number;
}

bool JsonReader::boolean_or(std::string_view key, bool absent) {
  const Json* value = typed(
      key, false, [](const Json& v) { return v.is_boolean(); }, "true or false");
  return value == nullptr ? absent : value->get<bool>();
}

std::string JsonReader::text(std::string_view key, bool required) {
  const Json* value = typed(
      key, required, [](const Json& v) { return v.is_string(); }, "text");
  if (value == nullptr) return {};
  auto text = value->get<std::string>();
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
  if (control || text.size() > kLongestText || (required && text.empty())) {
    mistake(key, fmt::format("expected text of 1 to {} characters on one line, found {}",
                             kLongestText, shown(*value)));
    return {};
  }
  return text;
}

const Json* JsonReader::object(std::string_view key, bool required) {
  return typed(
      key, required, [](const Json& v) { return v.is_object(); }, "an object");
}

const Json* JsonReader::array(std::string_view key, bool required) {
  return typed(
      key, required, [](const Json& v) { return v.is_array(); }, "a list");
}

}  // namespace tensorpath::deploy
