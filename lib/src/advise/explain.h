// Words for plans: why the winner won, what is over-provisioned, what bounds it and how far fixing
// that could go. Everything said is computed from the plans themselves.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// The bottleneck that an operator's time goes to, by what bounds it (OperatorShare::bound_by).
[[nodiscard]] std::string_view bottleneck_name(const std::string& bound_by);

// Bottleneck and Amdahl bound of the plan's engine step at its load, from the operator breakdown.
void find_bottleneck(Plan& plan, const Workload& workload, const Calibration& calibration);

// Excess of twice the need or more: rate, KV cache, latency head-room.
[[nodiscard]] std::vector<Excess> over_provisioned(const Plan& plan, const Workload& workload);

// Fills Plan::why of every plan; the first is told against the second, the others against the
// first.
void explain(std::vector<Plan>& plans, const Workload& workload);

// What was taken for granted: filled defaults, prices, priors, formulas that are not calibrated.
[[nodiscard]] std::vector<std::string> assumptions_of(const Workload& workload,
                                                      const std::vector<Plan>& plans,
                                                      const Catalog& catalog);

}  // namespace tensorpath::advise
