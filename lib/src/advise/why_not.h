// --why-not GPU:ENGINE:FORMAT: what became of every layout of one combination.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// Errors: a malformed triple or an unknown name, with the nearest one.
[[nodiscard]] Expected<WhyNot> why_not(const Question& question,
                                       const std::vector<const ModelSpace*>& spaces,
                                       const SearchResult& found, const std::string& asked);

}  // namespace tensorpath::advise
