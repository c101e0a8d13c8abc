#include "demand.h"

#include <algorithm>
#include <cmath>

#include <tensorpath/advise.h>

namespace tensorpath::advise {
namespace {

constexpr double kZ95 = 1.6448536269514722;  // standard normal quantile of 0.95

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// Only these quantiles are ever asked for.
double normal_quantile(double p) {
  if (p == 0.95) return kZ95;
  if (p == 0.99) return 2.3263478740408408;
  return 0;
}

double log_sigma(const LatencyStat& stat) {
  if (stat.p50 <= 0 || stat.p95 <= stat.p50) return 0;
  return std::log(stat.p95 / stat.p50) / kZ95;
}

// Names of one objective's keys, literals: misses are counted by the million.
struct SloKeys {
  std::string_view p50, p95, p99;
};
constexpr SloKeys kTtftKeys{"slo.ttft_ms.p50", "slo.ttft_ms.p95", "slo.ttft_ms.p99"};
constexpr SloKeys kTpotKeys{"slo.tpot_ms.p50", "slo.tpot_ms.p95", "slo.tpot_ms.p99"};
constexpr SloKeys kE2eKeys{"slo.e2e_ms.p50", "slo.e2e_ms.p95", "slo.e2e_ms.p99"};

std::string_view missed(const Percentiles& bound, const LatencyStat& stat, const SloKeys& keys) {
  if (bound.p50 && stat.p50 > *bound.p50) return keys.p50;
  if (bound.p95 && stat.p95 > *bound.p95) return keys.p95;
  if (bound.p99 && quantile(stat, 0.99) > *bound.p99) return keys.p99;
  return {};
}

double coefficient_of_variation(const LengthDist& dist) {
  const double mean = dist.mean();
  return mean > 0 ? std::sqrt(std::max(0.0, dist.variance())) / mean : 0;
}

}  // namespace

double quantile(const LatencyStat& stat, double p) {
  return stat.p50 * std::exp(log_sigma(stat) * normal_quantile(p));
}

double share_under(const LatencyStat& stat, double bound_ms) {
  if (bound_ms <= 0 || !std::isfinite(stat.p50)) return 0;
  const double sigma = log_sigma(stat);
  if (sigma <= 0 || stat.p50 <= 0) return stat.p50 <= bound_ms ? 1 : 0;
  return normal_cdf(std::log(bound_ms / stat.p50) / sigma);
}

Demand demand_of(const Workload& workload) {
  Demand demand;
  const Arrivals& arrivals = workload.arrivals;
  demand.open = arrivals.open();
  demand.load_is_asked =
      arrivals.open() && arrivals.rate_rps <= 0 && !workload.hardware.owned.empty();
  demand.load = arrivals.open() ? arrivals.rate_rps : arrivals.concurrency;
  if (arrivals.kind == Arrivals::Kind::kAllAtOnce) {
    demand.batch_count = arrivals.count;
    demand.load = arrivals.count;
  }
  demand.max_context_tokens = workload.max_context_tokens;
  demand.max_utilization = workload.availability.max_utilization;
  Operating& shape = demand.shape;
  shape.arrival_cv = arrivals.kind == Arrivals::Kind::kPoisson ? 1.0 : arrivals.cv;
  // Later turns add the history: every quantile moves by the same tokens.
  const double history = workload.mean_prompt_tokens() - workload.isl_tokens.mean();
  shape.isl_mean = workload.isl_tokens.mean() + history;
  shape.isl_p50 = workload.isl_tokens.quantile(0.5) + history;
  shape.isl_p95 = workload.isl_tokens.quantile(0.95) + history;
  shape.isl_cv = coefficient_of_variation(workload.isl_tokens) * workload.isl_tokens.mean() /
                 std::max(1.0, shape.isl_mean);
  shape.osl_mean = workload.osl_tokens.mean();
  shape.osl_p50 = workload.osl_tokens.quantile(0.5);
  shape.osl_p95 = workload.osl_tokens.quantile(0.95);
  shape.osl_cv = coefficient_of_variation(workload.osl_tokens);
  shape.prefix_hit_rate = workload.prefix_hit_rate();
  return demand;
}

Operating operating_at(const Demand& demand, const Candidate& candidate, double load) {
  Operating at = demand.shape;
  if (demand.open) {
    at.rate_rps = load;
  } else {
    at.concurrency = load;
  }
  if (!candidate.layout.engine->prefix_cache) at.prefix_hit_rate = 0;
  at.max_batch = candidate.max_batch;
  at.max_batched_tokens = candidate.max_batched_tokens;
  at.chunked_prefill = candidate.chunked_prefill;
  at.accepted_tokens_per_step = candidate.spec.accepted_tokens_per_step;
  at.draft_tokens = candidate.spec.draft_tokens;
  at.draft_cost_share = candidate.spec.draft_cost_share;
  return at;
}

double goodput_share(const Slo& slo, const Prediction& prediction) {
  if (prediction.saturated) return 0;  // the queue grows without end
  if (!slo.goodput) return 1;
  double share = 1;
  if (slo.goodput->ttft_ms) share *= share_under(prediction.ttft_ms, *slo.goodput->ttft_ms);
  if (slo.goodput->tpot_ms) share *= share_under(prediction.tpot_ms, *slo.goodput->tpot_ms);
  if (slo.goodput->e2e_ms) share *= share_under(prediction.e2e_ms, *slo.goodput->e2e_ms);
  return share;
}

std::string_view missed_slo(const Slo& slo, const Prediction& prediction) {
  if (prediction.saturated) return "utilization";
  if (auto miss = missed(slo.ttft_ms, prediction.ttft_ms, kTtftKeys); !miss.empty()) return miss;
  if (auto miss = missed(slo.tpot_ms, prediction.tpot_ms, kTpotKeys); !miss.empty()) return miss;
  if (auto miss = missed(slo.e2e_ms, prediction.e2e_ms, kE2eKeys); !miss.empty()) return miss;
  if (slo.min_tok_s_user && prediction.tpot_ms.p50 > 0 &&
      1000.0 / prediction.tpot_ms.p50 < *slo.min_tok_s_user) {
    return "slo.min_tok_s_user";
  }
  if (slo.goodput && goodput_share(slo, prediction) < slo.goodput->min_share) return "slo.goodput";
  return {};
}

LoadAtSlo max_load_at_slo(const StepModel& step, const Demand& demand, const Candidate& candidate,
                          const Slo& slo, double most) {
  const auto point = [&](double load) {
    return predict(step, operating_at(demand, candidate, load));
  };
  // The smallest load that means something: one request in flight, or one an hour.
  const double least = demand.open ? 1.0 / 3600 : 1.0;
  LoadAtSlo best;
  Prediction low = point(least);
  best.limited_by = missed_slo(slo, low);
  if (!best.limited_by.empty()) return best;
  const double high_load = demand.open ? low.capacity_rps * demand.max_utilization : most;
  const std::string_view limit = demand.open ? "utilization" : "demand";
  best = {least, low, limit};
  if (high_load <= least) return best;
  Prediction high = point(high_load);
  std::string_view miss = missed_slo(slo, high);
  if (miss.empty()) return {high_load, high, limit};
  double lo = least;
  double hi = high_load;
  while (hi > lo * 1.01) {
    // Latency turns up near capacity: halve arithmetically at the top, geometrically far below.
    const double middle = hi < 4 * lo ? 0.5 * (lo + hi) : std::sqrt(lo * hi);
    const Prediction at = point(middle);
    const std::string_view why = missed_slo(slo, at);
    if (why.empty()) {
      lo = middle;
      best.load = middle;
      best.at = at;
    } else {
      hi = middle;
      miss = why;
    }
  }
  best.limited_by = miss;
  return best;
}

}  // namespace tensorpath::advise
