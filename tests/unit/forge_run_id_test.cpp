#include "catch.h"

#include <algorithm>
#include <set>

#include <tensorpath/forge/run_id.h>

using namespace tensorpath;
using namespace tensorpath::forge;

namespace {

WallTime at(const char* text) { return parse_utc(text).value(); }

const std::vector<std::string> kIds{"20261128-100000-000-0000001", "20261129-153316-123-g7f9q2x",
                                    "20261129-153316-124-g7aaaaa", "20261130-000000-000-hjkmnpq"};

std::string error_of(std::string_view text, const std::vector<std::string>& ids = kIds) {
  const auto id = resolve_run_id(text, ids);
  REQUIRE(!id);
  CHECK(id.error().exit_code == ExitCode::kUsage);
  return id.error().to_string();
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("an id is the time and a group without mistakable letters") {
  const WallTime time = at("2026-11-29T15:33:16.123456Z");
  CHECK(run_id_of(time, 0) == "20261129-153316-123-e800000");
  CHECK(run_id_of(time, ~std::uint64_t{0}) == "20261129-153316-123-e8zzzzz");
  CHECK(run_id_of(time, 33) == run_id_of(time, 33));
  CHECK(run_time(run_id_of(time, 12345)) == time);
}

TEST_CASE("ids sort as their times, down to the microsecond") {
  std::vector<std::string> ids;
  WallTime time = at("2026-12-31T23:59:58.998990Z");
  // The random part runs backwards, so that it is the time that sorts.
  for (std::uint64_t i = 0; i < 3000; ++i) {
    ids.push_back(run_id_of(time, 10'000 - i));
    time += std::chrono::microseconds(i < 1500 ? 1 : 977);
  }
  CHECK(std::is_sorted(ids.begin(), ids.end()));
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == ids.size());
}

TEST_CASE("ids of one moment differ") {
  std::set<std::string> ids;
  const WallTime time = at("2026-11-29T15:33:16Z");
  for (int i = 0; i < 200; ++i) ids.insert(new_run_id(time).value());
  CHECK(ids.size() >= 199);  // two of 200 in 2^25 are equal once in 1,700 runs
}

TEST_CASE("nothing but an id is an id") {
  CHECK(is_run_id("20261129-153316-123-g7f9q2x"));
  for (const char* text :
       {"", "20261129-153316-123", "20261129-153316-123-g7f9q2", "20261129-153316-123-g7f9q2xx",
        "20261129-153316-123-G7F9Q2X", "20261129-153316-123-g7f9qlx", "20261129-153316-123-zzf9q2x",
        "20261329-153316-123-g7f9q2x", "20260230-153316-123-g7f9q2x", "20261129-243316-123-g7f9q2x",
        "20261129_153316_123_g7f9q2x", "../../../../etc/passwd/xxxx", "20261129-153316-123-../../x",
        ".0261129-153316-123-g7f9q2x"}) {
    INFO(text);
    CHECK(!is_run_id(text));
  }
}

TEST_CASE("a run is found by what is enough to tell it") {
  CHECK(resolve_run_id("20261129-153316-123-g7f9q2x", kIds).value() == kIds[1]);
  CHECK(resolve_run_id("20261129-153316-123", kIds).value() == kIds[1]);
  CHECK(resolve_run_id("20261130", kIds).value() == kIds[3]);
  // By the last group, and as somebody may read it to somebody else.
  CHECK(resolve_run_id("g7f", kIds).value() == kIds[1]);
  CHECK(resolve_run_id("HJKM", kIds).value() == kIds[3]);
  CHECK(resolve_run_id("000000l", kIds).value() == kIds[0]);
  CHECK(resolve_run_id("OOOOOOI", kIds).value() == kIds[0]);
}

TEST_CASE("several runs that match are named, the newest first") {
  const std::string error = error_of("20261129");
  CHECK(has(error, "'20261129' may be any of 2 runs"));
  CHECK(has(error, "one of: 20261129-153316-124-g7aaaaa, 20261129-153316-123-g7f9q2x"));
  CHECK(has(error_of("g7"), "may be any of 2 runs"));
  std::vector<std::string> many;
  for (std::uint64_t i = 0; i < 40; ++i) many.push_back(run_id_of(at("2026-11-29T15:33:16Z"), i));
  CHECK(has(error_of("2026", many), "... (40 in all)"));
}

TEST_CASE("an unknown run is an error with the nearest name") {
  CHECK(has(error_of("20261129-153316-123-g7f9q2y"), "did you mean '20261129-153316-123-g7f9q2x'"));
  const std::string far = error_of("zzz");
  CHECK(has(far, "no run 'zzz'"));
  CHECK(has(far, "one of: 20261130-000000-000-hjkmnpq, "));
  CHECK(has(error_of("2026", {}), "there are no runs here"));
  CHECK(has(error_of(""), "the run id is empty"));
  CHECK(has(error_of("", {kIds[0]}), "the run id is empty"));
  CHECK(has(error_of("../x"), "no run '../x'"));
  CHECK(!resolve_run_id(std::string(100'000, 'a'), kIds));
}
