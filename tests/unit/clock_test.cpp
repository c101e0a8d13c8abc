#include "catch.h"

#include <set>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/random.h>

using namespace tensorpath;

TEST_CASE("a time is written and read back to the microsecond") {
  for (const char* text :
       {"2026-11-29T15:33:16.123456Z", "1970-01-01T00:00:00.000000Z", "2024-02-29T23:59:59.999999Z",
        "1969-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.000001Z"}) {
    const auto time = parse_utc(text);
    REQUIRE(time.has_value());
    CHECK(utc_text(*time) == text);
  }
  CHECK(parse_utc("2026-11-29T15:33:16Z") == parse_utc("2026-11-29T15:33:16.000000Z"));
  CHECK(parse_utc("2026-11-29T15:33:16.5Z") == parse_utc("2026-11-29T15:33:16.500000Z"));
  CHECK(utc_text(WallTime(std::chrono::microseconds(1'000'000'000'000'007))) ==
        "2001-09-09T01:46:40.000007Z");
}

TEST_CASE("what is no time is refused") {
  for (const char* text :
       {"", "2026-11-29", "2026-11-29T15:33:16", "2026-11-29 15:33:16Z", "2026-11-29T15:33:16.Z",
        "2026-11-29T15:33:16.1234567Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-11-29T24:00:00Z", "2026-11-29T15:60:16Z",
        "2026-11-29T15:33:60Z", "2026-11-29T15:33:16Z ", "+026-11-29T15:33:16Z",
        "2026-11-29T15:33:16+01:00"}) {
    INFO(text);
    CHECK(!parse_utc(text));
  }
}

TEST_CASE("random bytes are as many as asked for and differ") {
  CHECK(random_bytes(0).value() == "");
  CHECK(random_bytes(100'000).value().size() == 100'000);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_bytes(32).value());
  CHECK(seen.size() == 100);
}
