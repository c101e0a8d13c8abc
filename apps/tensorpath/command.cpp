#include "command.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tensorpath::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::vector<std::string> split_path_list(const std::string& list) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

std::string executable_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "tensorpath" : path.string();
}

std::string installed_path(std::string_view relative) {
  const std::filesystem::path executable = executable_path();
  return (executable.parent_path().parent_path() / relative).string();
}

std::vector<std::string> Session::search_path() const {
  std::vector<std::string> directories = data_directories;
  for (auto& directory : split_path_list(environment("TENSORPATH_DATA"))) {
    directories.push_back(std::move(directory));
  }
  // Beside the executable first: an unpacked or copied installation uses its own data.
  for (const std::string& shipped :
       {installed_path("share/tensorpath"), std::string(TENSORPATH_INSTALLED_DATA)}) {
    if (directory_exists(shipped)) {
      directories.push_back(shipped);
      break;
    }
  }
  return directories;
}

Expected<Catalog> Session::load_catalog() const {
  const std::vector<std::string> directories = search_path();
  if (directories.empty()) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no data directory: neither {} nor {} is there",
                            installed_path("share/tensorpath"), TENSORPATH_INSTALLED_DATA),
                "name one with --data DIR or in TENSORPATH_DATA");
  }
  for (const std::string& directory : directories) {
    if (!directory_exists(directory)) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("data directory '{}' does not exist", directory),
                  "--data and TENSORPATH_DATA take directories with gpus/, models/, engines/, "
                  "formats/ or pricing/ in them");
    }
  }
  return Catalog::load(directories);
}

int Session::terminal_width() const {
  // COLUMNS counts without a terminal too: whoever exports it wants that width.
  const long columns = std::strtol(environment("COLUMNS").c_str(), nullptr, 10);
  if (columns > 0 && columns < 100'000) return static_cast<int>(columns);
  winsize size{};
  if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    return size.ws_col;
  }
  return 0;
}

bool Session::colour() const {
  return isatty(STDOUT_FILENO) == 1 && environment("NO_COLOR").empty() &&
         environment("TERM") != "dumb";
}

ExitCode report(const Error& error) {
  std::fflush(stdout);  // what was printed before the error stays before it
  for (const Diagnostic& diagnostic : error.diagnostics) {
    // A place comes first on the line, where editors look for it; else the tool's name does.
    const std::string prefix = diagnostic.where.file.empty() ? "tensorpath: " : "";
    const std::string text = prefix + diagnostic.to_string() + "\n";
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  return error.exit_code;
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_table(const Session& session, const Table& table) {
  switch (session.format) {
    case OutputFormat::kMarkdown:
      print(table.to_markdown());
      break;
    case OutputFormat::kCsv:
      print(table.to_csv());
      break;
    default:
      print(table.to_terminal(session.terminal_width()));
  }
}

void print_document(const Session& session, const Json& document) {
  print(session.format == OutputFormat::kYaml ? to_yaml_text(document) : to_text(document));
}

void add_format_option(CLI::App& command, Session& session) {
  static const std::map<std::string, OutputFormat> kFormats = {
      {"table", OutputFormat::kTable},       {"json", OutputFormat::kJson},
      {"yaml", OutputFormat::kYaml},         {"csv", OutputFormat::kCsv},
      {"markdown", OutputFormat::kMarkdown},
  };
  command
      .add_option_function<std::string>(
          "--format", [&session](const std::string& name) { session.format = kFormats.at(name); },
          "How to print the result; default: table")
      ->check(CLI::IsMember({"table", "json", "yaml", "markdown", "csv"}));
}

}  // namespace tensorpath::cli
