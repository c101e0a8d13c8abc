#include "dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

namespace tensorpath::cli {
namespace {

constexpr std::string_view kPrefix = "tensorpath-";

std::vector<std::string> path_directories() {
  std::vector<std::string> directories;
  const char* value = std::getenv("PATH");
  std::string path = value == nullptr ? "/usr/local/bin:/usr/bin:/bin" : value;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    directories.push_back(end == begin ? "." : path.substr(begin, end - begin));
    begin = end + 1;
  }
  return directories;
}

bool is_executable(const std::string& path) {
  return file_exists(path) && access(path.c_str(), X_OK) == 0;
}

// A subcommand's name can be part of a file name and cannot leave the directory.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ":") + part;
  return text;
}

}  // namespace

std::string find_program(const std::string& program) {
  for (const std::string& directory : path_directories()) {
    std::string path = path_join(directory, program);
    if (is_executable(path)) return path;
  }
  return {};
}

std::vector<std::string> external_subcommands() {
  std::vector<std::string> names;
  for (const std::string& directory : path_directories()) {
    std::error_code error;
    std::filesystem::directory_iterator entries(directory, error);
    if (error) continue;
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename().string();
      if (name.rfind(kPrefix, 0) == 0 && is_executable(entry.path().string())) {
        names.push_back(name.substr(kPrefix.size()));
      }
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void run_external(const Session& session, const std::vector<std::string>& words) {
  if (words.empty() || !is_plain_name(words.front())) return;
  const std::string program = find_program(std::string(kPrefix) + words.front());
  if (program.empty()) return;

  setenv("TENSORPATH", executable_path().c_str(), 1);
  setenv("TENSORPATH_DATA", joined(session.search_path()).c_str(), 1);
  setenv("TENSORPATH_QUIET", session.quiet ? "1" : "0", 1);
  setenv("TENSORPATH_VERBOSITY", std::to_string(session.verbosity).c_str(), 1);
  std::vector<std::string> arguments(words.begin(), words.end());
  arguments.front() = program;
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
}

}  // namespace tensorpath::cli
