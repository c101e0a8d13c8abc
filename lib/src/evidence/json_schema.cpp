#include "json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include <fmt/format.h>

namespace tensorpath {
namespace {

constexpr std::array<std::string_view, 17> kKnown{
    "$schema", "$id",      "$defs",     "$ref",       "title",    "description",
    "type",    "const",    "enum",      "properties", "required", "additionalProperties",
    "items",   "minItems", "minLength", "maxLength",  "minimum"};
constexpr std::string_view kPattern = "pattern";
// std::regex recurses over its subject: a pattern comes with a maxLength, or is not tried.
constexpr std::size_t kLongestMatched = 4096;

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

bool is_of(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type != "integer" || !value.is_number()) return false;
  return value.is_number_integer() || std::trunc(value.get<double>()) == value.get<double>();
}

class Check {
 public:
  Check(const Json& root, std::size_t most) : root_(root), most_(most) {}

  void walk(const Json& schema, const Json& value, const std::string& where) {
    if (found.size() >= most_) return;
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) add(where, "has no place here");
      return;
    }
    if (const auto ref = schema.find("$ref"); ref != schema.end()) {
      walk(root_.at("$defs").at(ref->get<std::string>().substr(std::string("#/$defs/").size())),
           value, where);
    }
    if (!check_type(schema, value, where)) return;
    check_values(schema, value, where);
    if (value.is_string()) check_text(schema, value.get_ref<const std::string&>(), where);
    if (value.is_object()) check_object(schema, value, where);
    if (value.is_array()) check_array(schema, value, where);
  }

  std::vector<SchemaMistake> found;

 private:
  void add(const std::string& where, std::string what) {
    if (found.size() < most_) found.push_back({where, std::move(what)});
  }

  bool check_type(const Json& schema, const Json& value, const std::string& where) {
    const auto type = schema.find("type");
    if (type == schema.end()) return true;
    const Json types = type->is_array() ? *type : Json::array({*type});
    for (const Json& one : types) {
      if (is_of(value, one.get<std::string>())) return true;
    }
    add(where, fmt::format("is {}, expected {}", value.type_name(), to_line(*type)));
    return false;
  }

  void check_values(const Json& schema, const Json& value, const std::string& where) {
    if (const auto one = schema.find("const"); one != schema.end() && *one != value) {
      add(where, fmt::format("expected {}", to_line(*one)));
    }
    if (const auto list = schema.find("enum");
        list != schema.end() && std::find(list->begin(), list->end(), value) == list->end()) {
      add(where, fmt::format("expected one of {}", to_line(*list)));
    }
    if (const auto least = schema.find("minimum");
        least != schema.end() && value.is_number() && value.get<double>() < least->get<double>()) {
      add(where, fmt::format("is less than {}", to_line(*least)));
    }
  }

  void check_text(const Json& schema, const std::string& text, const std::string& where) {
    const std::size_t size = characters(text);
    if (const auto least = schema.find("minLength");
        least != schema.end() && size < least->get<std::size_t>()) {
      add(where, fmt::format("is shorter than {} characters", to_line(*least)));
    }
    if (const auto most = schema.find("maxLength");
        most != schema.end() && size > most->get<std::size_t>()) {
      add(where, fmt::format("is longer than {} characters", to_line(*most)));
      return;
    }
    const auto pattern = schema.find(kPattern);
    if (pattern == schema.end()) return;
    if (text.size() > kLongestMatched ||
        !std::regex_search(text, std::regex(pattern->get<std::string>()))) {
      add(where, fmt::format("{} is not of the form {}", quote_input(text), to_line(*pattern)));
    }
  }

  void check_object(const Json& schema, const Json& value, const std::string& where) {
    if (const auto required = schema.find("required"); required != schema.end()) {
      for (const Json& key : *required) {
        if (!value.contains(key.get<std::string>())) {
          add(where + pointer_step(key.get<std::string>()), "is missing");
        }
      }
    }
    const auto properties = schema.find("properties");
    const auto others = schema.find("additionalProperties");
    for (const auto& [key, child] : value.items()) {
      const std::string place = where + pointer_step(key);
      if (properties != schema.end() && properties->contains(key)) {
        walk(properties->at(key), child, place);
      } else if (others != schema.end()) {
        walk(*others, child, place);
      }
    }
  }

  void check_array(const Json& schema, const Json& value, const std::string& where) {
    if (const auto least = schema.find("minItems");
        least != schema.end() && value.size() < least->get<std::size_t>()) {
      add(where, fmt::format("has fewer than {} items", to_line(*least)));
    }
    const auto items = schema.find("items");
    if (items == schema.end()) return;
    for (std::size_t i = 0; i < value.size() && found.size() < most_; ++i) {
      walk(*items, value[i], fmt::format("{}/{}", where, i));
    }
  }

  const Json& root_;
  std::size_t most_;
};

void collect_unknown(const Json& schema, std::vector<std::string>& out) {
  if (!schema.is_object()) return;
  for (const auto& [key, value] : schema.items()) {
    if (key == "properties" || key == "$defs") {
      for (const auto& child : value.items()) collect_unknown(child.value(), out);
    } else if (key == "items" || key == "additionalProperties") {
      collect_unknown(value, out);
    } else if (key == kPattern) {
      if (!schema.contains("maxLength")) out.push_back("pattern without maxLength");
    } else if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      out.push_back(key);
    }
  }
}

}  // namespace

std::vector<SchemaMistake> check_schema(const Json& schema, const Json& value, std::size_t most) {
  Check check(schema, most);
  check.walk(schema, value, "");
  return std::move(check.found);
}

std::vector<std::string> unknown_keywords(const Json& schema) {
  std::vector<std::string> out;
  collect_unknown(schema, out);
  return out;
}

std::string pointer_step(std::string_view key) {
  std::string out = "/";
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace tensorpath
