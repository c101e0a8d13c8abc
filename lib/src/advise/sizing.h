// Sizing: how many replicas a demand takes, and what one of them then does.
// The three steps are apart so that a changed price, load or SLO repeats only what it touches.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// Cheap lower bound before any bisection: the replicas that raw capacity asks for, priced.
// Infeasible when even they break twice the budget or the GPU limit.
[[nodiscard]] Verdict bound_budget(const Question& question, const Evaluated& evaluated);

// Fills at_slo: the largest load of one replica under the SLO. Depends on SLO and lengths only.
[[nodiscard]] Verdict load_at_slo(const Question& question, Evaluated& evaluated);

// Fills replicas, GPU count, the prediction at the offered load and the capacity.
[[nodiscard]] Verdict size_for_demand(const Question& question, Evaluated& evaluated);

// One replica's prediction when `replicas` share the demand. For a batch that is drained, TTFT and
// E2E include the wait for one's turn.
[[nodiscard]] Prediction share_of_demand(const Question& question, const StepModel& step,
                                         const Candidate& candidate, int replicas);

}  // namespace tensorpath::advise
