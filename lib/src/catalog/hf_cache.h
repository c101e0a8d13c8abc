// Where the config.json of a model lies on this machine: named by path, or by a Hugging Face id
// that the local cache holds. Nothing is downloaded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tensorpath::catalog {

struct LocalConfig {
  std::string path;  // of the config.json
  std::string name;  // what to call the model: the directory's name or the id's
  std::string id;    // the Hugging Face id; empty for a path
};

// A config.json, or a directory that holds one.
[[nodiscard]] std::optional<LocalConfig> config_of_path(const std::string& path);
// "org/name" in the cache: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or
// ~/.cache/huggingface/hub; the snapshot that refs/main names, else the last one by name.
[[nodiscard]] std::optional<LocalConfig> config_of_cached_id(std::string_view id);

}  // namespace tensorpath::catalog
