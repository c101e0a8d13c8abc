// What a plan costs, in dollars, kilowatt-hours, racks and GPUs, down to one successful task.
// Uses: 1) the cost block of a plan; 2) fleet and budget sizing; 3) checking a printed figure by
// computing it again. Formulas and bases for readers: tensorpath-economics(7).
//
// Rules that hold for every function here:
// - Each is pure. A quantity below zero, or NaN, gives NaN; a cost spread over zero output is
//   infinite. The JSON writer prints both as null: no made-up figure stands in for them.
// - What a person may have mistyped (PUE, success rate, dates) is checked once by a maker that
//   returns an Error (check_power, check_attempts, price_age, plan_economics).
// - Tokens are output tokens unless the name says total (prompt and output, cached prompt
// included).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tensorpath/base/error.h>
#include <tensorpath/base/units.h>
#include <tensorpath/catalog.h>

namespace tensorpath {

// A year of energy and of depreciation: 365 days. Published rack and site figures use it; prices
// use kHoursPerMonth, whose twelve months are 0.07 % longer (leap days).
inline constexpr double kHoursPerYear = 8760.0;
// A price older than a quarter is called old. It is a word beside the price; no figure changes.
inline constexpr long kPriceOldAfterDays = 90;

// --- Money -----------------------------------------------------------------------------------

// usd_per_gpu_hour * billed_gpus(gpus, min_gpus)
[[nodiscard]] double usd_per_hour(double usd_per_gpu_hour, int gpus, int min_gpus = 1);
// usd_per_hour * 730.5
[[nodiscard]] double usd_per_month(double usd_per_hour);
// usd_per_hour / (tok_s * 3600 / 1e6). The rate's basis (output or total tokens) is the result's.
[[nodiscard]] double usd_per_mtok(double usd_per_hour, double tok_s);
// The price that a quoted unit cost presumes: usd_per_mtok * tok_s_gpu * 3600 / 1e6.
[[nodiscard]] double implied_usd_per_gpu_hour(double usd_per_mtok, double tok_s_gpu);
// 100 * (after - before) / before; before must be above zero.
[[nodiscard]] double change_percent(double before, double after);

struct TokenCost {
  double usd_per_mtok_output = 0;
  double usd_per_mtok_total = 0;
};
// At requests_s requests of isl_tokens in and osl_tokens out:
//   output: usd_per_hour / (requests_s * osl * 3600 / 1e6);  total: the same over isl + osl.
[[nodiscard]] TokenCost token_cost(double usd_per_hour, double requests_s, double isl_tokens,
                                   double osl_tokens);

struct PriceAge {
  long days = 0;     // from the price's date to today; negative: dated after today
  bool old = false;  // days > kPriceOldAfterDays
};
// Both dates are YYYY-MM-DD. Errors: a date that is malformed or not in the calendar.
[[nodiscard]] Expected<PriceAge> price_age(std::string_view price_date, std::string_view today);

// --- Tasks -----------------------------------------------------------------------------------

// How often one tries until a task succeeds. Attempts are independent; one succeeds when it is
// served (1 - rejected_share) and its answer is accepted (success_rate).
struct Attempts {
  double success_rate = 1;  // of served attempts, 0..1
  int max_attempts = 1;     // >= 1; after that the task is given up
  double rejected_share =
      0;  // attempts refused, timed out or thrown away: they cost, and give none
};
// The same value, or an Error that names the figure out of range.
[[nodiscard]] Expected<Attempts> check_attempts(const Attempts& attempts);
// p = success_rate * (1 - rejected_share)
[[nodiscard]] double success_per_attempt(const Attempts& attempts);
// 1 - (1 - p)^m: the share of tasks that end well.
[[nodiscard]] double success_per_task(const Attempts& attempts);
// (1 - (1 - p)^m) / p, and m where p = 0: the mean of a geometric law cut off at m.
[[nodiscard]] double attempts_per_task(const Attempts& attempts);
// attempts_per_task / success_per_task = 1/p, infinite for p = 0. max_attempts drops out: a retry
// buys yield at the same unit cost, and none makes a success cheaper.
[[nodiscard]] double attempts_per_success(const Attempts& attempts);

// What one attempt costs beside what its retries change.
struct AttemptCost {
  double usd = 0;        // each attempt: GPUs, tools, sandbox, paid calls
  double retry_usd = 0;  // on top for each attempt after the first: review, re-sent history
};
// (attempts_per_task * usd + (attempts_per_task - 1) * retry_usd) / success_per_task
[[nodiscard]] double usd_per_successful_task(const AttemptCost& cost, const Attempts& attempts);
// total / successes, for money or energy that was counted: all that was spent, failures included.
[[nodiscard]] double per_success(double total, double successes);

// Successful tasks out of the requests that a deployment serves, retries among them:
// requests_per_hour / requests_per_attempt * p. requests_per_attempt is the turns of a session.
[[nodiscard]] double successful_tasks_per_hour(double requests_per_hour,
                                               double requests_per_attempt,
                                               const Attempts& attempts);
// The other way round, what tasks_per_hour new tasks ask of a deployment:
// tasks_per_hour * attempts_per_task * requests_per_attempt.
[[nodiscard]] double requests_per_hour_for(double tasks_per_hour, double requests_per_attempt,
                                           const Attempts& attempts);

// --- Energy ----------------------------------------------------------------------------------

// What a kilowatt figure counts. Figures on different bases are never compared (MIXED_POWER_BASIS).
enum class PowerBasis : std::uint8_t {
  kUnknown,   // not stated
  kGpu,       // the boards alone; hosts, switches and storage are left out
  kItRack,    // all IT of the rack, divided by its GPUs
  kFacility,  // at the meter: cooling and conversion are in it, PUE is not applied again
};
[[nodiscard]] std::string_view to_string(PowerBasis basis);  // unknown | gpu | it_rack | facility

struct Power {
  PowerBasis basis = PowerBasis::kGpu;
  double kw_per_gpu = 0;
  double pue = 1.2;  // facility power over IT power; must be 1 on the facility basis
};
// The same value, or an Error: PUE under 1 (a facility draws at least what its IT draws), PUE other
// than 1 on the facility basis (it would count twice), a negative or non-finite figure, no basis.
[[nodiscard]] Expected<Power> check_power(const Power& power);
// kw_per_gpu * pue. Boards are taken to draw their limit, busy or not: an upper bound.
[[nodiscard]] double facility_kw_per_gpu(const Power& power);
// 1e6 / (tok_s_gpu * 3600)
[[nodiscard]] double gpu_hours_per_mtok(double tok_s_gpu);
// gpu_hours_per_mtok * facility_kw_per_gpu; says what it counts by power.basis.
[[nodiscard]] double kwh_per_mtok(double tok_s_gpu, const Power& power);
// attempts_per_success * kwh_per_attempt
[[nodiscard]] double kwh_per_successful_task(double kwh_per_attempt, const Attempts& attempts);
// kw * 8760
[[nodiscard]] double kwh_per_year(double kw);
// calls * saved_ms / 3.6e6, for calls that run one after another on one GPU: an upper bound else.
[[nodiscard]] double gpu_hours_saved(double calls, double saved_ms);

// --- Racks and fleets ------------------------------------------------------------------------

// The least whole number >= exact; 1e-9 relative slack, so that 20.000000000001 is 20.
[[nodiscard]] double whole_units(double exact);
// tok_s / tok_s_gpu, fractional: no spare, no queueing, no growth.
[[nodiscard]] double gpus_for_rate(double tok_s, double tok_s_gpu);
// racks * rack_it_kw * pue
[[nodiscard]] double facility_kw(double racks, double rack_it_kw, double pue);

struct Fleet {
  double racks = 0;  // whole
  double facility_kw = 0;
  double kwh_per_year = 0;
  double kwh_per_task = 0;  // facility_kw / tasks_per_hour
};
// racks = ceil(tasks_per_hour / tasks_per_rack_hour); both count successful tasks.
[[nodiscard]] Fleet fleet_for_tasks(double tasks_per_hour, double tasks_per_rack_hour,
                                    double rack_it_kw, double pue);

struct FreedCapacity {
  double before_gpus = 0;
  double after_gpus = 0;
  double gpus = 0;  // before - after; negative when after needs more
  double racks = 0;
  double facility_kw = 0;
  double kwh_per_day = 0;
  double usd_per_day = 0;
};
struct RackPower {
  double gpus_per_rack = 72;
  double it_kw = 0;
  double pue = 1.2;
};
// GPUs that the same tok_s no longer takes, and their share of racks and energy. A proxy: power is
// charged by the rack's mean, and the two rates may sit at different latencies (guard.h says so).
[[nodiscard]] FreedCapacity freed_capacity(double tok_s, double before_tok_s_gpu,
                                           double after_tok_s_gpu, const RackPower& rack,
                                           double usd_per_kwh);

struct BudgetRung {
  double gpus = 0;
  double tokens_per_hour = 0;
  double it_kw = 0;  // on the basis of kw_per_gpu
  double facility_kw = 0;
};
// gpus = usd_per_year / (usd_per_gpu_hour * 8760), fractional; tokens = gpus * tok_s_gpu * 3600.
[[nodiscard]] BudgetRung budget_rung(double usd_per_year, double usd_per_gpu_hour, double tok_s_gpu,
                                     const Power& power);

struct RackHour {
  double capex_usd_per_hour = 0;
  double power_usd_per_hour = 0;
  double usd_per_hour = 0;
};
// capex / (years * 8760) + it_kw * pue * usd_per_kwh. A proxy: operations, building, financing and
// margin are left out.
[[nodiscard]] RackHour rack_hour(double capex_usd, double years, double it_kw, double pue,
                                 double usd_per_kwh);

// --- Memory ----------------------------------------------------------------------------------

// (element_bits + scale_bits / block) / 8: NVFP4 is 4, 8, 16 -> 0.5625; MXFP4 is 4, 8, 32 ->
// 0.53125.
[[nodiscard]] double block_scaled_bytes_per_param(double element_bits, double scale_bits,
                                                  double block);
// ceil(params * bytes_per_param / memory_bytes): weights alone, no KV cache, no runtime.
[[nodiscard]] double weight_residency_gpus(double params, double bytes_per_param,
                                           double memory_bytes);
// 2 * layers * kv_heads * head_dim * bytes_per_element
[[nodiscard]] double gqa_kv_bytes_per_token(double layers, double kv_heads, double head_dim,
                                            double bytes_per_element);
// layers * (kv_lora_rank + rope_dim) * bytes_per_element
[[nodiscard]] double mla_kv_bytes_per_token(double layers, double kv_lora_rank, double rope_dim,
                                            double bytes_per_element);

// --- Bounds and break-even -------------------------------------------------------------------

// One step of a task; only GPU time gets faster.
struct StepTime {
  double gpu_s = 0;
  double cpu_s = 0;
  double transfer_s = 0;
};
// (gpu + cpu + transfer) / (gpu / gpu_speedup + cpu + transfer)      (Amdahl 1967)
[[nodiscard]] double amdahl_speedup(const StepTime& step, double gpu_speedup);
// The limit for an infinitely fast GPU; infinite when there is nothing but GPU time.
[[nodiscard]] double amdahl_bound(const StepTime& step);

// extra_ttft_ms / (tpot_ms_before - tpot_ms_after): tokens after the first from which a lower TPOT
// pays for the later first token (the request's OSL is one more). Infinite when TPOT does not fall;
// 0 when TTFT stays and TPOT does not rise.
[[nodiscard]] double disaggregation_break_even_tokens(double tpot_ms_before, double tpot_ms_after,
                                                      double extra_ttft_ms);

// concurrency * tok_s_user: the most output tokens per second that a deployment with so many
// requests in flight can deliver, queueing and prefill left out (Little's law).
[[nodiscard]] double littles_law_output_tok_s(double concurrency, double tok_s_user);

// flop / flop_s
[[nodiscard]] double compute_time_s(double flop, double flop_s);
// decode_tokens * tpot_ms / 1000, for tokens after the first
[[nodiscard]] double decode_time_s(double decode_tokens, double tpot_ms);
// total / gpus, in the unit of total
[[nodiscard]] double per_gpu(double total, double gpus);

// --- A plan's whole cost block ---------------------------------------------------------------

struct PlanLoad {
  double usd_per_gpu_hour = 0;
  int gpus = 0;      // of all replicas, prefill ones included
  int min_gpus = 1;  // the least one can rent
  double offered_requests_s = 0;
  double capacity_requests_s = 0;  // what the plan carries within its SLO
  double isl_tokens = 0;           // means
  double osl_tokens = 0;
  double requests_per_attempt = 1;  // turns of a session
  Attempts attempts;
  double retry_usd = 0;  // AttemptCost::retry_usd
  double tool_usd = 0;   // each attempt, beside the GPUs
  Power power;
  double usd_per_kwh = 0;  // for energy_usd_per_hour, which is in no other figure
};

struct TaskCost {
  double successful_tasks_per_hour = 0;
  double usd_per_task = 0;
  double kwh_per_task = 0;
};

struct PlanEconomics {
  int billed_gpus = 0;
  double usd_per_hour = 0;
  double usd_per_month = 0;
  double facility_kw = 0;          // on power_basis, of the GPUs the plan uses
  double energy_usd_per_hour = 0;  // for information: a rent holds the energy already
  PowerBasis power_basis = PowerBasis::kGpu;
  double served_requests_s = 0;  // min(offered, capacity): what is not served is no output
  TokenCost tokens_at_offered_load, tokens_at_slo_capacity;
  TaskCost task_at_offered_load, task_at_slo_capacity;
};
// Errors: what check_attempts and check_power refuse; a negative or non-finite price, rate or
// length; no GPUs; requests_per_attempt under 1.
[[nodiscard]] Expected<PlanEconomics> plan_economics(const PlanLoad& load);

}  // namespace tensorpath
