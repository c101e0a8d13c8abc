// Compiled references, kept from one run to the next. What is in it is code that this process will
// run, so only what is the user's own and whole is taken from it; anything else is made anew.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <tensorpath/base/error.h>

namespace tensorpath {

class OperatorCache {
 public:
  // Made where it is not there, for its owner alone.
  [[nodiscard]] static Expected<OperatorCache> open(const std::string& path);

  // The object that was stored under the key: its path.
  [[nodiscard]] std::optional<std::string> find(const std::string& op,
                                                const std::string& key) const;
  [[nodiscard]] Expected<std::string> store(const std::string& op, const std::string& key,
                                            const std::string& object) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit OperatorCache(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string file_of(const std::string& op, const std::string& key) const;

  std::string path_;
};

}  // namespace tensorpath
