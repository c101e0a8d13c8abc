// All arguments of one command of one engine release (data/engines/<engine>/<release>/*.flags).
// Uses: 1) refusing an argument that the release does not have, before anything is written,
// 2) typing the values of configuration files, 3) the environment variable of an argument.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>

namespace tensorpath::deploy {

struct FlagSpec {
  enum class Kind { kSwitch, kInt, kFloat, kText, kJson, kOneOf };

  std::string name;  // as it is typed: "--tensor-parallel-size", "kv_cache_config.dtype"
  std::vector<std::string> aliases;  // "-tp", "--no-enable-prefix-caching"
  Kind kind = Kind::kText;
  std::vector<std::string> choices;  // kOneOf
  std::string env;                   // environment variable that stands for it; may be empty
};

class FlagList {
 public:
  // The format is in the head of each file: `command NAME`, then `--name[,alias...] type [choices]
  // [env=NAME]`, '#' comments.
  [[nodiscard]] static Expected<FlagList> parse(std::string_view text,
                                                const std::string& file_name);
  [[nodiscard]] static Expected<FlagList> read(const std::string& path);

  // By name or alias; null when the command has no such argument.
  [[nodiscard]] const FlagSpec* find(std::string_view name) const;
  // "did you mean '--x'?", or nothing.
  [[nodiscard]] std::string hint_for(std::string_view name) const;
  [[nodiscard]] const std::string& command() const { return command_; }
  [[nodiscard]] std::size_t size() const { return flags_.size(); }

 private:
  std::string command_;
  std::vector<FlagSpec> flags_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

// The value as JSON of the flag's type: a number, true, text, or a parsed object. Errors name the
// flag and what it takes.
[[nodiscard]] Expected<Json> typed_value(const FlagSpec& flag, const std::string& value);

}  // namespace tensorpath::deploy
