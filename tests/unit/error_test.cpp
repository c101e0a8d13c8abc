#include "catch.h"

#include <tensorpath/base/error.h>

using namespace tensorpath;

TEST_CASE("a diagnostic names file, line and column, then the hint") {
  const Diagnostic diagnostic{{"a.yaml", 3, 7}, "x is 'y', expected a number", "write 1"};
  CHECK(diagnostic.to_string() == "a.yaml:3:7: x is 'y', expected a number\n  hint: write 1");
}

TEST_CASE("unknown parts of a place are left out") {
  CHECK(SourceLocation{"a", 3, 0}.to_string() == "a:3");
  CHECK(SourceLocation{"a", 0, 0}.to_string() == "a");
  CHECK(Diagnostic{{}, "no place", ""}.to_string() == "no place");
}

TEST_CASE("an error lists all its diagnostics, one after the other") {
  const Error error{ExitCode::kUsage, {{{"a", 1, 1}, "one", ""}, {{"a", 2, 1}, "two", "do"}}};
  CHECK(error.to_string() == "a:1:1: one\na:2:1: two\n  hint: do");
}

TEST_CASE("a mistyped name finds its neighbour") {
  const std::vector<std::string> gpus = {"l4", "l40s", "a100_80gb_sxm", "h100_sxm", "h100_pcie"};
  CHECK(nearest_name("h100_smx", gpus) == "h100_sxm");  // two letters swapped
  CHECK(nearest_name("H100-SXM", gpus) == "h100_sxm");  // case and punctuation do not count
  CHECK(nearest_name("h10_sxm", gpus) == "h100_sxm");   // one left out
  CHECK(nearest_name("h100", gpus) == "h100_sxm");      // cut short: the shortest that continues it
  CHECK(nearest_name("l40", gpus) == "l40s");           // continued rather than shortened
}

TEST_CASE("nothing is suggested for a name that is near to none") {
  CHECK(nearest_name("banana", {"l40s", "h100_sxm"}).empty());
  CHECK(nearest_name("", {"l40s"}).empty());
  CHECK(nearest_name("--", {"l40s"}).empty());
  CHECK(nearest_name(std::string(100'000, 'a'), {"aaaa"}).empty());
}

TEST_CASE("a suggestion is the nearest name or the choice") {
  CHECK(suggestion("ttft", {"ttft_ms", "tpot_ms"}) == "did you mean 'ttft_ms'?");
  CHECK(suggestion("banana", {"a1", "b2"}) == "one of: a1, b2");
  CHECK(suggestion("banana", {"a1", "b2", "c3"}, 2) == "one of: a1, b2, ... (3 in all)");
  CHECK(suggestion("banana", {}).empty());
}

TEST_CASE("quoted input cannot break the line or the terminal") {
  CHECK(quote_input("a\n\x1b[31mb\x7f") == "'a\\x0a\\x1b[31mb\\x7f'");
  CHECK(quote_input(std::string(1000, 'x')).size() < 100);
  CHECK(quote_input("größe") == "'größe'");
}
