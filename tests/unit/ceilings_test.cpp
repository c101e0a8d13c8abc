// Ceilings and what follows from them.
#include "catch.h"
#include "scratch.h"

#include <cmath>

#include <tensorpath/harness/ceilings.h>
#include <tensorpath/harness/roofline.h>

using namespace tensorpath;

namespace {

HostCeilings ceilings() {
  HostCeilings out;
  out.processor = host_processor();
  out.isa_level = "x86-64-v3";
  out.threads = 1;
  out.read_bytes_s = 10e9;
  out.copy_bytes_s = 12e9;
  out.cache_bytes_s = 30e9;
  out.cache_bytes = 4 << 20;
  out.fp32_flops_s = 100e9;
  out.empty_call_s = 5e-6;
  out.measured_at = *parse_utc("2026-11-30T07:30:00.000000Z");
  return out;
}

}  // namespace

TEST_CASE("the floor is the longer of the time for bytes and the time for operations") {
  const Roof roof = roof_of(ceilings(), DType::kFp32);
  CHECK(std::fabs(roof.floor_seconds(12e9, 1e9) - 1) < 1e-12);
  CHECK(std::fabs(roof.floor_seconds(1, 200e9) - 2) < 1e-12);
  CHECK(std::fabs(roof.floor_seconds(12e9, 1e9, 6e9) - 0.5) < 1e-12);
  CHECK(roof.floor_seconds(0, 0) == ceilings().empty_call_s);
  // The units of narrower types were not measured.
  CHECK(roof_of(ceilings(), DType::kFp16).floor_seconds(1, 200e9) == ceilings().empty_call_s);
}

TEST_CASE("the SOL score is half at the baseline, one at the floor, and not clipped") {
  CHECK(*sol_score(4, 1, 4) == 0.5);
  CHECK(*sol_score(1, 1, 4) == 1);
  CHECK(*sol_score(7, 1, 4) < 0.5);
  CHECK(*sol_score(0.5, 1, 4) > 1);
  CHECK(!sol_score(1, 1, 1.05));
  CHECK(!sol_score(1, 1, 0.9));
}

TEST_CASE("stored ceilings are found again, by threads and for this processor") {
  const test::Scratch scratch;
  HostCeilings one = ceilings();
  REQUIRE(store_ceilings(one, scratch.path()));
  one.threads = 4;
  REQUIRE(store_ceilings(one, scratch.path()));
  CHECK(list_ceilings(scratch.path()).size() == 2);
  const auto found = find_ceilings(scratch.path(), 4);
  REQUIRE(found);
  CHECK(to_json(*found) == to_json(one));
  CHECK(!find_ceilings(scratch.path(), 2));
  one.processor = "another";
  REQUIRE(store_ceilings(one, scratch.path()));
  CHECK(!find_ceilings(scratch.path(), 4));
}

TEST_CASE("what are no ceilings is said to be none") {
  const Json good = to_json(ceilings());
  REQUIRE(read_host_ceilings(good, "f"));
  for (const auto& item : good.items()) {
    if (item.key() == "device" || item.key() == "provenance") continue;
    Json bad = good;
    bad.erase(item.key());
    CHECK(!read_host_ceilings(bad, "f"));
    bad[item.key()] = Json::array();
    CHECK(!read_host_ceilings(bad, "f"));
  }
  Json bad = good;
  bad["read_gb_s"] = 0;
  CHECK(!read_host_ceilings(bad, "f"));
}
