// Energy, racks, memory and the bounds: what a fleet takes, and what no plan can beat.
#include "economics_domain.h"

#include <cmath>

#include <fmt/format.h>

#include <tensorpath/economics.h>

namespace tensorpath {

using economics_domain::kInfinity;
using economics_domain::kUndefined;
using economics_domain::product;
using economics_domain::quantities;
using economics_domain::quotient;

namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kMillisecondsPerHour = 3.6e6;
constexpr double kHoursPerDay = 24;

// A product that is undefined when the PUE is no PUE.
double with_pue(double it_kw, double pue) { return pue >= 1 ? product({it_kw, pue}) : kUndefined; }

}  // namespace

std::string_view to_string(PowerBasis basis) {
  switch (basis) {
    case PowerBasis::kGpu:
      return "gpu";
    case PowerBasis::kItRack:
      return "it_rack";
    case PowerBasis::kFacility:
      return "facility";
    case PowerBasis::kUnknown:
      break;
  }
  return "unknown";
}

Expected<Power> check_power(const Power& power) {
  if (!std::isfinite(power.kw_per_gpu) || power.kw_per_gpu < 0) {
    return fail(ExitCode::kUsage,
                fmt::format("kw_per_gpu is {}; expected a finite number of kilowatts of at least 0",
                            power.kw_per_gpu));
  }
  if (!std::isfinite(power.pue) || power.pue < 1) {
    return fail(ExitCode::kUsage, fmt::format("pue is {}; expected at least 1", power.pue),
                "PUE is facility power over IT power: 1.2 is a fifth on top for cooling and "
                "conversion");
  }
  if (power.basis == PowerBasis::kUnknown) {
    return fail(ExitCode::kUsage, "the power figure does not say what it counts",
                "name its basis: gpu, it_rack or facility");
  }
  if (power.basis == PowerBasis::kFacility && power.pue != 1) {
    return fail(ExitCode::kUsage,
                fmt::format("pue is {} on the facility basis; expected 1", power.pue),
                "facility power holds cooling and conversion already");
  }
  return power;
}

double facility_kw_per_gpu(const Power& power) {
  if (power.basis == PowerBasis::kFacility) return product({power.kw_per_gpu});
  return with_pue(power.kw_per_gpu, power.pue);
}

double gpu_hours_per_mtok(double tok_s_gpu) {
  return quotient(1e6, product({tok_s_gpu, kSecondsPerHour}));
}

double kwh_per_mtok(double tok_s_gpu, const Power& power) {
  // Not hours x power: no power draws nothing however long it takes.
  const double kw = facility_kw_per_gpu(power);
  return kw == 0 && tok_s_gpu >= 0 ? 0 : product({gpu_hours_per_mtok(tok_s_gpu), kw});
}

double kwh_per_successful_task(double kwh_per_attempt, const Attempts& attempts) {
  return product({attempts_per_success(attempts), kwh_per_attempt});
}

double kwh_per_year(double kw) { return product({kw, kHoursPerYear}); }

double gpu_hours_saved(double calls, double saved_ms) {
  return product({calls, saved_ms}) / kMillisecondsPerHour;
}

double whole_units(double exact) {
  if (!quantities({exact})) return kUndefined;
  constexpr double kSlack = 1e-9;  // far over rounding (1e-16), far under any real share of a rack
  return std::ceil(exact * (1 - kSlack));
}

double gpus_for_rate(double tok_s, double tok_s_gpu) { return quotient(tok_s, tok_s_gpu); }

double facility_kw(double racks, double rack_it_kw, double pue) {
  return with_pue(product({racks, rack_it_kw}), pue);
}

Fleet fleet_for_tasks(double tasks_per_hour, double tasks_per_rack_hour, double rack_it_kw,
                      double pue) {
  Fleet fleet;
  fleet.racks = whole_units(quotient(tasks_per_hour, tasks_per_rack_hour));
  fleet.facility_kw = facility_kw(fleet.racks, rack_it_kw, pue);
  fleet.kwh_per_year = kwh_per_year(fleet.facility_kw);
  fleet.kwh_per_task = quotient(fleet.facility_kw, tasks_per_hour);
  return fleet;
}

FreedCapacity freed_capacity(double tok_s, double before_tok_s_gpu, double after_tok_s_gpu,
                             const RackPower& rack, double usd_per_kwh) {
  FreedCapacity freed;
  freed.before_gpus = gpus_for_rate(tok_s, before_tok_s_gpu);
  freed.after_gpus = gpus_for_rate(tok_s, after_tok_s_gpu);
  freed.gpus = freed.before_gpus - freed.after_gpus;
  // Signed from here on: a plan that needs more GPUs frees a negative number of them.
  const double rack_kw = facility_kw(1, rack.it_kw, rack.pue);
  freed.racks = rack.gpus_per_rack > 0 ? freed.gpus / rack.gpus_per_rack : kUndefined;
  freed.facility_kw = freed.racks * rack_kw;
  freed.kwh_per_day = freed.facility_kw * kHoursPerDay;
  freed.usd_per_day = quantities({usd_per_kwh}) ? freed.kwh_per_day * usd_per_kwh : kUndefined;
  return freed;
}

BudgetRung budget_rung(double usd_per_year, double usd_per_gpu_hour, double tok_s_gpu,
                       const Power& power) {
  BudgetRung rung;
  rung.gpus = quotient(usd_per_year, product({usd_per_gpu_hour, kHoursPerYear}));
  rung.tokens_per_hour = product({rung.gpus, tok_s_gpu, kSecondsPerHour});
  rung.it_kw = product({rung.gpus, power.kw_per_gpu});
  rung.facility_kw = product({rung.gpus, facility_kw_per_gpu(power)});
  return rung;
}

RackHour rack_hour(double capex_usd, double years, double it_kw, double pue, double usd_per_kwh) {
  RackHour hour;
  hour.capex_usd_per_hour = quotient(capex_usd, product({years, kHoursPerYear}));
  hour.power_usd_per_hour = product({facility_kw(1, it_kw, pue), usd_per_kwh});
  hour.usd_per_hour = hour.capex_usd_per_hour + hour.power_usd_per_hour;
  return hour;
}

double block_scaled_bytes_per_param(double element_bits, double scale_bits, double block) {
  if (!quantities({element_bits})) return kUndefined;
  constexpr double kBitsPerByte = 8;
  return (element_bits + quotient(scale_bits, block)) / kBitsPerByte;
}

double weight_residency_gpus(double params, double bytes_per_param, double memory_bytes) {
  return whole_units(quotient(product({params, bytes_per_param}), memory_bytes));
}

double gqa_kv_bytes_per_token(double layers, double kv_heads, double head_dim,
                              double bytes_per_element) {
  return product({2, layers, kv_heads, head_dim, bytes_per_element});
}

double mla_kv_bytes_per_token(double layers, double kv_lora_rank, double rope_dim,
                              double bytes_per_element) {
  if (!quantities({kv_lora_rank, rope_dim})) return kUndefined;
  return product({layers, kv_lora_rank + rope_dim, bytes_per_element});
}

double amdahl_speedup(const StepTime& step, double gpu_speedup) {
  if (!quantities({step.gpu_s, step.cpu_s, step.transfer_s, gpu_speedup})) return kUndefined;
  const double rest_s = step.cpu_s + step.transfer_s;
  const double gpu_s = step.gpu_s == 0 ? 0 : quotient(step.gpu_s, gpu_speedup);
  return quotient(step.gpu_s + rest_s, gpu_s + rest_s);
}

double amdahl_bound(const StepTime& step) { return amdahl_speedup(step, kInfinity); }

double disaggregation_break_even_tokens(double tpot_ms_before, double tpot_ms_after,
                                        double extra_ttft_ms) {
  if (!quantities({tpot_ms_before, tpot_ms_after, extra_ttft_ms})) return kUndefined;
  const double gain_ms = tpot_ms_before - tpot_ms_after;
  if (extra_ttft_ms == 0 && gain_ms >= 0) return 0;
  return gain_ms > 0 ? extra_ttft_ms / gain_ms : kInfinity;
}

double littles_law_output_tok_s(double concurrency, double tok_s_user) {
  return product({concurrency, tok_s_user});
}

double compute_time_s(double flop, double flop_s) { return quotient(flop, flop_s); }

double decode_time_s(double decode_tokens, double tpot_ms) {
  constexpr double kMillisecondsPerSecond = 1000;
  return product({decode_tokens, tpot_ms}) / kMillisecondsPerSecond;
}

double per_gpu(double total, double gpus) { return quotient(total, gpus); }

}  // namespace tensorpath
