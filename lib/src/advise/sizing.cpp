#include "sizing.h"

#include <algorithm>
#include <cmath>

namespace tensorpath::advise {
namespace {

// ceil() with the slack of economics.h: 2.0000000001 replicas are 2.
int whole_replicas(double exact) {
  return std::max(1, static_cast<int>(std::ceil(std::min(exact, 1e6) - 1e-9)));
}

int most_replicas(const Question& question, const Evaluated& evaluated) {
  return std::max(1, question.workload->hardware.max_gpus / evaluated.candidate.layout.gpus());
}

int owned_replicas(const Question& question, const Evaluated& evaluated) {
  for (const OwnedGpus& owned : question.workload->hardware.owned) {
    if (owned.gpu == evaluated.candidate.layout.gpu->name) {
      return owned.count / evaluated.candidate.layout.gpus();
    }
  }
  return 0;
}

Verdict missed(std::string_view key) {
  return {false, Rejection::kSloTooTight, Verdict::Detail::kSlo, 0, 0, key};
}

bool enough_output(const Question& question, double requests_s) {
  const auto floor = question.workload->slo.min_output_tok_s;
  return !floor || requests_s * question.demand.shape.osl_mean >= *floor * (1 - 1e-9);
}

// The least number of replicas at which a closed demand meets its SLO: the SLO is monotone in the
// share of one replica.
Verdict least_replicas(const Question& question, const Evaluated& evaluated, int& replicas) {
  const int most = most_replicas(question, evaluated);
  const auto miss_at = [&](int count) {
    const Prediction one =
        share_of_demand(question, evaluated.compiled->step, evaluated.candidate, count);
    std::string_view miss = missed_slo(question.workload->slo, one);
    if (miss.empty() && !enough_output(question, one.request_rps * count))
      miss = "slo.min_output_tok_s";
    return miss;
  };
  int low = 0;  // does not hold
  int high = 1;
  std::string_view miss = miss_at(high);
  while (!miss.empty()) {
    if (high >= most) return missed(miss);
    low = high;
    high = std::min(most, high * 2);
    miss = miss_at(high);
  }
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (miss_at(middle).empty() ? high : low) = middle;
  }
  replicas = high;
  return accepted();
}

void finish(const Question& question, Evaluated& evaluated, int needed) {
  const int spare = question.workload->availability.spare_replicas;
  evaluated.replicas = needed + spare;
  evaluated.gpu_count = evaluated.replicas * evaluated.candidate.layout.gpus();
  evaluated.at_load =
      share_of_demand(question, evaluated.compiled->step, evaluated.candidate, evaluated.replicas);
}

Verdict size_open(const Question& question, Evaluated& evaluated) {
  const Demand& demand = question.demand;
  const int spare = question.workload->availability.spare_replicas;
  if (demand.load_is_asked) {
    const int replicas = owned_replicas(question, evaluated);
    if (replicas <= spare) {
      const int gpus = evaluated.candidate.layout.gpus();
      return {false,
              Rejection::kOverBudget,
              Verdict::Detail::kGpusOwned,
              static_cast<double>((spare + 1) * gpus),
              static_cast<double>(replicas * gpus),
              {}};
    }
    evaluated.replicas = replicas;
    evaluated.gpu_count = replicas * evaluated.candidate.layout.gpus();
    evaluated.offered_rps = evaluated.at_slo.load * (replicas - spare);
    evaluated.capacity_rps = evaluated.offered_rps;
    if (!enough_output(question, evaluated.offered_rps)) return missed("slo.min_output_tok_s");
    evaluated.at_load =
        predict(evaluated.compiled->step,
                operating_at(demand, evaluated.candidate, evaluated.offered_rps / replicas));
    return accepted();
  }
  // Requests that nobody sends produce no tokens: a floor above what the rate asks for cannot be
  // met.
  if (!enough_output(question, demand.load)) return missed("slo.min_output_tok_s");
  int needed = whole_replicas(demand.load / evaluated.at_slo.load);
  finish(question, evaluated, needed);
  // Latency was taken as monotone in load; where it is not quite, one replica more settles it.
  std::string_view miss = missed_slo(question.workload->slo, evaluated.at_load);
  if (!miss.empty()) {
    finish(question, evaluated, ++needed);
    miss = missed_slo(question.workload->slo, evaluated.at_load);
    if (!miss.empty()) return missed(miss);
  }
  evaluated.offered_rps = demand.load;
  evaluated.capacity_rps = evaluated.at_slo.load * needed;
  return accepted();
}

}  // namespace

Prediction share_of_demand(const Question& question, const StepModel& step,
                           const Candidate& candidate, int replicas) {
  const Demand& demand = question.demand;
  double load = demand.load / replicas;
  if (demand.batch_count > 0) load = std::min<double>(load, candidate.max_batch);
  if (!demand.open) load = std::max(1.0, load);
  Prediction one = predict(step, operating_at(demand, candidate, load));
  if (demand.batch_count <= 0 || one.request_rps <= 0) return one;
  // All requests wait at the door; the k-th of n starts after k/n of the drain time.
  const double drain_ms = 1000 * demand.batch_count / (one.request_rps * replicas);
  for (LatencyStat* stat : {&one.ttft_ms, &one.e2e_ms}) {
    stat->mean += 0.5 * drain_ms;
    stat->p50 += 0.5 * drain_ms;
    stat->p95 += 0.95 * drain_ms;
  }
  return one;
}

Verdict bound_budget(const Question& question, const Evaluated& evaluated) {
  const Workload& workload = *question.workload;
  const Demand& demand = question.demand;
  if (!demand.open || demand.load_is_asked) return accepted();
  const Prediction idle =
      predict(evaluated.compiled->step, operating_at(demand, evaluated.candidate, 1.0 / 3600));
  if (idle.capacity_rps <= 0) return missed("utilization");
  const int replicas = whole_replicas(demand.load / (idle.capacity_rps * demand.max_utilization)) +
                       workload.availability.spare_replicas;
  const int gpus = replicas * evaluated.candidate.layout.gpus();
  if (gpus > workload.hardware.max_gpus) {
    return {false,
            Rejection::kOverBudget,
            Verdict::Detail::kGpusAllowed,
            static_cast<double>(gpus),
            static_cast<double>(workload.hardware.max_gpus),
            {}};
  }
  if (!workload.cost.max_usd_per_month) return accepted();
  const auto rate = question.prices.rate(*evaluated.candidate.layout.gpu, gpus);
  if (!rate) return {false, Rejection::kNoPrice, Verdict::Detail::kNoPrice, 0, 0, {}};
  const double usd_month = rate->usd_per_hour * kHoursPerMonth;
  if (usd_month > 2 * *workload.cost.max_usd_per_month) {
    return {false,     Rejection::kOverBudget,    Verdict::Detail::kUsdMonth,
            usd_month, static_cast<double>(gpus), {}};
  }
  return accepted();
}

Verdict load_at_slo(const Question& question, Evaluated& evaluated) {
  const Demand& demand = question.demand;
  if (demand.batch_count > 0) return accepted();  // a batch runs at its cap, whatever the SLO
  const double most = std::max<double>(demand.load, evaluated.candidate.max_batch);
  evaluated.at_slo = max_load_at_slo(evaluated.compiled->step, demand, evaluated.candidate,
                                     question.workload->slo, most);
  if (evaluated.at_slo.load <= 0) return missed(evaluated.at_slo.limited_by);
  return accepted();
}

Verdict size_for_demand(const Question& question, Evaluated& evaluated) {
  if (question.demand.open) return size_open(question, evaluated);
  int needed = 1;
  if (Verdict verdict = least_replicas(question, evaluated, needed); !verdict.feasible) {
    return verdict;
  }
  finish(question, evaluated, needed);
  evaluated.offered_rps = evaluated.at_load.request_rps * evaluated.replicas;
  const double at_slo = evaluated.at_slo.at.request_rps;
  evaluated.capacity_rps = std::max(evaluated.offered_rps, at_slo * needed);
  return accepted();
}

}  // namespace tensorpath::advise
