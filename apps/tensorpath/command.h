// What every subcommand shares: the global options and the way a subcommand joins the tool.
// A subcommand is one file that defines add_<name>(): it declares its options and sets `run`.
// CLI11 is included in this folder and nowhere else.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <tensorpath/base.h>
#include <tensorpath/catalog.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath::cli {

enum class OutputFormat { kTable, kJson, kYaml, kMarkdown, kCsv };

struct Session {
  std::vector<std::string> data_directories;  // --data, in order
  OutputFormat format = OutputFormat::kTable;
  bool quiet = false;
  int verbosity = 0;

  // Set by the subcommand that was chosen; returns the exit code.
  std::function<ExitCode()> run;

  // --data directories, then TENSORPATH_DATA, then the installed or source-tree data directory.
  [[nodiscard]] std::vector<std::string> search_path() const;
  [[nodiscard]] Expected<Catalog> load_catalog() const;
  // Where output goes to a terminal: its width (COLUMNS is honoured), else 0 (no limit).
  [[nodiscard]] int terminal_width() const;
  // Colour only on a terminal and without NO_COLOR.
  [[nodiscard]] bool colour() const;
};

// Where this executable is.
[[nodiscard]] std::string executable_path();
// A file of the installation or of the build tree, relative to the executable: "share/tensorpath",
// "share/man/man1/tensorpath.1". It need not exist.
[[nodiscard]] std::string installed_path(std::string_view relative);

// Prints the error to stderr and returns its exit code.
ExitCode report(const Error& error);
// Writes text to standard output. A failed write is reported once, when the tool ends.
void print(std::string_view text);
// Prints a table in the session's format (kTable, kMarkdown, kCsv).
void print_table(const Session& session, const Table& table);
// Prints a document in the session's format (kJson, kYaml); others: JSON.
void print_document(const Session& session, const Json& document);
// --format with the values that make sense for this subcommand.
void add_format_option(CLI::App& command, Session& session);

void add_recommend(CLI::App& app, Session& session);
void add_compare(CLI::App& app, Session& session);
void add_estimate(CLI::App& app, Session& session);
void add_validate(CLI::App& app, Session& session);
void add_deploy(CLI::App& app, Session& session);
void add_profile(CLI::App& app, Session& session);
void add_forge(CLI::App& app, Session& session);
void add_replay(CLI::App& app, Session& session);
void add_list_kernels(CLI::App& app, Session& session);
// The operators of the data directories.
[[nodiscard]] Expected<Operators> load_operators(const Session& session);
// tensorpath-worker: beside the executable in a build tree, in libexec of an installation; empty
// when it is not there.
[[nodiscard]] std::string worker_path();
void add_devices(CLI::App& app, Session& session);
void add_doctor(CLI::App& app, Session& session);
void add_help(CLI::App& app, Session& session);
// File formats and guides that have a manual page: "workload", "profile".
[[nodiscard]] std::vector<std::string> help_topics();

// `tensorpath __complete WORD...`, which the shells' completions call: candidates for the last
// word, one a line with a tab and a description; ":files" and ":directories" ask the shell for
// those.
ExitCode complete(const CLI::App& app, Session& session, std::vector<std::string> words);

}  // namespace tensorpath::cli
