// Usage errors and --help in the tool's own style: every wrong option names the nearest right one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <tensorpath/base/error.h>

namespace tensorpath::cli {

// Makes --help of the app and of every subcommand fit 80 columns.
void set_help_format(CLI::App& app);

// The subcommand that was chosen, at any depth; the app itself when none was.
[[nodiscard]] const CLI::App& chosen_command(const CLI::App& app);
// Names of the visible subcommands, as listed in --help.
[[nodiscard]] std::vector<std::string> subcommand_names(const CLI::App& app);
// Every long option ("--top") that `command` understands, those of the commands above it included.
[[nodiscard]] std::vector<std::string> option_names(const CLI::App& command);

// Words in braces of a validator's description: "{table,json}" gives table and json.
[[nodiscard]] std::vector<std::string> listed_values(std::string_view description);

[[nodiscard]] Error unknown_subcommand(const CLI::App& app, const std::string& name);
// For an argument that nothing took: an option that is none, or one word too many.
[[nodiscard]] Error unexpected_argument(const CLI::App& app, const std::string& argument);
// For every other mistake that CLI11 finds.
[[nodiscard]] Error usage_error(const CLI::App& app, const CLI::ParseError& mistake);

}  // namespace tensorpath::cli
