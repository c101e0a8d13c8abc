#include "catch.h"

#include <cmath>
#include <limits>

#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>

using namespace tensorpath;

namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse_json(text, "f.json");
  return parsed ? "parsed" : parsed.error().to_string();
}

}  // namespace

TEST_CASE("objects keep the order of the file") {
  const auto parsed = parse_json(R"({"z": 1, "a": [2, {"m": null}], "k": "é"})", "f.json");
  REQUIRE(parsed);
  CHECK(to_line(*parsed) == R"({"z":1,"a":[2,{"m":null}],"k":"é"})");
}

TEST_CASE("a duplicate key is refused at its second place") {
  CHECK(error_of("{\"a\": 1,\n \"b\": {\"x\": 1,\n  \"x\": 2}}") ==
        "f.json:3:3: key 'x' appears twice\n  hint: remove one");
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"k" + std::to_string(i) + "\": 1, ";
  CHECK(error_of(many + "\"k\\u0037\": 2}").find("'k7' appears twice") != std::string::npos);
}

TEST_CASE("a syntax error names its line and column") {
  CHECK(error_of("{\"a\": 1,\n \"b\": }").find("f.json:2:7: not valid JSON: ") == 0);
  CHECK(error_of("").find("f.json:1:1: not valid JSON: ") == 0);
  CHECK(error_of("[1] x").find("f.json:1:5: ") == 0);
  CHECK(error_of("[1e999]").find("f.json:1:") == 0);
  CHECK(error_of("[NaN]").find("not valid JSON") != std::string::npos);
  CHECK(error_of("\"\xff\"").find("not valid JSON") != std::string::npos);
}

TEST_CASE("nesting past 64 is refused, at 64 it is not") {
  CHECK(error_of(std::string(64, '[') + std::string(64, ']')) == "parsed");
  CHECK(error_of(std::string(65, '[') + std::string(65, ']')) ==
        "f.json:1:65: nested deeper than 64 levels\n  hint: is it the right file?");
  CHECK(error_of(std::string(1'000'000, '[')).find("nested deeper") != std::string::npos);
}

TEST_CASE("numbers are written as the shortest text that reads back equal") {
  for (const double value : {0.1, 1.0 / 3, 1e-9, 123456789.125, 5e-324}) {
    const auto again = parse_json(to_line(Json(value)), "f.json");
    REQUIRE(again);
    CHECK(again->get<double>() == value);
  }
  CHECK(to_line(Json(0.1)) == "0.1");
  CHECK(to_line(Json(std::nan(""))) == "null");
  CHECK(to_line(Json(std::numeric_limits<double>::infinity())) == "null");
}

TEST_CASE("json_number rounds to significant digits") {
  CHECK(to_line(json_number(1234.56789)) == "1234.57");
  CHECK(to_line(json_number(800.0)) == "800");
  CHECK(to_line(json_number(0.000123456789, 3)) == "0.000123");
  CHECK(json_number(std::nan("")).is_null());
}

TEST_CASE("indented text ends in one line break") {
  CHECK(to_text(Json{{"a", 1}}) == "{\n  \"a\": 1\n}\n");
}

TEST_CASE("YAML text is plain where it can be and quoted where it must") {
  const Json tree = {{"name", "chat"},
                     {"version", "1.10"},
                     {"flag", "yes"},
                     {"args", {"--port", "8000", "a: b", "# no comment"}},
                     {"empty_list", Json::array()},
                     {"empty_map", Json::object()},
                     {"none", nullptr},
                     {"nested", {{{"k", 1}, {"l", {1, 2}}}, {{"k", 2}}}},
                     {"script", "set -e\nrun\n"}};
  CHECK(to_yaml_text(tree) ==
        "name: chat\n"
        "version: \"1.10\"\n"
        "flag: \"yes\"\n"
        "args:\n"
        "  - \"--port\"\n"
        "  - \"8000\"\n"
        "  - \"a: b\"\n"
        "  - \"# no comment\"\n"
        "empty_list: []\n"
        "empty_map: {}\n"
        "none: null\n"
        "nested:\n"
        "  - k: 1\n"
        "    l:\n"
        "      - 1\n"
        "      - 2\n"
        "  - k: 2\n"
        "script: |\n"
        "  set -e\n"
        "  run\n");
}

TEST_CASE("what is written as YAML reads back as the same text") {
  for (const std::string& text :
       {std::string("plain"),      std::string("two\nlines"), std::string(" lead"),
        std::string("trail "),     std::string("tab\there"),  std::string("\x7f and \x01"),
        std::string("é ü"),        std::string(""),           std::string("null"),
        std::string("12"),         std::string("a: b"),       std::string("ends:"),
        std::string("x #y"),       std::string("'q' \"d\""),  std::string("\n"),
        std::string("a\n\n"),      std::string("{a}"),        std::string("- a"),
        std::string("2024-01-01"), std::string("@x")}) {
    const std::string yaml = to_yaml_text(Json{{"key", text}, {text + "k", 1}});
    INFO(yaml);
    const auto again = parse_yaml(yaml, "again.yaml");
    REQUIRE(again);
    const YamlNode* value = again->find("key");
    REQUIRE(value != nullptr);
    CHECK(value->scalar == text);
    CHECK(!yaml_number(*value));
    CHECK(again->find(text + "k") != nullptr);
  }
}

TEST_CASE("a key too long for a simple YAML key is written as an explicit one") {
  const std::string key(2000, 'k');
  const auto again = parse_yaml(to_yaml_text(Json{{key, {1, 2}}}), "again.yaml");
  REQUIRE(again);
  REQUIRE(again->find(key) != nullptr);
  CHECK(again->find(key)->items.size() == 2);
}
