// What would change the choice: the price, load or SLO at which another plan takes over.
#pragma once

#include "search.h"

#include <functional>

namespace tensorpath::advise {

// Overwrites the result. Called from two threads at once, each with a result of its own.
using FullSearch = std::function<void(const Question&, SearchResult&)>;

// Looks along each knob of the workload, an eighth to eight times its value, on the plans already
// found; every hit is confirmed by the full search 1% to each side, and dropped if it does not
// hold.
[[nodiscard]] std::vector<FlipPoint> flip_points(const Question& question,
                                                 const SearchResult& found,
                                                 const FullSearch& full_search);

// Changes of one constraint under which something fits; for when nothing does.
[[nodiscard]] std::vector<Relaxation> relaxations(const Question& question,
                                                  const FullSearch& full_search);

}  // namespace tensorpath::advise
