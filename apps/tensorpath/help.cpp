// tensorpath help: opens a manual page, or prints it where there is no terminal or no man(1).
#include "command.h"
#include "dispatch.h"
#include "process.h"
#include "usage.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

namespace tensorpath::cli {
namespace {

struct HelpOptions {
  std::string topic;
  bool all = false;
};

// The pages that are there: section and name, "1" and "tensorpath-recommend".
std::optional<std::string> page_of(const std::string& topic) {
  const std::string name = topic.empty() ? "tensorpath" : "tensorpath-" + topic;
  for (const char* section : {"1", "5", "7"}) {
    const std::string relative = fmt::format("share/man/man{0}/{1}.{0}", section, name);
    for (const char* suffix : {"", ".gz"}) {
      const std::string path = installed_path(relative + suffix);
      if (file_exists(path)) return path;
    }
  }
  return std::nullopt;
}

// Names of the pages of a section, without "tensorpath-".
std::vector<std::string> pages_of_section(const std::string& section) {
  constexpr std::string_view kPrefix = "tensorpath-";
  std::vector<std::string> topics;
  const std::string directory = installed_path("share/man/man" + section);
  for (const std::string& suffix : {"." + section, "." + section + ".gz"}) {
    for (const std::string& file : list_files(directory, suffix)) {
      if (file.rfind(kPrefix, 0) != 0) continue;
      topics.push_back(file.substr(kPrefix.size(), file.size() - kPrefix.size() - suffix.size()));
    }
  }
  return topics;
}

// Formatters print bold as "x\bx" and underline as "_\bx".
std::string without_overstrikes(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (c != '\b') {
      plain += c;
      continue;
    }
    while (!plain.empty() && (static_cast<unsigned char>(plain.back()) & 0xC0U) == 0x80U) {
      plain.pop_back();  // the tail of a UTF-8 character
    }
    if (!plain.empty()) plain.pop_back();
  }
  return plain;
}

ExitCode print_page(const std::string& path) {
  if (const std::string mandoc = find_program("mandoc"); !mandoc.empty()) {
    if (const auto text = output_of({mandoc, "-T", "utf8", "-O", "width=78", path})) {
      print(without_overstrikes(*text));
      return ExitCode::kDone;
    }
  }
  if (const std::string man = find_program("man"); !man.empty()) {
    if (const auto text = output_of({man, "-P", "cat", "-l", path})) {
      print(without_overstrikes(*text));
      return ExitCode::kDone;
    }
  }
  return ExitCode::kEnvironment;
}

ExitCode show_page(const std::string& path) {
  if (isatty(STDOUT_FILENO) == 1) {
    if (const std::string man = find_program("man"); !man.empty()) become({man, "-l", path});
    if (const std::string mandoc = find_program("mandoc"); !mandoc.empty()) {
      become({mandoc, "-a", path});
    }
  }
  return print_page(path);
}

ExitCode list_all(const CLI::App& app) {
  std::string text = "Subcommands\n";
  for (const std::string& name : subcommand_names(app)) {
    text += fmt::format("  {:<14}{}\n", name, app.get_subcommand(name)->get_description());
  }
  const auto list = [&text](const char* title, const std::vector<std::string>& names) {
    if (names.empty()) return;
    text += fmt::format("\n{}\n", title);
    for (const std::string& name : names) text += "  " + name + "\n";
  };
  list("File formats", pages_of_section("5"));
  list("Guides", pages_of_section("7"));
  list("Programs on PATH that are subcommands", external_subcommands());
  print(text + "\n'tensorpath help NAME' opens the manual page of each.\n");
  return ExitCode::kDone;
}

ExitCode show_help(const CLI::App& app, const HelpOptions& options) {
  if (options.all) return list_all(app);
  const std::vector<std::string> subcommands = subcommand_names(app);
  const bool is_subcommand =
      std::find(subcommands.begin(), subcommands.end(), options.topic) != subcommands.end();
  if (const auto page = page_of(options.topic)) {
    const ExitCode code = show_page(*page);
    if (code == ExitCode::kDone) return code;
  }
  // Without man(1), mandoc(1) or the page, --help still says what the options are.
  if (options.topic.empty() || is_subcommand) {
    const CLI::App* command = options.topic.empty() ? &app : app.get_subcommand(options.topic);
    const std::string name = options.topic.empty() ? "tensorpath" : "tensorpath " + options.topic;
    print(app.get_formatter()->make_help(command, name, CLI::AppFormatMode::Normal));
    return ExitCode::kDone;
  }
  if (const std::string external = find_program("tensorpath-" + options.topic); !external.empty()) {
    if (const std::string man = find_program("man"); !man.empty()) {
      become({man, "tensorpath-" + options.topic});
    }
  }
  std::vector<std::string> topics = help_topics();
  topics.insert(topics.begin(), subcommands.begin(), subcommands.end());
  return report(fail(ExitCode::kUsage, fmt::format("no manual page for '{}'", options.topic),
                     suggestion(options.topic, topics, 24))
                    .value());
}

}  // namespace

std::vector<std::string> help_topics() {
  std::vector<std::string> topics = pages_of_section("5");
  for (std::string& topic : pages_of_section("7")) topics.push_back(std::move(topic));
  return topics;
}

void add_help(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("help", "Open a manual page");
  auto options = std::make_shared<HelpOptions>();
  command->add_option("topic", options->topic, "A subcommand, file format or guide")
      ->type_name("TOPIC");
  command->add_flag("-a,--all", options->all, "List every subcommand, file format and guide");
  command->callback([&app, &session, options] {
    session.run = [&app, options] { return show_help(app, *options); };
  });
}

}  // namespace tensorpath::cli
