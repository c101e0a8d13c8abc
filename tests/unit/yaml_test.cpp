#include "catch.h"

#include <tensorpath/base/yaml.h>

using namespace tensorpath;

namespace {

YamlNode parsed(const std::string& text) {
  auto node = parse_yaml(text, "f.yaml");
  INFO(text << " -> " << (node ? "" : node.error().to_string()));
  REQUIRE(node);
  return *node;
}

std::string error_of(const std::string& text, const YamlLimits& limits = {}) {
  const auto node = parse_yaml(text, "f.yaml", limits);
  return node ? "parsed" : node.error().to_string();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("every node knows its line and column, counted from one") {
  const YamlNode root = parsed("a: 1\nb:\n  - x\n  - {c: 2}\n");
  CHECK(root.where.line == 1);
  CHECK(root.find("a")->where.column == 4);
  const YamlNode& second = root.find("b")->items[1];
  CHECK(second.where.to_string() == "f.yaml:4:5");
  CHECK(second.find("c")->where.to_string() == "f.yaml:4:9");
  CHECK(root.key_positions[1] == std::pair<int, int>{2, 1});
}

TEST_CASE("an absent value is null and stands where its key does") {
  const YamlNode root = parsed("a:\nb: ~\nc: null\nd: 'null'\n");
  CHECK(root.find("a")->is_null());
  CHECK(root.find("a")->where.line == 1);
  CHECK(root.find("b")->is_null());
  CHECK(root.find("c")->is_null());
  CHECK(root.find("d")->is_scalar());
}

TEST_CASE("quotes make text of numbers and booleans") {
  const YamlNode root = parsed("a: 12\nb: '12'\nc: true\nd: \"true\"\n");
  CHECK(yaml_number(*root.find("a")) == 12);
  CHECK(!yaml_number(*root.find("b")));
  CHECK(yaml_bool(*root.find("c")) == true);
  CHECK(!yaml_bool(*root.find("d")));
}

TEST_CASE("a number is the whole text and finite") {
  for (const char* good : {"1", "-2.5", "+3", "1e3", "0.125", ".5"}) {
    INFO(good);
    CHECK(yaml_number(parsed(good)));
  }
  for (const char* bad :
       {"1x", "800ms", "0x10", "1_000", "nan", ".inf", "-.inf", "1e999", "++1", "true", "1 2"}) {
    INFO(bad);
    CHECK(!yaml_number(parsed(bad)));
  }
}

TEST_CASE("an empty document is null at the first line") {
  for (const char* text : {"", "\n\n", "# only a comment\n"}) {
    const YamlNode root = parsed(text);
    CHECK(root.is_null());
    CHECK(root.where.to_string() == "f.yaml:1:1");
  }
}

TEST_CASE("a byte-order mark and CRLF line ends are accepted") {
  const YamlNode root = parsed(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: x\r\n");
  CHECK(root.find("b")->scalar == "x");
  CHECK(root.find("a")->where.column == 4);
}

TEST_CASE("duplicate keys are refused, with both places") {
  CHECK(error_of("a: 1\nb: 2\na: 3\n") ==
        "f.yaml:3:1: key 'a' appears twice\n  hint: remove one; the first is in line 1");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "k" + std::to_string(i) + ": 1\n";
  CHECK(contains(error_of(many + "k3: 2\n"), "f.yaml:101:1: key 'k3' appears twice"));
}

TEST_CASE("anchors, aliases and tags are refused, so no bomb can be built") {
  CHECK(contains(error_of("a: &x 1\nb: *x\n"), "f.yaml:1:4: anchors ('&name') are not accepted"));
  CHECK(contains(error_of("a: &x [1]\n"), "anchors"));
  CHECK(contains(error_of("a: !!int 1\n"), "f.yaml:1:4: tags"));
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string n = std::to_string(i);
    const std::string before = std::to_string(i - 1);
    bomb += "a" + n + ": &a" + n + " [*a" + before + ", *a" + before + "]\n";
  }
  CHECK(contains(error_of(bomb), "f.yaml:1:5: anchors"));
}

TEST_CASE("a tab that indents is refused with its place; elsewhere it is not") {
  CHECK(error_of("a:\n\tb: 1\n") ==
        "f.yaml:2:1: a tab indents this line, expected spaces\n  hint: use spaces");
  CHECK(contains(error_of("a:\n  \t b: 1\n"), "f.yaml:2:3: a tab"));
  CHECK(error_of("a: 1\t# comment\n\t\nb:\t2\n") == "parsed");
}

TEST_CASE("a second document is refused") {
  CHECK(contains(error_of("a: 1\n---\nb: 2\n"), "f.yaml:2:1: a second document starts here"));
}

TEST_CASE("text that belongs to nothing above it is refused, not dropped") {
  CHECK(contains(error_of("- a\nb: 1\n"), "f.yaml:2:1: this line belongs to nothing above it"));
}

TEST_CASE("a quote that is never closed does not swallow the file") {
  CHECK(contains(error_of("a: \"x\nb: 1\n"), "hint: a quote is not closed"));
  CHECK(contains(error_of("a: 'x\nb: 1\n"), "hint: a quote is not closed"));
}

TEST_CASE("an open bracket says which") {
  CHECK(contains(error_of("a: [1, 2\nb: 3\n"), "every '[' has its ']'"));
  CHECK(contains(error_of("a: {x: 1\n"), "every '{' has its '}'"));
}

TEST_CASE("keys must be text") {
  CHECK(contains(error_of("? [a, b]\n: 1\n"), "f.yaml:1:3: a key is a list or a mapping"));
  CHECK(contains(error_of(": 1\n"), "a key is empty"));
}

TEST_CASE("bytes that yaml-cpp would guess about never reach it") {
  CHECK(
      contains(error_of(std::string("a: 1\nb: \0 2\n", 12)), "f.yaml:2:4: control character 0x00"));
  CHECK(contains(error_of("a: \x04\nb: 2\n"), "f.yaml:1:4: control character 0x04"));
  CHECK(contains(error_of("a: \xC0\x80\n"), "f.yaml:1:4: byte 0xc0 is not UTF-8"));
  CHECK(contains(error_of("\xFF\xFE"
                          "a"),
                 "save the file as UTF-8"));
  CHECK(contains(error_of("a: \xED\xA0\x80\n"), "is not UTF-8"));
}

TEST_CASE("the limits stop a document as it is read") {
  YamlLimits limits;
  limits.max_bytes = 100;
  CHECK(contains(error_of(std::string(101, '#'), limits), "larger than 100 B"));
  limits = {};
  limits.max_nodes = 10;
  CHECK(contains(error_of("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]", limits), "more than 10 values"));
  CHECK(error_of("[1, 2, 3, 4, 5, 6, 7, 8, 9]", limits) == "parsed");
}

TEST_CASE("nesting past 64 is refused in every notation") {
  CHECK(error_of(std::string(64, '[') + std::string(64, ']')) == "parsed");
  CHECK(contains(error_of(std::string(65, '[') + std::string(65, ']')), "nested deeper than 64"));
  std::string block;
  for (int i = 0; i < 70; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(contains(error_of(block), "nested deeper than 64"));
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  CHECK(contains(error_of(dashes), "nested deeper than 64"));
}

TEST_CASE("hostile text ends in an error and not in a crash") {
  for (const std::string& text :
       {std::string(200'000, '['), std::string(200'000, '{'), std::string(200'000, ':'),
        std::string(200'000, '\''), std::string(200'000, '"'), std::string(100'001, '?')}) {
    const auto node = parse_yaml(text, "f.yaml");
    INFO(text.substr(0, 3) << "...");
    if (!node) CHECK(!node.error().diagnostics.empty());
  }
}

TEST_CASE("an unknown key gets the nearest known one") {
  const YamlNode root = parsed("pritority: cost\n");
  Diagnostics problems;
  MapReader reader(root, "", problems);
  (void)reader.text("priority");
  reader.finish();
  CHECK(problems.to_error().to_string() ==
        "f.yaml:1:1: unknown key 'pritority'\n  hint: did you mean 'priority'?");
}

TEST_CASE("a key without its unit is told so") {
  const YamlNode root = parsed("ttft: 800\n");
  Diagnostics problems;
  MapReader reader(root, "slo", problems);
  (void)reader.number("ttft_ms");
  reader.finish();
  CHECK(problems.to_error().to_string() ==
        "f.yaml:1:1: unknown key 'ttft' in slo\n"
        "  hint: did you mean 'ttft_ms'? The unit belongs in the name");
}

TEST_CASE("a wrong type reads as absent and is reported once") {
  const YamlNode root = parsed("a: many\nb: [1]\nc: {x: 1}\nd: 1.5\ne: maybe\nf: null\n");
  Diagnostics problems;
  MapReader reader(root, "", problems);
  CHECK(!reader.number("a"));
  CHECK(!reader.text("b"));
  CHECK(reader.text_list("c").empty());
  CHECK(!reader.integer("d"));
  CHECK(!reader.boolean("e"));
  CHECK(!reader.number("f"));  // null is absent, which is no mistake
  reader.finish();
  CHECK(problems.size() == 5);
}

TEST_CASE("a number outside its range is told the range") {
  const YamlNode root = parsed("share: 1.5\nrate: 0\nturns: -1\n");
  Diagnostics problems;
  MapReader reader(root, "", problems);
  (void)reader.number("share", {0, 1});
  (void)reader.number("rate", {0, 1e18, true});
  (void)reader.number("turns");
  CHECK(problems.to_error().to_string() ==
        "f.yaml:1:8: share is 1.5, expected between 0 and 1\n"
        "f.yaml:2:7: rate is 0, expected more than 0\n"
        "f.yaml:3:8: turns is -1, expected 0 or more");
}

TEST_CASE("all mistakes are reported in file order, and a flood is counted") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const YamlNode root = parsed(text);
  Diagnostics problems;
  MapReader reader(root, "", problems);
  (void)reader.text("name");
  reader.finish();
  const Error error = problems.to_error();
  REQUIRE(error.diagnostics.size() == 21);
  CHECK(error.exit_code == ExitCode::kUsage);
  CHECK(error.diagnostics[0].where.line == 1);
  CHECK(error.diagnostics[20].message == "and 4980 more mistakes");
}
