#include "usage.h"

#include "command.h"

#include <fmt/format.h>

#include <tensorpath/base/table.h>

namespace tensorpath::cli {
namespace {

constexpr int kHelpWidth = 80;
constexpr int kOptionColumn = 30;

class HelpFormat : public CLI::Formatter {
 public:
  HelpFormat() { column_width(kOptionColumn); }

  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    const std::size_t type = text.find("TEXT:{");  // the list of words says enough
    if (type != std::string::npos) text.erase(type, 5);
    return text;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    return folded(CLI::Formatter::make_option_desc(option));
  }

  std::string make_subcommand(const CLI::App* command) const override {
    std::stringstream out;
    CLI::detail::format_help(out, "  " + command->get_name(), folded(command->get_description()),
                             column_width_);
    return out.str();
  }

 private:
  // CLI11 indents the lines after the first by itself.
  static std::string folded(const std::string& text) {
    std::string lines = wrap_text(text, kHelpWidth - kOptionColumn);
    while (!lines.empty() && lines.back() == '\n') lines.pop_back();
    return lines;
  }
};

// "tensorpath profile list"
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr) return command.get_name();
  return full_name(*parent) + " " + command.get_name();
}

// "profile list": for messages, which begin with the tool's name already.
std::string short_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr || parent->get_parent() == nullptr) return command.get_name();
  return short_name(*parent) + " " + command.get_name();
}

Error one_diagnostic(std::string message, std::string hint) {
  Error error;
  error.exit_code = ExitCode::kUsage;
  error.diagnostics.push_back(Diagnostic{{}, std::move(message), std::move(hint)});
  return error;
}

std::string see_help(const CLI::App& command) {
  return fmt::format("see '{} --help'", full_name(command));
}

}  // namespace

void set_help_format(CLI::App& app) {
  const auto format = std::make_shared<HelpFormat>();
  app.formatter(format);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    command->formatter(format);
    set_help_format(*command);
  }
}

const CLI::App& chosen_command(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : chosen_command(*parsed.back());
}

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const CLI::App* parent = command.get_parent(); parent != nullptr;
       parent = parent->get_parent()) {
    for (const CLI::Option* option : parent->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        const std::string spelled = "--" + name;
        if (std::find(names.begin(), names.end(), spelled) == names.end()) names.push_back(spelled);
      }
    }
  }
  return names;
}

std::vector<std::string> listed_values(std::string_view description) {
  std::vector<std::string> values;
  const std::size_t open = description.find('{');
  const std::size_t close = description.find('}', open);
  if (open == std::string_view::npos || close == std::string_view::npos) return values;
  std::size_t begin = open + 1;
  while (begin < close) {
    const std::size_t end = std::min(description.find(',', begin), close);
    std::string_view value = description.substr(begin, end - begin);
    value = value.substr(0, value.find("->"));  // a transformer lists "name->number"
    if (!value.empty()) values.emplace_back(value);
    begin = end + 1;
  }
  return values;
}

Error unknown_subcommand(const CLI::App& app, const std::string& name) {
  return one_diagnostic(
      fmt::format("'{0}' is not a subcommand, and there is no tensorpath-{0} on PATH", name),
      suggestion(name, subcommand_names(app), 20));
}

Error unexpected_argument(const CLI::App& app, const std::string& argument) {
  const CLI::App& command = chosen_command(app);
  if (argument.size() > 1 && argument.front() == '-') {
    const std::string spelled = argument.substr(0, argument.find('='));
    const std::string near = nearest_name(spelled, option_names(command));
    const std::string hint =
        near.empty() ? see_help(command) : fmt::format("did you mean '{}'?", near);
    return one_diagnostic(fmt::format("{} has no option '{}'", short_name(command), spelled), hint);
  }
  return one_diagnostic(
      fmt::format("{} does not expect the argument '{}'", short_name(command), argument),
      see_help(command));
}

Error usage_error(const CLI::App& app, const CLI::ParseError& mistake) {
  const CLI::App& command = chosen_command(app);
  const std::vector<std::string> left_over = app.remaining(true);
  if (!left_over.empty()) return unexpected_argument(app, left_over.front());

  const std::string text = mistake.what();
  // CLI11 says "--format: jsn not in {table,json}": the nearest member is the better answer.
  const std::vector<std::string> allowed = listed_values(text);
  const std::size_t value_begin = text.find(": ");
  const std::size_t value_end = text.find(" not in {");
  if (!allowed.empty() && value_begin != std::string::npos && value_end != std::string::npos &&
      value_begin + 2 <= value_end) {
    const std::string value = text.substr(value_begin + 2, value_end - value_begin - 2);
    return one_diagnostic(fmt::format("{}: {} does not take '{}'", short_name(command),
                                      text.substr(0, value_begin), value),
                          suggestion(value, allowed));
  }
  return one_diagnostic(fmt::format("{}: {}", short_name(command), text), see_help(command));
}

}  // namespace tensorpath::cli
