// The Pareto front of what is feasible: tok/s per user against tok/s per GPU, and against $ per
// million output tokens.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// Every feasible plan is read at its SLO capacity and at fractions of it, so that the front shows
// what giving up load buys in speed. Only points on a front are kept, fastest for a user first.
[[nodiscard]] std::vector<ParetoPoint> pareto_front(const Question& question,
                                                    const std::vector<Evaluated>& plans);

}  // namespace tensorpath::advise
