// Text that nobody vouches for (a model's, a compiler's about a model's source) on its way into a
// packet or onto a terminal: marked as a quotation, and without the power to be anything else.
#pragma once

#include <string>
#include <string_view>

namespace tensorpath {

inline constexpr std::size_t kLongestQuotation = 4000;  // bytes of the text

// One line in “quotation marks”, which appear nowhere inside. Control characters, escape sequences
// of terminals, invisible and direction-changing characters and bytes that are not UTF-8 are gone;
// what Markdown or HTML would act on is behind a backslash; line breaks are " / ". Cut with an
// ellipsis past kLongestQuotation.
[[nodiscard]] std::string quote_untrusted(std::string_view text);

// The text without its quotations: what is left is our own, and answers for what it says.
[[nodiscard]] std::string without_quotations(std::string_view text);

}  // namespace tensorpath
