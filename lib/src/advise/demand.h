// The demand a workload puts on a deployment, in the few numbers that prediction needs, and the
// load at which its SLO still holds. Loads are per replica: requests/s when arrivals are open,
// requests in flight when they are closed.
#pragma once

#include <optional>
#include <string_view>

#include <tensorpath/advise.h>

namespace tensorpath::advise {

struct Demand {
  bool open = true;            // load is a rate; else a concurrency
  bool load_is_asked = false;  // owned hardware and no rate: the answer is the load it carries
  double load = 0;             // of the deployment
  double batch_count = 0;      // all_at_once: requests to drain; 0 otherwise
  Operating shape;             // lengths, arrival CV, prefix; load fields unset
  double max_context_tokens = 0;
  double max_utilization = 1;
};

[[nodiscard]] Demand demand_of(const Workload& workload);

// The point a replica of this candidate runs at under `load` of its own.
[[nodiscard]] Operating operating_at(const Demand& demand, const Candidate& candidate, double load);

// The p-quantile of a latency whose p50 and p95 are known, as a log-normal through both.
[[nodiscard]] double quantile(const LatencyStat& stat, double p);
// Share of requests under the bound, by the same log-normal.
[[nodiscard]] double share_under(const LatencyStat& stat, double bound_ms);

// Share of requests that meet every goodput threshold (taken as independent); 1 without thresholds.
[[nodiscard]] double goodput_share(const Slo& slo, const Prediction& prediction);

// What a predicted point misses first ("slo.tpot_ms.p95"); empty when the SLO holds.
[[nodiscard]] std::string_view missed_slo(const Slo& slo, const Prediction& prediction);

struct LoadAtSlo {
  double load = 0;  // per replica; 0: the SLO holds at no load
  Prediction at;
  std::string_view limited_by;  // "slo.tpot_ms.p95", "utilization", "demand"
};

// The largest load of one replica under the SLO and the utilisation cap, to 1%. Latency is taken as
// monotone in load. Closed demand is never looked at past `most` requests in flight; an open one
// ends at the utilisation cap.
[[nodiscard]] LoadAtSlo max_load_at_slo(const StepModel& step, const Demand& demand,
                                        const Candidate& candidate, const Slo& slo, double most);

}  // namespace tensorpath::advise
