#include "flag_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::deploy {
namespace {

constexpr std::size_t kLargestList = 1U << 20;  // ten times the longest list there is

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::optional<FlagSpec::Kind> kind_named(std::string_view name) {
  if (name == "switch") return FlagSpec::Kind::kSwitch;
  if (name == "int") return FlagSpec::Kind::kInt;
  if (name == "float") return FlagSpec::Kind::kFloat;
  if (name == "text") return FlagSpec::Kind::kText;
  if (name == "json") return FlagSpec::Kind::kJson;
  if (name == "one-of") return FlagSpec::Kind::kOneOf;
  return std::nullopt;
}

Expected<FlagSpec> parse_line(const std::string& line, const SourceLocation& where) {
  std::istringstream words(line);
  std::string names;
  std::string kind;
  std::string word;
  words >> names >> kind;
  const auto known = kind_named(kind);
  if (!known) {
    return fail_at(where, fmt::format("'{}' is no type of an argument", kind),
                   "types are switch, int, float, text, json and one-of");
  }
  FlagSpec flag;
  flag.kind = *known;
  const std::vector<std::string> all = split(names, ',');
  flag.name = all.front();
  flag.aliases.assign(all.begin() + 1, all.end());
  while (words >> word) {
    if (word.rfind("env=", 0) == 0) {
      flag.env = word.substr(4);
    } else if (flag.kind == FlagSpec::Kind::kOneOf && flag.choices.empty()) {
      flag.choices = split(word, '|');
    } else {
      return fail_at(where, fmt::format("'{}' was not expected after the type", word),
                     "write choices as a|b|c after one-of, and env=NAME");
    }
  }
  if (flag.kind == FlagSpec::Kind::kOneOf && flag.choices.empty()) {
    return fail_at(where, fmt::format("{} has no choices", flag.name), "write them as a|b|c");
  }
  return flag;
}

tl::unexpected<Error> wrong_value(const FlagSpec& flag, const std::string& value,
                                  const std::string& expected) {
  return fail(ExitCode::kUsage, fmt::format("{} takes {}, not '{}'", flag.name, expected, value));
}

}  // namespace

Expected<FlagList> FlagList::parse(std::string_view text, const std::string& file_name) {
  FlagList list;
  int line_number = 0;
  for (std::string line : split(text, '\n')) {
    SourceLocation where{file_name, ++line_number, 1};
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line.rfind("command ", 0) == 0) {
      list.command_ = line.substr(8);
      continue;
    }
    auto flag = parse_line(line, where);
    if (!flag) return tl::unexpected(flag.error());
    list.by_name_.emplace(flag->name, list.flags_.size());
    for (const std::string& alias : flag->aliases) list.by_name_.emplace(alias, list.flags_.size());
    list.flags_.push_back(std::move(*flag));
  }
  if (list.command_.empty()) {
    return fail_at({file_name, 1, 1}, "the list does not say whose arguments it holds",
                   "add a line such as: command vllm serve");
  }
  return list;
}

Expected<FlagList> FlagList::read(const std::string& path) {
  auto text = read_file(path, kLargestList);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

const FlagSpec* FlagList::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &flags_[found->second];
}

std::string FlagList::hint_for(std::string_view name) const {
  std::vector<std::string> names;
  for (const FlagSpec& flag : flags_) {
    names.push_back(flag.name);
    for (const std::string& alias : flag.aliases) {
      if (alias.size() > 3) names.push_back(alias);  // "-tp" is near to everything
    }
  }
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? std::string() : fmt::format("did you mean '{}'?", nearest);
}

Expected<Json> typed_value(const FlagSpec& flag, const std::string& value) {
  YamlNode scalar;
  scalar.kind = YamlNode::Kind::kScalar;
  scalar.scalar = value;
  switch (flag.kind) {
    case FlagSpec::Kind::kSwitch:
      if (!value.empty() && value != "true" && value != "false") {
        return wrong_value(flag, value, "true or false");
      }
      return Json(value != "false");
    case FlagSpec::Kind::kInt: {
      std::int64_t number = 0;
      const auto end = value.data() + value.size();
      const auto result = std::from_chars(value.data(), end, number);
      if (result.ec != std::errc() || result.ptr != end) {
        return wrong_value(flag, value, "a whole number");
      }
      return Json(number);
    }
    case FlagSpec::Kind::kFloat: {
      const auto number = yaml_number(scalar);
      if (!number) return wrong_value(flag, value, "a number");
      return Json(*number);
    }
    case FlagSpec::Kind::kJson: {
      auto parsed = parse_json(value, flag.name);
      if (!parsed) return tl::unexpected(parsed.error());
      return parsed;
    }
    case FlagSpec::Kind::kOneOf:
      if (std::find(flag.choices.begin(), flag.choices.end(), value) == flag.choices.end()) {
        return fail(ExitCode::kUsage, fmt::format("{} does not take '{}'", flag.name, value),
                    suggestion(value, flag.choices));
      }
      return Json(value);
    case FlagSpec::Kind::kText:
      break;
  }
  if (value.empty()) return wrong_value(flag, value, "a value");
  return Json(value);
}

}  // namespace tensorpath::deploy
