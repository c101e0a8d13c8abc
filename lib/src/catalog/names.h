// Names as people write them: which texts mean the same thing, and what a list of values is called.
// Look-ups ignore case and the characters - _ . and space.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <tensorpath/catalog.h>

namespace tensorpath::catalog {

// The key under which names are compared: lower case, without '-', '_', '.' and ' '.
[[nodiscard]] std::string name_key(std::string_view name);
// Whether it is what files call things: [a-z0-9._-]+, starting with a letter or digit.
[[nodiscard]] bool is_canonical(std::string_view name);
// The nearest canonical form of any text: "Meta Llama/3.1" becomes "meta-llama-3.1".
[[nodiscard]] std::string canonical(std::string_view text);

// Other texts that name a thing: its aliases and, of models, the repositories of its weights.
template <typename T>
std::vector<std::string_view> other_names(const T& value) {
  std::vector<std::string_view> names(value.aliases.begin(), value.aliases.end());
  if constexpr (std::is_same_v<T, Model>) {
    names.emplace_back(value.huggingface);
    for (const Checkpoint& checkpoint : value.checkpoints) {
      names.emplace_back(checkpoint.repo);
    }
  }
  return names;
}

// A name as written comes before one that only reads alike, and that before an alias.
template <typename T>
const T* find_named(const std::vector<T>& values, std::string_view name) {
  for (const T& value : values) {
    if (value.name == name) {
      return &value;
    }
  }
  const std::string key = name_key(name);
  for (const T& value : values) {
    if (name_key(value.name) == key) {
      return &value;
    }
  }
  for (const T& value : values) {
    for (const std::string_view other : other_names(value)) {
      if (name_key(other) == key) {
        return &value;
      }
    }
  }
  return nullptr;
}

template <typename T>
std::vector<std::string> names_of(const std::vector<T>& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const T& value : values) {
    names.push_back(value.name);
  }
  return names;
}

// What to say after an unknown name: the nearest name or alias, else some canonical names.
template <typename T>
[[nodiscard]] std::string name_hint(std::string_view name, const std::vector<T>& values) {
  std::vector<std::string> known = names_of(values);
  for (const T& value : values) {
    for (const std::string_view other : other_names(value)) {
      known.emplace_back(other);
    }
  }
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? suggestion(name, names_of(values)) : suggestion(name, {nearest});
}

}  // namespace tensorpath::catalog
