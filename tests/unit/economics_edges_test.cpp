// The edges of economics.h (zero, infinite, refused input) and the properties that hold for any
// input. The worked examples are in economics_test.cpp.
#include "catch.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <tensorpath/economics.h>

using namespace tensorpath;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

PlanLoad usual_load() {
  PlanLoad load;
  load.usd_per_gpu_hour = 2.0;
  load.gpus = 4;
  load.offered_requests_s = 10;
  load.capacity_requests_s = 25;
  load.isl_tokens = 900;
  load.osl_tokens = 100;
  load.requests_per_attempt = 3;
  load.attempts = {0.8, 2, 0};
  load.power = {PowerBasis::kGpu, 0.7, 1.2};
  load.usd_per_kwh = 0.1;
  return load;
}

PlanEconomics economics_of(const PlanLoad& load) {
  const auto result = plan_economics(load);
  if (!result) FAIL(result.error().to_string());
  return *result;
}

std::string refusal_of(const PlanLoad& load) {
  const auto result = plan_economics(load);
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().exit_code == ExitCode::kUsage);
  return result.error().to_string();
}

bool mentions(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("GPUs are billed in whole lots of what one can rent") {
  CHECK(billed_gpus(3, 8) == 8);
  CHECK(billed_gpus(8, 8) == 8);
  CHECK(billed_gpus(9, 8) == 16);  // two instances of eight
  CHECK(billed_gpus(9, 0) == 9);
  CHECK(billed_gpus(0, 8) == 0);  // nothing rented, nothing billed
  CHECK(usd_per_hour(2.5, 3, 8) == Approx(20));
  CHECK(usd_per_month(usd_per_hour(2.5, 3)) == Approx(7.5 * 730.5));
}

TEST_CASE("a cost over no output is infinite, and nothing over nothing undefined") {
  CHECK(usd_per_mtok(4.0, 0) == kInf);
  CHECK(std::isnan(usd_per_mtok(0, 0)));
  CHECK(per_success(10, 0) == kInf);
  CHECK(gpu_hours_per_mtok(0) == kInf);
  CHECK(gpus_for_rate(1000, 0) == kInf);
  CHECK(usd_per_mtok(4.0, kInf) == 0);
  CHECK(token_cost(4.0, 10, 500, 0).usd_per_mtok_output == kInf);
  CHECK(std::isfinite(token_cost(4.0, 10, 500, 0).usd_per_mtok_total));
}

TEST_CASE("a negative or missing quantity never becomes a figure") {
  CHECK(std::isnan(usd_per_mtok(-1, 100)));
  CHECK(std::isnan(usd_per_hour(kNaN, 4)));
  CHECK(std::isnan(token_cost(4, 10, -1, 100).usd_per_mtok_total));
  CHECK(std::isnan(change_percent(0, 5)));
  CHECK(std::isnan(facility_kw(2, 132, 0.9)));  // no PUE is under 1
  CHECK(std::isnan(whole_units(-1)));
  CHECK(std::isnan(amdahl_speedup({1, -1, 0}, 2)));
  CHECK(std::isnan(littles_law_output_tok_s(-4, 10)));
}

TEST_CASE("attempts at a success rate of one, zero and between") {
  SECTION("always succeeds: one attempt, whatever may be retried") {
    const Attempts sure{1, 5, 0};
    CHECK(attempts_per_task(sure) == 1);
    CHECK(success_per_task(sure) == 1);
    CHECK(attempts_per_success(sure) == 1);
  }
  SECTION("never succeeds: all attempts are paid and no success comes") {
    const Attempts never{0, 3, 0};
    CHECK(attempts_per_task(never) == 3);
    CHECK(success_per_task(never) == 0);
    CHECK(attempts_per_success(never) == kInf);
    CHECK(usd_per_successful_task({0.5, 0}, never) == kInf);
    CHECK(kwh_per_successful_task(0.5, never) == kInf);
  }
  SECTION("by hand: 0.92 and two attempts") {
    const Attempts attempts{0.92, 2, 0};
    CHECK(attempts_per_task(attempts) == Approx(1 + 0.08));
    CHECK(success_per_task(attempts) == Approx(0.92 + 0.08 * 0.92));
    CHECK(attempts_per_success(attempts) == Approx(1 / 0.92));
    // 1.08 attempts and 0.08 retries over 0.9936 successes.
    CHECK(usd_per_successful_task({0.10, 0.05}, attempts) ==
          Approx((1.08 * 0.10 + 0.08 * 0.05) / 0.9936));
  }
  SECTION("rejected attempts cost and give nothing") {
    CHECK(success_per_attempt({0.8, 1, 0.25}) == Approx(0.6));
    CHECK(attempts_per_success({1, 1, 1}) == kInf);
  }
  SECTION("a tiny success rate keeps its digits") {
    CHECK(attempts_per_task({1e-18, 1000, 0}) == Approx(1000));
  }
}

TEST_CASE("figures out of range are refused with their name") {
  CHECK(mentions(check_attempts({92, 1, 0}).error().to_string(), "success_rate is 92"));
  CHECK(mentions(check_attempts({92, 1, 0}).error().to_string(), "0.92"));
  CHECK_FALSE(check_attempts({kNaN, 1, 0}).has_value());
  CHECK(mentions(check_attempts({0.5, 0, 0}).error().to_string(), "max_attempts is 0"));
  CHECK(mentions(check_attempts({0.5, 1, -0.1}).error().to_string(), "rejected_share"));
  CHECK(mentions(check_power({PowerBasis::kGpu, 0.7, 0.95}).error().to_string(), "pue is 0.95"));
  CHECK(mentions(check_power({PowerBasis::kFacility, 0.7, 1.2}).error().to_string(), "expected 1"));
  CHECK(mentions(check_power({PowerBasis::kUnknown, 0.7, 1.2}).error().to_string(), "it_rack"));
  CHECK_FALSE(check_power({PowerBasis::kGpu, kInf, 1.2}).has_value());
  CHECK_FALSE(check_power({PowerBasis::kGpu, 0.7, kNaN}).has_value());
  CHECK(check_power({PowerBasis::kItRack, 0.7, 1}).has_value());
}

TEST_CASE("PUE is applied to IT power and not to power at the meter") {
  CHECK(facility_kw_per_gpu({PowerBasis::kGpu, 0.5, 1.2}) == Approx(0.6));
  CHECK(facility_kw_per_gpu({PowerBasis::kItRack, 0.5, 1.2}) == Approx(0.6));
  CHECK(facility_kw_per_gpu({PowerBasis::kFacility, 0.5, 1}) == Approx(0.5));
  CHECK(facility_kw_per_gpu({PowerBasis::kFacility, 0.5, 1.2}) == Approx(0.5));
}

TEST_CASE("a price is old from its 91st day on") {
  CHECK(price_age("2026-01-01", "2026-04-01")->days == 90);
  CHECK_FALSE(price_age("2026-01-01", "2026-04-01")->old);
  CHECK(price_age("2026-01-01", "2026-04-02")->old);
  CHECK(price_age("2028-02-28", "2028-03-01")->days == 2);  // a leap day between
  CHECK(price_age("2026-04-02", "2026-04-01")->days == -1);
  CHECK_FALSE(price_age("2026-04-02", "2026-04-01")->old);
}

TEST_CASE("a malformed date is refused with the form it should have") {
  for (const std::string date : {"", "2026-13-01", "2026-02-30", "01.02.2026", "2026-1-1",
                                 "2026-01-01T00:00", "yesterday"}) {
    INFO("date '" << date << "'");
    const auto as_price = price_age(date, "2026-01-01");
    REQUIRE_FALSE(as_price.has_value());
    CHECK(mentions(as_price.error().to_string(), "YYYY-MM-DD"));
    CHECK_FALSE(price_age("2026-01-01", date).has_value());
  }
}

TEST_CASE("whole units round up, but not over rounding noise") {
  CHECK(whole_units(20.000000000001) == 20);
  CHECK(whole_units(20.001) == 21);
  CHECK(whole_units(0) == 0);
  CHECK(whole_units(kInf) == kInf);
  CHECK(fleet_for_tasks(0.3, 0.1, 100, 1.2).racks == 3);  // 0.3 / 0.1 is 2.9999999999999996
  CHECK(fleet_for_tasks(10, 0, 100, 1.2).racks == kInf);
}

TEST_CASE("more GPUs after than before frees a negative number") {
  const FreedCapacity freed = freed_capacity(1e6, 2000, 1000, {72, 132, 1.2}, 0.1);
  CHECK(freed.gpus == Approx(-500));
  CHECK(freed.usd_per_day < 0);
}

TEST_CASE("break-even of disaggregation at its edges") {
  CHECK(disaggregation_break_even_tokens(10, 10, 50) == kInf);
  CHECK(disaggregation_break_even_tokens(10, 12, 0) == kInf);
  CHECK(disaggregation_break_even_tokens(12, 10, 0) == 0);
}

TEST_CASE("no GPU speeds up what is not GPU time") {
  CHECK(amdahl_speedup({0, 2, 1}, 100) == 1);
  CHECK(amdahl_bound({1, 0, 0}) == kInf);
  CHECK(amdahl_speedup({3, 1, 0}, 1) == 1);
  for (const double faster : {1.5, 4.0, 1e9}) {
    CHECK(amdahl_speedup({3, 1, 0.5}, faster) < amdahl_bound({3, 1, 0.5}));
  }
}

TEST_CASE("a plan's cost block by hand") {
  const PlanEconomics e = economics_of(usual_load());
  CHECK(e.usd_per_hour == Approx(8));
  CHECK(e.usd_per_month == Approx(8 * 730.5));
  // 10 requests/s of 100 tokens out are 3.6 Mtok/h, of 1000 in all 36.
  CHECK(e.tokens_at_offered_load.usd_per_mtok_output == Approx(8 / 3.6));
  CHECK(e.tokens_at_offered_load.usd_per_mtok_total == Approx(8 / 36.0));
  CHECK(e.tokens_at_slo_capacity.usd_per_mtok_output == Approx(8 / 9.0));
  // 36,000 requests/h are 12,000 attempts, of which 0.8 succeed.
  CHECK(e.task_at_offered_load.successful_tasks_per_hour == Approx(9600));
  CHECK(e.task_at_offered_load.usd_per_task == Approx(8 / 9600.0));
  CHECK(e.task_at_offered_load.kwh_per_task == Approx(4 * 0.7 * 1.2 / 9600));
  CHECK(e.power_basis == PowerBasis::kGpu);
}

TEST_CASE("load beyond the capacity is no output") {
  PlanLoad load = usual_load();
  load.offered_requests_s = 100;
  const PlanEconomics e = economics_of(load);
  CHECK(e.served_requests_s == 25);
  CHECK(e.tokens_at_offered_load.usd_per_mtok_output ==
        e.tokens_at_slo_capacity.usd_per_mtok_output);
}

TEST_CASE("a plan that serves nothing has no unit cost") {
  PlanLoad load = usual_load();
  load.capacity_requests_s = 0;
  const PlanEconomics e = economics_of(load);
  CHECK(e.tokens_at_slo_capacity.usd_per_mtok_output == kInf);
  CHECK(e.task_at_offered_load.usd_per_task == kInf);
  CHECK(json_number(e.task_at_offered_load.usd_per_task).is_null());
}

TEST_CASE("a plan with a figure out of range is refused with its name") {
  PlanLoad load = usual_load();
  SECTION("price") {
    load.usd_per_gpu_hour = -1;
    CHECK(mentions(refusal_of(load), "usd_per_gpu_hour is -1"));
  }
  SECTION("rate") {
    load.offered_requests_s = kInf;
    CHECK(mentions(refusal_of(load), "offered_requests_s"));
  }
  SECTION("no GPUs") {
    load.gpus = 0;
    CHECK(mentions(refusal_of(load), "gpus is 0"));
  }
  SECTION("turns") {
    load.requests_per_attempt = 0;
    CHECK(mentions(refusal_of(load), "requests_per_attempt"));
  }
  SECTION("PUE") {
    load.power.pue = 0.5;
    CHECK(mentions(refusal_of(load), "pue is 0.5"));
  }
  SECTION("success rate") {
    load.attempts.success_rate = 1.5;
    CHECK(mentions(refusal_of(load), "success_rate"));
  }
}

TEST_CASE("every cost of a plan is linear in its price") {
  PlanLoad load = usual_load();
  const PlanEconomics once = economics_of(load);
  const double factor = GENERATE(0.0, 0.5, 3.0, 1e6);
  load.usd_per_gpu_hour *= factor;
  const PlanEconomics scaled = economics_of(load);
  CHECK(scaled.usd_per_month == Approx(factor * once.usd_per_month));
  CHECK(scaled.tokens_at_offered_load.usd_per_mtok_total ==
        Approx(factor * once.tokens_at_offered_load.usd_per_mtok_total));
  CHECK(scaled.task_at_slo_capacity.usd_per_task ==
        Approx(factor * once.task_at_slo_capacity.usd_per_task));
  CHECK(scaled.task_at_slo_capacity.kwh_per_task == once.task_at_slo_capacity.kwh_per_task);
}

TEST_CASE("allowing more retries never makes a successful task cheaper") {
  const double success_rate = GENERATE(0.001, 0.1, 0.5, 0.92, 0.999, 1.0);
  const double retry_usd = GENERATE(0.0, 0.3);
  double before = 0;
  for (int max_attempts = 1; max_attempts <= 64; ++max_attempts) {
    const double usd = usd_per_successful_task({1.0, retry_usd}, {success_rate, max_attempts, 0});
    INFO("success rate " << success_rate << ", attempts " << max_attempts);
    CHECK(usd >= before * (1 - 1e-12));
    before = usd;
  }
}

TEST_CASE("a lower success rate or more rejects never make a successful task cheaper") {
  double by_rate = 0, by_rejects = 0;
  for (int step = 0; step <= 20; ++step) {
    const double share = step / 20.0;
    const double rate_usd = usd_per_successful_task({1.0, 0.1}, {1 - share, 3, 0});
    const double reject_usd = usd_per_successful_task({1.0, 0.1}, {0.9, 3, share});
    INFO("share " << share);
    CHECK(rate_usd >= by_rate);
    CHECK(reject_usd >= by_rejects);
    by_rate = rate_usd;
    by_rejects = reject_usd;
  }
  CHECK(by_rate == kInf);
  CHECK(by_rejects == kInf);
}

TEST_CASE("retries add load, and tasks counted back from that load are the successful ones") {
  const Attempts attempts{0.6, 4, 0.1};
  const double requests = requests_per_hour_for(1000, 3, attempts);
  CHECK(requests > 3000);
  CHECK(successful_tasks_per_hour(requests, 3, attempts) ==
        Approx(1000 * success_per_task(attempts)));
}
