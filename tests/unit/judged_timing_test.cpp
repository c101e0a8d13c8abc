// Times held against floors, libraries and another clock, and what is said of them.
#include "catch.h"
#include "packet_fixture.h"

#include <tensorpath/harness/data_sheet.h>
#include <tensorpath/harness/judged_timing.h>

namespace tensorpath {
namespace {

using test::has;

Roofline floor_of(double measured_us, double physical_us) {
  Roofline floor;
  floor.floors = {measured_us, physical_us};
  return floor;
}

// The candidate of the fixture takes about 20 us, its baseline a quarter more.
JudgedTiming timing_of(std::vector<Roofline> floors, const std::string& baseline = "tuned") {
  TimingPlan plan = test::timing_plan();
  plan.arms[1].name = baseline;
  return judge_timing(plan, test::timed_samples(), floors);
}

TEST_CASE("what is slower than every floor is what its interval says") {
  const JudgedTiming timing = timing_of({floor_of(10, 9)});
  CHECK(timing.word() == "FAST");
  CHECK(timing.obstacle().empty());
  CHECK(timing.rest_ratios.empty());
  CHECK(to_json(timing).at("cases").at(0).at("roofline").at("invalid") == false);
}

TEST_CASE("beyond the data sheet by more than a clock may be off is INVALID") {
  CHECK(timing_of({floor_of(0, 20.5)}).word() == "FAST");
  const JudgedTiming timing = timing_of({floor_of(0, 22)});
  CHECK(timing.word() == "INVALID");
  CHECK(has(timing.obstacle(), "data sheet"));
  // No audit makes it valid.
  JudgedTiming audited = timing;
  audited.held_again = true;
  CHECK(audited.word() == "INVALID");
  CHECK(!audited.obstacle().empty());
}

TEST_CASE("a library of a vendor beaten twofold is suspect, other baselines are not") {
  TimingPlan plan = test::timing_plan();
  auto samples = test::timed_samples();
  for (TimedSample& sample : samples) {
    if (sample.arm == 1) sample.seconds *= 2;
  }
  CHECK(judge_timing(plan, samples, {}).word() == "FAST");
  for (const char* name : {"cublaslt", "cudnn", "onednn", "openblas"}) {
    plan.arms[1].name = name;
    JudgedTiming timing = judge_timing(plan, samples, {});
    CHECK(timing.word() == "SUSPECT");
    CHECK(has(timing.obstacle(), name));
    timing.held_again = true;
    CHECK(timing.word() == "FAST");
    CHECK(timing.obstacle().empty());
  }
}

TEST_CASE("an audit does not settle what two clocks tell differently") {
  auto samples = test::timed_samples();
  for (TimedSample& sample : samples) {
    if (sample.arm == 0) sample.stop_seconds = 5e-6;
  }
  JudgedTiming timing = judge_timing(test::timing_plan(), samples, {floor_of(30, 0)});
  REQUIRE(timing.rest_ratios.size() == 1);
  timing.held_again = true;
  CHECK(has(timing.obstacle(), "at rest"));
}

TEST_CASE("floors come back from the cases as they were printed") {
  const JudgedTiming timing = timing_of({floor_of(12.3456789, 7)});
  const auto floors = read_floors(to_json(timing).at("cases"));
  REQUIRE(floors.size() == 1);
  CHECK(floors[0].floors.measured_us == timing.rooflines[0].floors.measured_us);
  CHECK(floors[0].floors.physical_us == 7);
  CHECK(to_json(judge_timing(timing.plan, test::timed_samples(), floors)) == to_json(timing));
  // Without ceilings there is a data sheet's floor alone.
  CHECK(read_floors(to_json(timing_of({floor_of(0, 7)})).at("cases"))[0].floors.measured_us == 0);
  CHECK(read_floors(to_json(timing_of({})).at("cases")).empty());
}

TEST_CASE("a data sheet is of a device by figures, and bounds bytes and operations") {
  const DataSheet sheet{"h200_sxm", "sm_90", 132,
                        150e9,      4.8e12,  {{"fp32", 67e12}, {"bf16", 989e12}, {"fp8", 1979e12}}};
  CHECK(sheet.is_of("sm_90", 132, 149e9));
  CHECK(!sheet.is_of("sm_90", 132, 80e9));
  CHECK(!sheet.is_of("sm_90", 114, 150e9));
  CHECK(sheet.floor_seconds(4.8e12, 1, DType::kFp16) == Approx(1));
  // fp32 by products of bf16; of fp8 only what is narrower or equal.
  CHECK(sheet.floor_seconds(1, 989e12, DType::kFp32) == Approx(1));
  CHECK(sheet.floor_seconds(1, 1979e12, DType::kFp8E4M3) == Approx(1));
}

}  // namespace
}  // namespace tensorpath
