// A look at a candidate's source, token by token: what it includes and which directives it uses.
// It gives a violation its name early; the sandbox is what enforces it (the compiler sees no other
// file), so a disguise that gets past here gains nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/harness/candidate.h>

namespace tensorpath {

// `allowed` are header names without quotes or brackets; "cuda/std/" ends in a slash and allows
// everything below.
[[nodiscard]] Refusal scan_includes(std::string_view source, const std::string& file,
                                    const std::vector<std::string_view>& allowed);

}  // namespace tensorpath
