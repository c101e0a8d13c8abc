// Other programs that the command itself calls: man(1), a compiler's --version.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace tensorpath::cli {

// words[0] is a path, the rest its arguments; nothing passes through a shell.

// Replaces this process; returns only when the program cannot be started.
void become(const std::vector<std::string>& words);
// What the program prints on standard output; nullopt when it cannot be run or fails.
[[nodiscard]] std::optional<std::string> output_of(const std::vector<std::string>& words);

}  // namespace tensorpath::cli
