#include "hf_cache.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <tensorpath/base/file.h>

namespace tensorpath::catalog {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string hub_directory() {
  if (std::string hub = environment("HF_HUB_CACHE"); !hub.empty()) {
    return hub;
  }
  if (const std::string home = environment("HF_HOME"); !home.empty()) {
    return path_join(home, "hub");
  }
  if (const std::string cache = environment("XDG_CACHE_HOME"); !cache.empty()) {
    return path_join(cache, "huggingface/hub");
  }
  const std::string home = environment("HOME");
  return home.empty() ? std::string() : path_join(home, ".cache/huggingface/hub");
}

// One slash with a word on either side; a word may not lead out of the cache directory.
bool is_id(std::string_view id) {
  const auto slash = id.find('/');
  const auto is_word = [](std::string_view word) {
    return !word.empty() && word.front() != '.' &&
           std::all_of(word.begin(), word.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
           });
  };
  return slash != std::string_view::npos && is_word(id.substr(0, slash)) &&
         is_word(id.substr(slash + 1));
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.pop_back();
  }
  return text;
}

// The last component of a path, that of "." and "dir/" being the directory meant.
std::string base_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  if (path.empty() || path == "." || path == "..") {
    char* resolved = realpath(path.empty() ? "." : path.c_str(), nullptr);
    path = resolved == nullptr ? std::string("model") : std::string(resolved);
    std::free(resolved);
  }
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::optional<LocalConfig> config_of_path(const std::string& path) {
  if (directory_exists(path)) {
    std::string config = path_join(path, "config.json");
    if (!file_exists(config)) {
      return std::nullopt;
    }
    return LocalConfig{std::move(config), base_name(path), ""};
  }
  if (!file_exists(path)) {
    return std::nullopt;
  }
  const auto slash = path.rfind('/');
  const std::string file = path.substr(slash + 1);
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  // "config.json" says nothing; another name is the model's own.
  const bool generic = file == "config.json";
  return LocalConfig{path, generic ? base_name(directory) : file.substr(0, file.rfind('.')), ""};
}

std::optional<LocalConfig> config_of_cached_id(std::string_view id) {
  const std::string hub = hub_directory();
  if (!is_id(id) || hub.empty()) {
    return std::nullopt;
  }
  const std::string organisation(id.substr(0, id.find('/')));
  const std::string name(id.substr(id.find('/') + 1));
  const std::string repository = path_join(hub, "models--" + organisation + "--" + name);
  const std::string snapshots = path_join(repository, "snapshots");
  std::vector<std::string> revisions = list_directories(snapshots);
  // A ref is one commit id; anything longer is not one.
  constexpr std::size_t kMaxRefBytes = 256;
  if (const auto ref = read_file(path_join(repository, "refs/main"), kMaxRefBytes); ref) {
    const std::string commit = trimmed(*ref);
    if (std::find(revisions.begin(), revisions.end(), commit) != revisions.end()) {
      revisions.push_back(commit);
    }
  }
  for (auto revision = revisions.rbegin(); revision != revisions.rend(); ++revision) {
    std::string config = path_join(path_join(snapshots, *revision), "config.json");
    if (file_exists(config)) {
      return LocalConfig{std::move(config), name, std::string(id)};
    }
  }
  return std::nullopt;
}

}  // namespace tensorpath::catalog
