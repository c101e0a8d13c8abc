// Subcommands that are programs of their own: an executable tensorpath-foo on PATH is run as
// `tensorpath foo`, with the global options in its environment.
#pragma once

#include "command.h"

#include <string>
#include <vector>

namespace tensorpath::cli {

// The first executable `program` of PATH; empty when there is none.
[[nodiscard]] std::string find_program(const std::string& program);
// Names of the tensorpath-* executables on PATH, without the prefix, sorted.
[[nodiscard]] std::vector<std::string> external_subcommands();
// Becomes tensorpath-<words[0]> with the remaining words. Returns only when there is no such
// program or it cannot be started.
void run_external(const Session& session, const std::vector<std::string>& words);

}  // namespace tensorpath::cli
