// Expression: no text may crash, hang or give a number that its own rules do not.
#include <cstdlib>
#include <string>

#include <tensorpath/ops/expression.h>

using tensorpath::Expression;
using tensorpath::Symbols;

namespace {

// The first of each kind of number that has hurt an integer formula before.
const Symbols& symbols() {
  static const Symbols all = {{"rows", 3},         {"hidden", 4096},     {"k", 0},        {"n", -1},
                              {"most", INT64_MAX}, {"least", INT64_MIN}, {"sizeof(T)", 2}};
  return all;
}

void check_error(const tensorpath::Error& error) {
  if (error.to_string().empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parsed = Expression::parse(text, {"fuzz.yaml", 1, 1});
  if (!parsed) {
    check_error(parsed.error());
    return 0;
  }
  if (parsed->text() != text) std::abort();
  const auto value = parsed->evaluate(symbols());
  if (!value) check_error(value.error());
  // With every name known, only arithmetic can fail; with none, a name must.
  Symbols known = symbols();
  for (const std::string& name : parsed->names()) known.emplace(name, 1);
  (void)parsed->evaluate(known);
  if (!parsed->names().empty() && parsed->evaluate({})) std::abort();
  // Brackets around the whole change nothing, but for the limits of depth and length.
  const auto bracketed = Expression::parse("(" + text + ")");
  if (bracketed) {
    const auto same = bracketed->evaluate(symbols());
    if (same.has_value() != value.has_value() || (value && *same != *value)) std::abort();
  }
  const auto negated = Expression::parse("!(" + text + ")");
  if (negated && value && negated->evaluate(symbols()) != (*value == 0 ? 1 : 0)) std::abort();
  return 0;
}
