// Words for shells, Compose and Kubernetes, each with its own way of reading '$'.
#pragma once

#include "launch.h"

#include <string>
#include <vector>

namespace tensorpath::deploy {

// One word of a POSIX shell, whatever it holds: plain, or in single quotes.
[[nodiscard]] std::string shell_quote(const std::string& text);
// Text for a '#' comment: one line of printable characters.
[[nodiscard]] std::string comment_text(const std::string& text);
// Rows joined with a backslash at each line's end; `tail` is put last, as it is.
[[nodiscard]] std::string shell_command(const std::vector<std::vector<Word>>& rows,
                                        const std::string& indent, const std::string& tail);

// The argv as a list for Compose, where '$' is doubled and variables are ${NAME:?}.
[[nodiscard]] Json compose_words(const std::vector<std::vector<Word>>& rows);
// The argv as a list for Kubernetes, where "$(NAME)" is a variable.
[[nodiscard]] Json kubernetes_words(const std::vector<std::vector<Word>>& rows);

}  // namespace tensorpath::deploy
