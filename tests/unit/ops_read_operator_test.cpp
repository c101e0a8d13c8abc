// An operator's file: what is read, and that each mistake is named with its place.
#include "catch.h"

#include <tensorpath/ops/operator.h>

using namespace tensorpath;

namespace {

const reference::Entry kReference = {"scaled", [](const reference::Call&) {}, nullptr};

const std::string kGood = R"(name: scaled
summary: y = factor x, plus what y was
family: elementwise
source: a test
kind: arithmetic
nan: NaN propagates
dtypes: [fp32, bf16]
without_regimes: [huge]
dims:
  rows: {range: [1, 64], typical: 4}
  hidden: {range: [8, 1024], typical: 64, multiple_of: 8, at_most: rows * 256}
attributes:
  factor: {integer: true, default: 2, choices: [2, 3]}
inputs:
  x: {dtype: T, shape: [rows, hidden], limit: 1.0e+30}
outputs:
  y: {dtype: T, shape: [rows, hidden], inout: true}
roundings:
  product: T
invariants:
  - {rule: permute_rows, name: rows are independent, output: y, inputs: [x, y]}
flops: 2 * rows * hidden
bytes: 3 * rows * hidden * sizeof(T)
smoke:
  - {rows: 2, hidden: 16}
baselines:
  host: [naive]
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& yaml) {
  const auto spec = read_operator(yaml, "scaled.yaml", &kReference, "");
  return spec ? "" : spec.error().to_string();
}

// The one mistake that `to` in the place of `from` makes.
std::string mistake(const std::string& from, const std::string& to) {
  return error_of(replaced(kGood, from, to));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
#define CHECK_MISTAKE(from, to, part)           \
  {                                             \
    const std::string said = mistake(from, to); \
    INFO("said: " << said);                     \
    CHECK(contains(said, part));                \
  }

}  // namespace

TEST_CASE("a whole file gives a whole operator") {
  const auto spec = read_operator(kGood, "scaled.yaml", &kReference, "");
  INFO((spec ? "" : spec.error().to_string()));
  REQUIRE(spec);
  CHECK(spec->name == "scaled");
  CHECK(spec->dtypes == std::vector<DType>{DType::kFp32, DType::kBf16});
  CHECK(spec->find_dim("hidden")->typical == 64);
  CHECK(spec->find_dim("hidden")->at_most.evaluate({{"rows", 3}}) == 768);
  CHECK(spec->find_attribute("factor")->choices == std::vector<double>{2, 3});
  CHECK(spec->find_input("x")->limit == 1e30);
  CHECK(spec->find_output("y")->inout);
  CHECK(spec->bytes.evaluate({{"rows", 2}, {"hidden", 8}, {"sizeof(T)", 4}}) == 192);
  CHECK(spec->smoke.front().at("hidden") == 16);
  CHECK(spec->reduction.evaluate({}) == 1);
  CHECK(std::find(spec->regimes.begin(), spec->regimes.end(), "huge") == spec->regimes.end());
  // An inout tensor is an input as well.
  CHECK(spec->invariants.front().inputs == std::vector<std::string>{"x", "y"});
}

TEST_CASE("a mistake is said with its place and the nearest right word") {
  CHECK_MISTAKE("family: elementwise", "family: elementwize", "scaled.yaml:3:9");
  CHECK_MISTAKE("family: elementwise", "family: elementwize", "did you mean 'elementwise'?");
  CHECK_MISTAKE("[fp32, bf16]", "[fp32, bf61]", "did you mean 'bf16'?");
  CHECK_MISTAKE("[huge]", "[hugh]", "did you mean 'huge'?");
  CHECK_MISTAKE("flops: 2 * rows", "flops: 2 * row", "did you mean 'rows'?");
  CHECK_MISTAKE("summary:", "sumary:", "unknown key 'sumary'");
  CHECK_MISTAKE("inputs: [x, y]", "inputs: [x, z]", "there is no input 'z'");
  CHECK_MISTAKE("output: y,", "output: x,", "there is no such output");
  // All at once.
  const std::string two = error_of(
      replaced(replaced(kGood, "kind: arithmetic", "kind: magic"), "rows: 2,", "rows: many,"));
  INFO(two);
  CHECK(contains(two, "scaled.yaml:5:7"));
  CHECK(contains(two, "many"));
}

TEST_CASE("what could not be drawn or compared is refused") {
  CHECK_MISTAKE("[fp32, bf16]", "[]", "at least one type");
  CHECK_MISTAKE("[huge]",
                "[normal, offset, tiny, denormal, huge, mixed, zeros, outlier, probe, special]",
                "no regime is left");
  CHECK_MISTAKE("range: [1, 64]", "range: [0.5, 64]", "two integers");
  CHECK_MISTAKE("range: [1, 64]", "range: [64, 1]", "two integers");
  CHECK_MISTAKE("typical: 4}", "typical: 65}", "outside the range");
  CHECK_MISTAKE("default: 2,", "default: 2.5,", "to be an integer");
  CHECK_MISTAKE("choices: [2, 3]", "choices: [2, 3.5]", "to be an integer");
  CHECK_MISTAKE("choices: [2, 3]", "choices: 2", "expected a list");
  CHECK_MISTAKE("  factor: {", "  rows: {", "'rows' is a dim already");
  CHECK_MISTAKE("  y: {dtype", "  x: {dtype", "'x' is there twice");
  CHECK_MISTAKE("shape: [rows, hidden], limit", "shape: rows, limit", "one to six dims");
  CHECK_MISTAKE(", inputs: [x, y]}", "}", "what is changed");
  CHECK_MISTAKE("  - {rows: 2, hidden: 16}", "  rows: 2", "expected a list");
  CHECK_MISTAKE("smoke:\n  - {rows: 2, hidden: 16}", "smoke: []", "at least one shape");
  CHECK_MISTAKE("{rows: 2, hidden: 16}", "{rows: 2, hidden: 2048}", "smoke.hidden");
  CHECK_MISTAKE("  - {rule: permute_rows, name: rows are independent, output: y, inputs: [x, y]}",
                "  rule: row_sum", "expected a list");
  CHECK_MISTAKE("  x: {dtype: T, shape: [rows, hidden], limit: 1.0e+30}", "  {}",
                "at least one tensor");
}

TEST_CASE("each formula has a value at the typical shape") {
  CHECK_MISTAKE("flops: 2 * rows * hidden", "flops: 2 / (rows - 4)", "flops, at the typical shape");
  CHECK_MISTAKE("flops: 2 * rows", "flops: -2 * rows", "'-2 * rows * hidden' is -512");
  CHECK_MISTAKE("shape: [rows, hidden], inout", "shape: [rows, rows - 5], inout",
                "y, at the typical shape");
  CHECK_MISTAKE("multiple_of: 8", "multiple_of: 4 - rows", "hidden, at the typical shape");
  CHECK_MISTAKE("at_most: rows * 256", "at_most: rows", "hidden, at the typical shape");
  // T is a type, and sizeof takes no other name.
  CHECK_MISTAKE("sizeof(T)", "sizeof(rows)", "expected T");
  CHECK_MISTAKE("* sizeof(T)", "* T", "sizeof(T)");
  // A dim knows only those before it, an attribute that is an integer is known to all formulas.
  CHECK_MISTAKE("typical: 4}", "typical: 4, at_most: hidden}", "'hidden' is not known here");
  CHECK(mistake("flops: 2 * rows", "flops: factor * rows").empty());
}

TEST_CASE("a file and its reference belong together") {
  const auto alone = read_operator(kGood, "scaled.yaml", nullptr, "");
  REQUIRE_FALSE(alone);
  CHECK(contains(alone.error().to_string(), "write kernels/reference/scaled.cpp"));
  CHECK_MISTAKE("name: scaled", "name: other", "that of its reference scaled");
  CHECK_MISTAKE("inout: true}", "inout: true, rule: codes}", "needs a judge");
}

TEST_CASE("every shipped operator is read") {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  INFO((operators ? "" : operators.error().to_string()));
  REQUIRE(operators);
  CHECK(operators->all().size() >= 38);
  const auto found = operators->find("fused_add_rmsnrm");
  REQUIRE_FALSE(found);
  CHECK(contains(found.error().to_string(), "did you mean 'fused_add_rmsnorm'?"));
}
