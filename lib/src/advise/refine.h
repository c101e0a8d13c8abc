// Tuning the engine's knobs for the layouts that matter: batch cap, chunk budget, speculation.
// Screening uses the engine's defaults; the best layout of each choice is tuned one knob at a time,
// and a layout whose defaults miss the SLO gets the settings that help latency before it is turned
// down. What is tuned never depends on other GPUs in the list, so these cannot reorder plans.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// Tunes the best plan of each choice in place. `plans` are sorted, best first.
void refine(const Question& question, std::vector<Evaluated>& plans);

// Tries the settings that help latency on a layout whose defaults met `verdict`; adds it to the
// result when one of them is feasible.
[[nodiscard]] bool rescue(const Question& question, const CompiledLayout& compiled, double quality,
                          const Verdict& verdict, SearchResult& result);

}  // namespace tensorpath::advise
