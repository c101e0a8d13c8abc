#include "catch.h"

#include <tensorpath/ops/expression.h>

using namespace tensorpath;

namespace {

std::int64_t value_of(const std::string& text, const Symbols& symbols = {}) {
  const auto parsed = Expression::parse(text);
  REQUIRE(parsed);
  const auto value = parsed->evaluate(symbols);
  REQUIRE(value);
  return *value;
}

bool has_value(const std::string& text) {
  const auto parsed = Expression::parse(text);
  REQUIRE(parsed);
  return parsed->evaluate({}).has_value();
}

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

TEST_CASE("overflow and division by zero are errors") {
  CHECK_FALSE(has_value("9223372036854775807 + 1"));
  CHECK_FALSE(has_value("-9223372036854775807 - 2"));
  CHECK_FALSE(has_value("4611686018427387904 * 2"));
  CHECK_FALSE(has_value("1 / (1 - 1)"));
  CHECK_FALSE(has_value("1 % 0"));
  CHECK_FALSE(has_value("round_up(1 - 2, 4)"));
  CHECK(has_value("9223372036854775806 + 1"));
}
