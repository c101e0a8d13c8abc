#include "pricing.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/economics.h>

namespace tensorpath::advise {
namespace {

std::string source_text(const Rate& rate) {
  if (rate.list_price == nullptr) {
    return rate.owned_gpus > 0 ? "owned" : "the workload's own price";
  }
  const Price& p = *rate.list_price;
  const std::string list =
      fmt::format("{}, {}, {}, {}", p.provider, p.region, p.commitment, p.date);
  return rate.owned_gpus > 0 ? fmt::format("{} owned, the rest {}", rate.owned_gpus, list) : list;
}

PlanLoad load_of(const Rate& rate, const Plan& plan, const Workload& workload) {
  PlanLoad load;
  load.gpus = plan.gpu_count;
  load.usd_per_gpu_hour = rate.usd_per_hour / std::max(1, plan.gpu_count);
  load.offered_requests_s = plan.offered_rps;
  load.capacity_requests_s = std::max(
      plan.max_rate_at_slo, plan.at_load.saturated
                                ? plan.output_tok_s / std::max(1.0, workload.osl_tokens.mean())
                                : plan.offered_rps);
  load.isl_tokens = workload.mean_prompt_tokens();
  load.osl_tokens = workload.osl_tokens.mean();
  load.requests_per_attempt = std::max(1, workload.session.turns);
  load.attempts.success_rate = workload.task.success_rate;
  load.attempts.max_attempts = workload.task.max_attempts;
  load.power.kw_per_gpu = plan.candidate.layout.gpu->power_w / 1000.0;
  load.power.pue = workload.cost.pue;
  load.usd_per_kwh = workload.cost.usd_per_kwh;
  return load;
}

}  // namespace

bool price_is_old(const std::string& date, const std::string& today) {
  if (date.empty() || today.empty()) return false;
  const auto age = price_age(date, today);
  return age && age->old;
}

PriceBook::PriceBook(const Catalog& catalog, const Workload& workload) {
  for (const Gpu& gpu : catalog.gpus()) {
    Offers& offers = offers_[&gpu];
    for (const OwnedGpus& owned : workload.hardware.owned) {
      if (owned.gpu == gpu.name) offers.owned = &owned;
    }
    const auto& overrides = workload.cost.override_usd_per_gpu_hour;
    if (const auto it = overrides.find(gpu.name); it != overrides.end()) {
      offers.own_price = it->second;
    }
    offers.list = catalog.offers(gpu, workload.cost.region, workload.cost.commitment);
  }
}

std::optional<Rate> PriceBook::list_rate(const Offers& offers, int gpus) {
  if (offers.own_price) return Rate{*offers.own_price * gpus, *offers.own_price, gpus, 0, nullptr};
  std::optional<Rate> best;
  for (const Price* price : offers.list) {
    const int billed = billed_gpus(gpus, price->min_gpus);
    const double usd_per_hour = price->usd_per_gpu_hour * billed;
    if (best && best->usd_per_hour <= usd_per_hour) continue;
    best = Rate{usd_per_hour, price->usd_per_gpu_hour, billed, 0, price};
  }
  return best;
}

std::optional<Rate> PriceBook::rate(const Gpu& gpu, int gpus) const {
  const auto found = offers_.find(&gpu);
  if (found == offers_.end()) return std::nullopt;
  const OwnedGpus* owned = found->second.owned;
  if (owned == nullptr) return list_rate(found->second, gpus);
  const int mine = std::min(gpus, owned->count);
  Rate rate{owned->usd_per_gpu_hour * mine, owned->usd_per_gpu_hour, gpus, mine, nullptr};
  if (mine == gpus) return rate;
  const auto rest = list_rate(found->second, gpus - mine);
  if (!rest) return std::nullopt;
  rate.usd_per_hour += rest->usd_per_hour;
  rate.billed_gpus = mine + rest->billed_gpus;
  rate.usd_per_gpu_hour = rate.usd_per_hour / rate.billed_gpus;
  rate.list_price = rest->list_price;
  return rate;
}

PlanCost cost_of(const Rate& rate, const Plan& plan, const Workload& workload,
                 const std::string& today) {
  PlanCost cost;
  cost.usd_per_gpu_hour = rate.usd_per_gpu_hour;
  cost.billed_gpus = rate.billed_gpus;
  cost.price_source = source_text(rate);
  cost.price_is_old = rate.list_price != nullptr && price_is_old(rate.list_price->date, today);
  cost.owned = rate.owned_gpus > 0 && rate.owned_gpus == plan.gpu_count;
  cost.usd_per_hour = rate.usd_per_hour;
  cost.usd_per_month = usd_per_month(rate.usd_per_hour);
  const auto economics = plan_economics(load_of(rate, plan, workload));
  if (!economics) return cost;  // the workload reader refused such figures before
  cost.usd_per_mtok_output = economics->tokens_at_offered_load.usd_per_mtok_output;
  cost.usd_per_mtok_total = economics->tokens_at_offered_load.usd_per_mtok_total;
  cost.usd_per_mtok_output_at_capacity = economics->tokens_at_slo_capacity.usd_per_mtok_output;
  cost.usd_per_mtok_total_at_capacity = economics->tokens_at_slo_capacity.usd_per_mtok_total;
  cost.usd_per_successful_task = economics->task_at_offered_load.usd_per_task;
  cost.kwh_per_successful_task = economics->task_at_offered_load.kwh_per_task;
  return cost;
}

}  // namespace tensorpath::advise
