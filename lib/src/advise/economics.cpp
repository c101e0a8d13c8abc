// Money and tasks, and the cost block of a plan.
#include "economics_domain.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/catalog.h>
#include <tensorpath/economics.h>

namespace tensorpath {

using economics_domain::kUndefined;
using economics_domain::product;
using economics_domain::quantities;
using economics_domain::quotient;

namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kTokensPerMtok = 1e6;

// Million tokens an hour at that rate.
double mtok_per_hour(double tok_s) { return product({tok_s, kSecondsPerHour}) / kTokensPerMtok; }

bool finite_quantity(double value) { return std::isfinite(value) && value >= 0; }

tl::unexpected<Error> out_of_range(std::string_view what, double value, std::string_view expected,
                                   std::string hint = {}) {
  return fail(ExitCode::kUsage, fmt::format("{} is {}; expected {}", what, value, expected),
              std::move(hint));
}

}  // namespace

double usd_per_hour(double usd_per_gpu_hour, int gpus, int min_gpus) {
  return product({usd_per_gpu_hour, static_cast<double>(billed_gpus(gpus, min_gpus))});
}

double usd_per_month(double hourly_usd) { return product({hourly_usd, kHoursPerMonth}); }

double usd_per_mtok(double hourly_usd, double tok_s) {
  return quotient(hourly_usd, mtok_per_hour(tok_s));
}

double implied_usd_per_gpu_hour(double mtok_usd, double tok_s_gpu) {
  return product({mtok_usd, mtok_per_hour(tok_s_gpu)});
}

double change_percent(double before, double after) {
  if (!(before > 0) || !quantities({after})) return kUndefined;
  return 100 * (after - before) / before;
}

TokenCost token_cost(double hourly_usd, double requests_s, double isl_tokens, double osl_tokens) {
  if (!quantities({isl_tokens, osl_tokens})) return {kUndefined, kUndefined};
  return {usd_per_mtok(hourly_usd, product({requests_s, osl_tokens})),
          usd_per_mtok(hourly_usd, product({requests_s, isl_tokens + osl_tokens}))};
}

Expected<PriceAge> price_age(std::string_view price_date, std::string_view today) {
  for (const std::string_view date : {price_date, today}) {
    if (!days_of_date(date)) {
      return fail(ExitCode::kUsage, fmt::format("'{}' is no date", date),
                  "write it as YYYY-MM-DD, for example 2026-03-31");
    }
  }
  const long days = *days_of_date(today) - *days_of_date(price_date);
  return PriceAge{days, days > kPriceOldAfterDays};
}

Expected<Attempts> check_attempts(const Attempts& attempts) {
  if (!(attempts.success_rate >= 0 && attempts.success_rate <= 1)) {
    return out_of_range("success_rate", attempts.success_rate, "a share from 0 to 1",
                        attempts.success_rate > 1 ? "write 92 % as 0.92" : "");
  }
  if (!(attempts.rejected_share >= 0 && attempts.rejected_share <= 1)) {
    return out_of_range("rejected_share", attempts.rejected_share, "a share from 0 to 1");
  }
  if (attempts.max_attempts < 1) {
    return out_of_range("max_attempts", attempts.max_attempts, "a whole number of at least 1",
                        "1 is one try and no retry");
  }
  return attempts;
}

double success_per_attempt(const Attempts& attempts) {
  if (!check_attempts(attempts)) return kUndefined;
  return attempts.success_rate * (1 - attempts.rejected_share);
}

double success_per_task(const Attempts& attempts) {
  const double p = success_per_attempt(attempts);
  // 1 - (1 - p)^m, kept exact where p is tiny.
  if (p == 1) return 1;
  return -std::expm1(attempts.max_attempts * std::log1p(-p));
}

double attempts_per_task(const Attempts& attempts) {
  const double p = success_per_attempt(attempts);
  return p == 0 ? attempts.max_attempts : success_per_task(attempts) / p;
}

double attempts_per_success(const Attempts& attempts) {
  return quotient(1, success_per_attempt(attempts));
}

double usd_per_successful_task(const AttemptCost& cost, const Attempts& attempts) {
  // The difference is at least 0 but for rounding.
  const double retries = std::max(0.0, attempts_per_task(attempts) - 1);
  const double spent =
      product({attempts_per_task(attempts), cost.usd}) + product({retries, cost.retry_usd});
  if (spent == 0) return 0;  // what costs nothing costs nothing, successes or not
  return quotient(spent, success_per_task(attempts));
}

double per_success(double total, double successes) { return quotient(total, successes); }

double successful_tasks_per_hour(double requests_per_hour, double requests_per_attempt,
                                 const Attempts& attempts) {
  return product(
      {quotient(requests_per_hour, requests_per_attempt), success_per_attempt(attempts)});
}

double requests_per_hour_for(double tasks_per_hour, double requests_per_attempt,
                             const Attempts& attempts) {
  return product({tasks_per_hour, attempts_per_task(attempts), requests_per_attempt});
}

namespace {

Status check_load(const PlanLoad& load) {
  struct Figure {
    std::string_view name;
    double value;
  };
  for (const Figure& figure :
       {Figure{"usd_per_gpu_hour", load.usd_per_gpu_hour},
        Figure{"offered_requests_s", load.offered_requests_s},
        Figure{"capacity_requests_s", load.capacity_requests_s},
        Figure{"isl_tokens", load.isl_tokens}, Figure{"osl_tokens", load.osl_tokens},
        Figure{"retry_usd", load.retry_usd}, Figure{"tool_usd", load.tool_usd},
        Figure{"usd_per_kwh", load.usd_per_kwh}}) {
    if (!finite_quantity(figure.value)) {
      return out_of_range(figure.name, figure.value, "a finite number of at least 0");
    }
  }
  if (load.gpus < 1) return out_of_range("gpus", load.gpus, "at least 1");
  if (!(load.requests_per_attempt >= 1) || !std::isfinite(load.requests_per_attempt)) {
    return out_of_range("requests_per_attempt", load.requests_per_attempt,
                        "a finite number of at least 1");
  }
  return {};
}

TaskCost task_cost(const PlanLoad& load, double requests_s, double hourly_usd, double kw) {
  TaskCost cost;
  cost.successful_tasks_per_hour = successful_tasks_per_hour(
      requests_s * kSecondsPerHour, load.requests_per_attempt, load.attempts);
  cost.usd_per_task = per_success(hourly_usd, cost.successful_tasks_per_hour) +
                      usd_per_successful_task({load.tool_usd, load.retry_usd}, load.attempts);
  cost.kwh_per_task = per_success(kw, cost.successful_tasks_per_hour);
  return cost;
}

}  // namespace

Expected<PlanEconomics> plan_economics(const PlanLoad& load) {
  if (const Status status = check_load(load); !status) return tl::make_unexpected(status.error());
  if (const auto attempts = check_attempts(load.attempts); !attempts) {
    return tl::make_unexpected(attempts.error());
  }
  if (const auto power = check_power(load.power); !power) {
    return tl::make_unexpected(power.error());
  }
  PlanEconomics result;
  result.billed_gpus = billed_gpus(load.gpus, load.min_gpus);
  result.usd_per_hour = usd_per_hour(load.usd_per_gpu_hour, load.gpus, load.min_gpus);
  result.usd_per_month = usd_per_month(result.usd_per_hour);
  result.power_basis = load.power.basis;
  result.facility_kw = load.gpus * facility_kw_per_gpu(load.power);
  result.energy_usd_per_hour = result.facility_kw * load.usd_per_kwh;
  result.served_requests_s = std::min(load.offered_requests_s, load.capacity_requests_s);
  const auto tokens_at = [&](double requests_s) {
    return token_cost(result.usd_per_hour, requests_s, load.isl_tokens, load.osl_tokens);
  };
  const auto task_at = [&](double requests_s) {
    return task_cost(load, requests_s, result.usd_per_hour, result.facility_kw);
  };
  result.tokens_at_offered_load = tokens_at(result.served_requests_s);
  result.tokens_at_slo_capacity = tokens_at(load.capacity_requests_s);
  result.task_at_offered_load = task_at(result.served_requests_s);
  result.task_at_slo_capacity = task_at(load.capacity_requests_s);
  return result;
}

}  // namespace tensorpath
