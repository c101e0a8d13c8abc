// What a sanitizer found, in words that say nothing of the case at which it did.
#pragma once

#include <string>
#include <string_view>

namespace tensorpath {

// Out of the report of AddressSanitizer, UBSan, ThreadSanitizer or compute-sanitizer: what kind of
// fault, and where in the candidate's source. The cases are hidden ones, so sizes, addresses and
// values are told as N; places in the source keep their line and column.
[[nodiscard]] std::string sanitizer_words(std::string_view report);

}  // namespace tensorpath
