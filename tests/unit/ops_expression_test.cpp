#include "catch.h"

#include <cstdint>

#include <tensorpath/ops/expression.h>

using namespace tensorpath;

namespace {

std::int64_t value_of(const std::string& text, const Symbols& symbols = {}) {
  const auto parsed = Expression::parse(text);
  INFO(text << " -> " << (parsed ? "" : parsed.error().to_string()));
  REQUIRE(parsed);
  const auto value = parsed->evaluate(symbols);
  INFO(text << " -> " << (value ? "" : value.error().to_string()));
  REQUIRE(value);
  return *value;
}

// Of parsing or of evaluating.
std::string error_of(const std::string& text, const Symbols& symbols = {}) {
  const auto parsed = Expression::parse(text, {"plan.yaml", 3, 9});
  if (!parsed) return parsed.error().to_string();
  const auto value = parsed->evaluate(symbols);
  return value ? "is " + std::to_string(*value) : value.error().to_string();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool has_value(const std::string& text) { return error_of(text).starts_with("is "); }

}  // namespace

TEST_CASE("arithmetic gives what it says") {
  CHECK(value_of("2 + 3") == 5);
  CHECK(value_of("2 - 3") == -1);
  CHECK(value_of("2 * 3") == 6);
  CHECK(value_of("7 / 2 * 2 + 7 % 2") == 7);
  CHECK(value_of("2 * rows * (hidden + 1)", {{"rows", 3}, {"hidden", 4}}) == 30);
  CHECK(value_of("round_up(n, 16) + ceil_div(n, 16)", {{"n", 17}}) == 34);
  CHECK(value_of("pow2_ceil(9) + log2_ceil(9) + min(1, 2) + max(1, 2)") == 23);
  CHECK(value_of("n > 1 && n % 2 == 0 ? 2 : 1", {{"n", 6}}) == 2);
  CHECK(value_of("2 * n * sizeof(T)", {{"n", 3}, {"sizeof(T)", 2}}) == 12);
}

TEST_CASE("tighter operators come first, equal ones from left to right") {
  CHECK(value_of("2 + 3 * 4") == 14);
  CHECK(value_of("(2 + 3) * 4") == 20);
  CHECK(value_of("20 - 5 - 3") == 12);
  CHECK(value_of("100 / 5 / 2") == 10);
  CHECK(value_of("100 / 5 * 2") == 40);
  CHECK(value_of("17 % 10 % 4") == 3);
  CHECK(value_of("-2 * 3") == -6);
  CHECK(value_of("5 - -3") == 8);
  CHECK(value_of("- - 5") == 5);
  CHECK(value_of("!0 + !7") == 1);
  CHECK(value_of("!!7") == 1);
  CHECK(value_of("1 + 1 == 2") == 1);
  CHECK(value_of("1 < 2 == 1") == 1);   // (1 < 2) == 1
  CHECK(value_of("3 > 2 > 1") == 0);    // (3 > 2) > 1
  CHECK(value_of("2 == 2 != 0") == 1);  // (2 == 2) != 0
  CHECK(value_of("1 || 0 && 0") == 1);  // 1 || (0 && 0)
  CHECK(value_of("0 && 0 || 1") == 1);  // (0 && 0) || 1
  CHECK(value_of("1 != 2 && 3 <= 3") == 1);
  CHECK(value_of("0 || 1 ? 5 : 6") == 5);
  CHECK(value_of("0 ? 1 : 0 ? 2 : 3") == 3);
  CHECK(value_of("1 ? 0 ? 4 : 5 : 6") == 5);
  CHECK(value_of("1 ? 2 : 3 + 10") == 2);  // the choice is the loosest
  CHECK(value_of("1+2*3-4/2") == 5);
  CHECK(value_of("\t1 +  2 ") == 3);
}

TEST_CASE("comparisons and conditions are 1 or 0, any other number counts as true") {
  CHECK(value_of("5 >= 5") == 1);
  CHECK(value_of("5 > 5") == 0);
  CHECK(value_of("5 <= 4") == 0);
  CHECK(value_of("-3 && 4") == 1);
  CHECK(value_of("0 || -4") == 1);
  CHECK(value_of("-1 ? 2 : 3") == 2);
}

TEST_CASE("division goes to zero, and its kin know their domain") {
  CHECK(value_of("-7 / 2") == -3);
  CHECK(value_of("-7 % 2") == -1);
  CHECK(value_of("ceil_div(0, 5)") == 0);
  CHECK(value_of("ceil_div(10, 5)") == 2);
  CHECK(value_of("ceil_div(11, 5)") == 3);
  CHECK(value_of("round_up(0, 8)") == 0);
  CHECK(value_of("round_up(8, 8)") == 8);
  CHECK(value_of("round_up(9, 8)") == 16);
  CHECK(value_of("pow2_ceil(1)") == 1);
  CHECK(value_of("pow2_ceil(64)") == 64);
  CHECK(value_of("log2_ceil(1)") == 0);
  CHECK(value_of("log2_ceil(65)") == 7);
  CHECK(value_of("pow2_ceil(4611686018427387904)") == std::int64_t{1} << 62);
  for (const char* text :
       {"ceil_div(-1, 5)", "ceil_div(5, 0)", "ceil_div(5, -1)", "round_up(-1, 4)", "pow2_ceil(0)",
        "log2_ceil(0)", "log2_ceil(-8)", "pow2_ceil(4611686018427387905)"}) {
    INFO(text);
    CHECK_FALSE(has_value(text));
  }
}

TEST_CASE("overflow and division by zero are errors, never wrong numbers") {
  CHECK(value_of("9223372036854775807") == INT64_MAX);
  CHECK(value_of("-9223372036854775807 - 1") == INT64_MIN);
  CHECK(value_of("9223372036854775806 + 1") == INT64_MAX);
  for (const char* text :
       {"9223372036854775807 + 1", "-9223372036854775807 - 2", "4611686018427387904 * 2",
        "-(-9223372036854775807 - 1)", "(-9223372036854775807 - 1) / -1",
        "(-9223372036854775807 - 1) % -1", "1 / (1 - 1)", "1 % 0",
        "round_up(9223372036854775807, 2)", "9223372036854775808", "99999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(has_value(text));
  }
  CHECK(contains(error_of("1 / 0"), "divides by zero"));
  CHECK(contains(error_of("99999999999999999999"), "does not fit into 64 bits"));
}

TEST_CASE("the side that is not chosen may have no value") {
  CHECK(value_of("n == 0 ? 0 : 8 / n", {{"n", 0}}) == 0);
  CHECK(value_of("n != 0 ? 8 / n : 7", {{"n", 0}}) == 7);
  CHECK(value_of("n != 0 && 8 / n > 1", {{"n", 0}}) == 0);
  CHECK(value_of("n == 0 || 8 / n > 1", {{"n", 0}}) == 1);
  CHECK_FALSE(has_value("8 / 0 > 1 && 0"));
  CHECK_FALSE(has_value("1 && 1 / 0"));
  CHECK_FALSE(has_value("0 || 1 / 0"));
  CHECK_FALSE(has_value("1 / 0 ? 1 : 1"));
  CHECK_FALSE(has_value("1 ? 1 / 0 : 1"));
  CHECK_FALSE(has_value("min(1, 1 / 0)"));
  // A name must be known wherever it stands.
  CHECK(contains(error_of("1 ? 2 : nothing"), "'nothing' is not known here"));
}

TEST_CASE("an unknown name is named, with the nearest known one") {
  const std::string error = error_of("2 * hiden", {{"rows", 1}, {"hidden", 2}});
  CHECK(contains(error, "plan.yaml:3:9"));
  CHECK(contains(error, "'hiden' is not known here"));
  CHECK(contains(error, "did you mean 'hidden'?"));
  CHECK(contains(error_of("ceildiv(4, 2)"), "did you mean 'ceil_div'?"));
  CHECK(contains(error_of("maxx(4, 2)"), "did you mean 'max'?"));
}

TEST_CASE("a syntax error says where and what was expected") {
  CHECK(contains(error_of("1 + + 2"), "plan.yaml:3:13"));
  CHECK(contains(error_of("(1 + 2"), "expected ')', found the end"));
  CHECK(contains(error_of("1 2"), "expected an operator or the end, found '2'"));
  CHECK(contains(error_of(""), "expected a number, a name or '(', found the end"));
  CHECK(contains(error_of("min(1)"), "expected ','"));
  CHECK(contains(error_of("min(1, 2, 3)"), "expected ')'"));
  CHECK(contains(error_of("1 ? 2"), "expected ':'"));
  for (const char* text : {"1 +", "* 2", "a b", "a = b", "a & b", "1.5", "0x10", "12abc", "a[0]",
                           "a;", "1 ? : 2", "()", "min()", "=", "!", "a !b", "1\n+ 2", "\xff"}) {
    INFO(text);
    CHECK_FALSE(Expression::parse(text));
  }
}

TEST_CASE("sizeof takes T, and T is no number") {
  CHECK(value_of("sizeof( T )", {{"sizeof(T)", 4}}) == 4);
  CHECK(contains(error_of("sizeof(rows)", {{"rows", 3}}), "expected T"));
  CHECK(contains(error_of("2 * T"), "sizeof(T)"));
  CHECK(contains(error_of("sizeof(T"), "expected ')'"));
  CHECK(contains(error_of("sizeof(T)"), "'sizeof(T)' is not known here"));
}

TEST_CASE("nesting has a limit, and so has length") {
  const auto nested = [](int depth) {
    const auto count = static_cast<std::size_t>(depth);
    return std::string(count, '(') + "1" + std::string(count, ')');
  };
  CHECK(value_of(nested(60)) == 1);
  CHECK(contains(error_of(nested(2000)), "nests too deep"));
  CHECK(contains(error_of(std::string(2000, '-') + "1"), "nests too deep"));
  CHECK(contains(error_of(std::string(2000, '!') + "1"), "nests too deep"));
  std::string choices = "1";
  std::string calls = "1";
  for (int i = 0; i < 200; ++i) {
    choices = "0 ? 1 : " + choices;
    calls = "max(" + calls + ", 1)";
  }
  CHECK(contains(error_of(choices), "nests too deep"));
  CHECK(contains(error_of(calls), "nests too deep"));
  // What is long, but not deep, is read.
  std::string sum = "1";
  for (int i = 0; i < 1000; ++i) sum += " + 1";
  CHECK(value_of(sum) == 1001);
  CHECK(contains(error_of(sum + sum), "too long"));
}

TEST_CASE("an expression knows its names and its text") {
  const auto parsed = Expression::parse("rows * sizeof(T) + min(hidden, rows)");
  REQUIRE(parsed);
  CHECK(parsed->names() == std::vector<std::string>{"rows", "hidden"});
  CHECK(parsed->text() == "rows * sizeof(T) + min(hidden, rows)");
  CHECK(Expression::constant(-5).evaluate({}) == -5);
  CHECK(Expression::constant(-5).text() == "-5");
  CHECK_FALSE(Expression().evaluate({}));
}
