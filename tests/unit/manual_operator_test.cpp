// The worked example of tensorpath-operator(5) is what it claims to be: two files make an operator,
// which the mutation check holds up in every type.
#include "catch.h"
#include "data/operators/l2_normalize.cpp"

#include <tensorpath/base/file.h>
#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

const std::string kExample = TENSORPATH_SOURCE_DIR "/tests/data/operators/l2_normalize";

std::string text_of(const std::string& path) {
  const auto text = read_file(path, 1U << 20);
  REQUIRE(text);
  return *text;
}

Expected<OperatorSpec> example() {
  return read_operator(text_of(kExample + ".yaml"), "l2_normalize.yaml",
                       &tensorpath_reference_l2_normalize, "");
}

// Text as mdoc source shows it literally.
std::string literal(const std::string& text) {
  std::string found;
  for (const char c : text) {
    if (c == '\\') {
      found += "\\e";
    } else if ((found.empty() || found.back() == '\n') && (c == '.' || c == '\'')) {
      found += std::string("\\&") + c;
    } else {
      found += c;
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the manual shows both files of the example as they are") {
  const std::string page = text_of(TENSORPATH_SOURCE_DIR "/man/tensorpath-operator.5");
  CHECK(page.find(literal(text_of(kExample + ".yaml"))) != std::string::npos);
  CHECK(page.find(literal(text_of(kExample + ".cpp"))) != std::string::npos);
}

TEST_CASE("the example is a whole operator") {
  const auto spec = example();
  REQUIRE(spec);
  CHECK(spec->name == "l2_normalize");
  for (const DType dtype : spec->dtypes) {
    const auto domain =
        make_domain(*spec, dtype, {{"rows", 1, 16}, {"hidden", 1, 257}}, {{"eps", 1e-4}});
    REQUIRE(domain);
    const auto report = check_mutants(*spec, *domain, Key{}, 44);
    REQUIRE(report);
    CHECK(report->wrongly_failed.empty());
    for (const MutantResult& mutant : report->mutants) {
      INFO(name_of(dtype) << ": " << mutant.mutant);
      CHECK((mutant.killed_by != 0 || mutant.equal));
    }
  }
}

TEST_CASE("the manual names every key, word and type of an operator's file") {
  const std::string page = text_of(TENSORPATH_SOURCE_DIR "/man/tensorpath-operator.5");
  std::vector<std::string> words = regime_names();
  for (const std::string& name : dtype_names()) words.push_back(name);
  for (const Rule rule : {Rule::kBounded, Rule::kBitwise, Rule::kExact, Rule::kSelection,
                          Rule::kSample, Rule::kCodes}) {
    words.emplace_back(name_of(rule));
  }
  // As strings: that is how the reader knows its keys and words.
  const std::string reader = text_of(TENSORPATH_SOURCE_DIR "/lib/src/ops/read_operator.cpp");
  for (std::size_t at = 0; (at = reader.find('"', at)) != std::string::npos;) {
    const std::size_t end = reader.find('"', at + 1);
    const std::string word = reader.substr(at + 1, end - at - 1);
    at = end + 1;
    const bool key = word.size() > 1 &&
                     word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    if (key) words.push_back(word);
  }
  for (const std::string& word : words) {
    INFO(word);
    CHECK((page.find("Cm " + word) != std::string::npos ||
           page.find(" " + word + " ,") != std::string::npos ||
           page.find(" " + word + "\n") != std::string::npos));
  }
}
