// Measured profiles in place of predictions: where somebody measured exactly a plan's point, their
// figures are used as they are.
#pragma once

#include "search.h"

#include <tensorpath/profile.h>

namespace tensorpath::advise {

// The profile key of a sized candidate under the workload.
[[nodiscard]] ProfilePoint point_of(const Question& question, const Evaluated& evaluated);

// Puts the figures of the profile that matches the candidate's point, if there is one, in place of
// the prediction; the candidate must be settled again. Null when nothing matches.
const Profile* use_profile(const Question& question, Evaluated& evaluated);

// Looks every feasible plan up, replaces its latencies and rate by a match's, and scores it again.
// A plan whose measured figures miss the SLO or the budget leaves the list and is counted as
// rejected.
void use_profiles(const Question& question, SearchResult& result);

}  // namespace tensorpath::advise
