// tensorpath __complete: the one source of every shell completion. Subcommands and options come
// from the parser itself, names of GPUs, models and the like from the catalog.
#include "command.h"
#include "dispatch.h"
#include "kernels_here.h"
#include "usage.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/forge.h>
#include <tensorpath/harness.h>
#include <tensorpath/workload.h>

namespace tensorpath::cli {
namespace {

struct Candidate {
  std::string word;
  std::string description;
};

// Where the last word stands: which command it belongs to, and which option wants it as a value.
struct Position {
  const CLI::App* command = nullptr;
  const CLI::Option* value_of = nullptr;
  std::string runs;                     // what --runs said
  std::vector<std::string> ops;         // what each --ops said
  std::vector<std::string> registries;  // what each --registry said
};

const CLI::Option* find_option(const CLI::App* command, const std::string& word) {
  for (; command != nullptr; command = command->get_parent()) {
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_positional() && option->check_name(word)) return option;
    }
  }
  return nullptr;
}

const CLI::App* find_subcommand(const CLI::App& command, const std::string& word) {
  for (const CLI::App* subcommand : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (subcommand->check_name(word)) return subcommand;
  }
  return nullptr;
}

Position locate(const CLI::App& app, const std::vector<std::string>& words, Session& session) {
  Position position{&app, nullptr, {}, {}, {}};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() > 1 && word.front() == '-') {
      const CLI::Option* option = find_option(position.command, word);
      if (option == nullptr || option->get_items_expected_max() == 0) continue;
      // bash hands "--gpu=h" over as three words.
      if (i + 2 < words.size() && words[i + 1] == "=") ++i;
      if (i + 2 >= words.size()) {
        position.value_of = option;
        break;
      }
      ++i;
      if (word == "--runs") position.runs = words[i];
      if (word == "--ops") position.ops.push_back(words[i]);
      if (word == "--registry") position.registries.push_back(words[i]);
      if (word == "--data") session.data_directories.push_back(words[i]);
    } else if (const CLI::App* subcommand = find_subcommand(*position.command, word)) {
      position.command = subcommand;
    }
  }
  return position;
}

template <typename Entries>
std::vector<Candidate> names_and_titles(const Entries& entries) {
  std::vector<Candidate> found;
  for (const auto& entry : entries) found.push_back({entry.name, entry.title});
  return found;
}

bool ends_with(const std::string& text, std::string_view tail) {
  return text.size() >= tail.size() &&
         text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

// By the option's name, as every subcommand spells it: --gpu and --prefer-gpu take a GPU.
std::vector<Candidate> catalog_names(const std::string& option, const Session& session) {
  std::vector<Candidate> found;
  const auto catalog = session.load_catalog();
  if (!catalog) return found;
  if (ends_with(option, "gpu")) return names_and_titles(catalog->gpus());
  if (ends_with(option, "engine")) return names_and_titles(catalog->engines());
  if (ends_with(option, "model") || ends_with(option, "models")) {
    return names_and_titles(catalog->models());
  }
  if (ends_with(option, "kv-format") || ends_with(option, "kv")) {
    for (const KvFormat& format : catalog->kv_formats()) found.push_back({format.name, ""});
  } else if (ends_with(option, "format")) {
    return names_and_titles(catalog->formats());
  } else if (option == "type" || option == "workload-type") {
    for (const std::string& type : workload_types()) found.push_back({type, ""});
  }
  return found;
}

// What Forge knows: operators, types, levels and the runs that there are, newest first.
std::vector<Candidate> forge_names(const std::string& option, const Position& position,
                                   const Session& session) {
  std::vector<Candidate> found;
  if (option == "op") {
    // By their files' names: nothing is compiled for a completion.
    for (const std::string& directory : position.ops) {
      for (const std::string& file : list_files(directory, ".yaml")) {
        found.push_back({file.substr(0, file.size() - 5), "of " + directory});
      }
    }
    const auto operators = load_operators(session);
    if (!operators) return found;
    for (const OperatorSpec& op : operators->all()) found.push_back({op.name, op.summary});
  } else if (option == "run-id") {
    const auto runs = forge::list_runs(forge::runs_root(position.runs));
    if (!runs) return found;
    for (auto run = runs->rbegin(); run != runs->rend(); ++run) found.push_back({*run, ""});
  } else if (option == "dtype") {
    for (const std::string& name : dtype_names()) found.push_back({name, ""});
  } else if (option == "arch") {
    for (const std::string& level : host_levels()) found.push_back({level, ""});
  }
  return found;
}

// Ids of the registry, for the options of list-kernels.
std::vector<Candidate> kernel_names(const std::string& option, const Position& position,
                                    const Session& session) {
  std::vector<Candidate> found;
  if (position.command->get_name() != "list-kernels") return found;
  if (option == "language") return {{"cpp", ""}, {"cuda", ""}};
  if (option != "explain") return found;
  const auto registry = registry::load(registry_roots(session, position.registries),
                                       {user_cache_path("registry"), false});
  for (const registry::Entry& entry : registry.entries) {
    found.push_back({entry.id, registry::measured_text(entry)});
  }
  return found;
}

std::vector<Candidate> values_of(const CLI::Option& option, const Position& position,
                                 const Session& session) {
  const std::string type = option.get_type_name();
  std::vector<Candidate> found;
  for (const std::string& value : listed_values(type)) found.push_back({value, ""});
  if (!found.empty()) return found;
  for (const char* number : {"INT", "UINT", "FLOAT"}) {
    if (type.rfind(number, 0) == 0) return found;
  }
  found = forge_names(option.get_single_name(), position, session);
  if (!found.empty()) return found;
  found = kernel_names(option.get_single_name(), position, session);
  if (!found.empty()) return found;
  found = catalog_names(option.get_single_name(), session);
  if (!found.empty()) return found;
  return {{type.find("DIR") != std::string::npos ? ":directories" : ":files", ""}};
}

std::vector<Candidate> options_of(const CLI::App& command) {
  std::vector<Candidate> found;
  for (const std::string& name : option_names(command)) {
    const CLI::Option* option = find_option(&command, name);
    found.push_back({name, option == nullptr ? "" : option->get_description()});
  }
  return found;
}

std::vector<Candidate> subcommands_of(const CLI::App& command) {
  std::vector<Candidate> found;
  for (const std::string& name : subcommand_names(command)) {
    found.push_back({name, command.get_subcommand(name)->get_description()});
  }
  return found;
}

std::vector<Candidate> candidates(const CLI::App& app, const Position& position,
                                  const std::string& word, const Session& session) {
  if (position.value_of != nullptr) return values_of(*position.value_of, position, session);
  const CLI::App& command = *position.command;
  if (!word.empty() && word.front() == '-') return options_of(command);
  std::vector<Candidate> found = subcommands_of(command);
  if (&command == &app) {
    for (const std::string& name : external_subcommands()) found.push_back({name, "on PATH"});
  } else if (command.get_name() == "help") {
    found = subcommands_of(app);
    for (const std::string& topic : help_topics()) found.push_back({topic, "manual page"});
  }
  if (!found.empty()) return found;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) return values_of(*option, position, session);
  }
  return found;
}

}  // namespace

ExitCode complete(const CLI::App& app, Session& session, std::vector<std::string> words) {
  if (words.empty()) words.emplace_back();
  if (words.back() == "=") words.back().clear();
  const std::string& word = words.back();
  const Position position = locate(app, words, session);
  std::string text;
  for (const Candidate& candidate : candidates(app, position, word, session)) {
    const bool asks_the_shell = candidate.word.front() == ':';
    if (!asks_the_shell && candidate.word.rfind(word, 0) != 0) continue;
    std::string description = candidate.description.substr(0, candidate.description.find('\n'));
    text += candidate.word + (description.empty() ? "" : "\t" + description) + "\n";
  }
  print(text);
  return ExitCode::kDone;
}

}  // namespace tensorpath::cli
