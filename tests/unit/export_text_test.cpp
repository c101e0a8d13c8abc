// The text of an export: formulas as C, templates, and sources that go into a header.
#include "forge/export_text.h"

#include "catch.h"

using namespace tensorpath;
using namespace tensorpath::forge;

namespace {

std::string code_of(const std::string& text) {
  const auto formula = Expression::parse(text);
  REQUIRE(formula);
  return formula_code(*formula, [](const std::string& name) { return "a." + name; });
}

}  // namespace

TEST_CASE("a formula becomes calls that keep its meaning") {
  CHECK(code_of("rows") == "tpx_of(a.rows)");
  CHECK(code_of("rows * 4 + 1") ==
        "tpx_add(tpx_multiply(tpx_of(a.rows), tpx_of(INT64_C(4))), tpx_of(INT64_C(1)))");
  CHECK(code_of("a > b") == "tpx_less(tpx_of(a.b), tpx_of(a.a))");
  CHECK(code_of("a >= b") == "tpx_less_equal(tpx_of(a.b), tpx_of(a.a))");
  CHECK(code_of("a ? b : c") == "tpx_choose(tpx_of(a.a), tpx_of(a.b), tpx_of(a.c))");
  CHECK(code_of("ceil_div(n, 8)") == "tpx_ceil_div(tpx_of(a.n), tpx_of(INT64_C(8)))");
}

TEST_CASE("names of a template are replaced once, and none may be missing") {
  const auto filled = fill_template("@A@ x@y @B@", {{"A", "@B@"}, {"B", "2"}}, "t");
  REQUIRE(filled);
  CHECK(*filled == "@B@ x@y 2");
  const auto missing = fill_template("@C@", {}, "some.in");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().to_string().find("some.in") != std::string::npos);
}

TEST_CASE("a kernel's source fits into a namespace of a header") {
  const EmbeddedSource source = embed_source(
      "#include \"task.h\"\n#  include <cmath>\n#define WIDTH 8\n"
      "extern \"C\" void tensorpath_kernel() {}\nextern \"C\" {\nvoid other() {}\n}\n");
  CHECK(source.headers == std::set<std::string>{"cmath"});
  CHECK(source.macros == std::vector<std::string>{"WIDTH"});
  CHECK(source.body.find("include") == std::string::npos);
  CHECK(source.body.find("static void tensorpath_kernel") != std::string::npos);
  CHECK(source.body.find("extern") == std::string::npos);
  CHECK(with_macros_kept(source).find("#pragma pop_macro(\"WIDTH\")") != std::string::npos);
}

TEST_CASE("numbers and names are what C takes") {
  CHECK(exact_number(1) == "1.0");
  CHECK(exact_number(1e-6) == "1e-06");
  CHECK(identifier_of("cpp_a-b.c_v1") == "cpp_a_b_c_v1");
}
