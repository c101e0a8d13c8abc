// The small language of mapping files: facts of a plan, conditions over them, and templates.
// A condition is one of: NAME, not NAME, NAME == word, NAME != word, NAME > number (>=, <, <=), and
// NAME in a|b|c. A template is text with ${NAME}, or ${NAME|json} for a JSON string literal.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::deploy {

using Fact = std::variant<bool, double, std::string>;

struct Facts {
  std::map<std::string, Fact> values;

  void set(const std::string& name, bool value) { values[name] = value; }
  void set(const std::string& name, double value) { values[name] = value; }
  void set(const std::string& name, int value) { values[name] = static_cast<double>(value); }
  void set(const std::string& name, std::string value) { values[name] = std::move(value); }
  void set(const std::string& name, const char* value) { values[name] = std::string(value); }
  [[nodiscard]] std::string text(const std::string& name) const;  // "" when absent
};

struct Condition {
  std::string name;
  std::string op;  // "", "not", "==", "!=", ">", ">=", "<", "<=", "in"
  std::string operand;
};

// Text with the conditions under which it holds. The where of both is for messages.
struct Guarded {
  std::string text;
  std::vector<Condition> when;  // all of them
  SourceLocation where;
};

[[nodiscard]] Expected<Condition> parse_condition(const std::string& text,
                                                  const SourceLocation& where);
// Unknown names are errors, so that a typing mistake in a mapping cannot pass for "false".
[[nodiscard]] Expected<bool> holds(const std::vector<Condition>& when, const Facts& facts,
                                   const SourceLocation& where);
[[nodiscard]] Expected<std::string> substitute(const std::string& text, const Facts& facts,
                                               const SourceLocation& where);

}  // namespace tensorpath::deploy
