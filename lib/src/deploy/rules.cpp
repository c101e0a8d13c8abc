#include "rules.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <fmt/format.h>

#include <tensorpath/base/json.h>

namespace tensorpath::deploy {
namespace {

bool contains_word(const std::string& list, const std::string& word) {
  return ("|" + list + "|").find("|" + word + "|") != std::string::npos;
}

std::string fact_text(const Fact& fact) {
  if (const bool* flag = std::get_if<bool>(&fact)) return *flag ? "true" : "false";
  if (const double* number = std::get_if<double>(&fact)) {
    const bool whole = *number == std::floor(*number) && std::abs(*number) < 1e15;
    return whole ? fmt::format("{:.0f}", *number) : fmt::format("{}", *number);
  }
  return std::get<std::string>(fact);
}

bool truth(const Fact& fact) {
  if (const bool* flag = std::get_if<bool>(&fact)) return *flag;
  if (const double* number = std::get_if<double>(&fact)) return *number != 0;
  return !std::get<std::string>(fact).empty();
}

tl::unexpected<Error> unknown_fact(const std::string& name, const Facts& facts,
                                   const SourceLocation& where) {
  std::vector<std::string> names;
  for (const auto& [known, value] : facts.values) names.push_back(known);
  return fail_at(where, fmt::format("no fact of the plan is called '{}'", name),
                 suggestion(name, names));
}

Expected<bool> compare(const Condition& condition, const Fact& fact, const SourceLocation& where) {
  const double* left = std::get_if<double>(&fact);
  YamlNode scalar;
  scalar.kind = YamlNode::Kind::kScalar;
  scalar.scalar = condition.operand;
  const auto right = yaml_number(scalar);
  if (left == nullptr || !right) {
    return fail_at(where, fmt::format("'{} {} {}' does not compare numbers", condition.name,
                                      condition.op, condition.operand));
  }
  if (condition.op == ">") return *left > *right;
  if (condition.op == ">=") return *left >= *right;
  if (condition.op == "<") return *left < *right;
  return *left <= *right;
}

}  // namespace

std::string Facts::text(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : fact_text(found->second);
}

Expected<Condition> parse_condition(const std::string& text, const SourceLocation& where) {
  static const std::vector<std::string> kOperators = {"==", "!=", ">", ">=", "<", "<=", "in"};
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  if (words.size() == 1) return Condition{words[0], "", ""};
  if (words.size() == 2 && words[0] == "not") return Condition{words[1], "not", ""};
  if (words.size() == 3 &&
      std::find(kOperators.begin(), kOperators.end(), words[1]) != kOperators.end()) {
    return Condition{words[0], words[1], words[2]};
  }
  return fail_at(where, fmt::format("'{}' is no condition", text),
                 "write NAME, not NAME, NAME == word, NAME > number or NAME in a|b|c");
}

Expected<bool> holds(const std::vector<Condition>& when, const Facts& facts,
                     const SourceLocation& where) {
  for (const Condition& condition : when) {
    const auto found = facts.values.find(condition.name);
    if (found == facts.values.end()) return unknown_fact(condition.name, facts, where);
    const Fact& fact = found->second;
    bool yes = truth(fact);
    if (condition.op == "not") yes = !yes;
    if (condition.op == "==") yes = fact_text(fact) == condition.operand;
    if (condition.op == "!=") yes = fact_text(fact) != condition.operand;
    if (condition.op == "in") yes = contains_word(condition.operand, fact_text(fact));
    if (!condition.op.empty() && (condition.op[0] == '<' || condition.op[0] == '>')) {
      const auto result = compare(condition, fact, where);
      if (!result) return tl::unexpected(result.error());
      yes = *result;
    }
    if (!yes) return false;
  }
  return true;
}

Expected<std::string> substitute(const std::string& text, const Facts& facts,
                                 const SourceLocation& where) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t open = text.find("${", at);
    if (open == std::string::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) {
      return fail_at(where, fmt::format("'{}' has no closing brace", text.substr(open)));
    }
    out += text.substr(at, open - at);
    std::string name = text.substr(open + 2, close - open - 2);
    const std::size_t bar = name.find('|');
    const bool json = bar != std::string::npos && name.substr(bar + 1) == "json";
    if (bar != std::string::npos) name.resize(bar);
    const auto found = facts.values.find(name);
    if (found == facts.values.end()) return unknown_fact(name, facts, where);
    const std::string value = fact_text(found->second);
    out += json ? to_line(Json(value)) : value;
    at = close + 1;
  }
  return out + text.substr(std::min(at, text.size()));
}

}  // namespace tensorpath::deploy
