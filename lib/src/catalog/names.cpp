#include "names.h"

#include <algorithm>

namespace tensorpath::catalog {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::string name_key(std::string_view name) {
  std::string key;
  key.reserve(name.size());
  for (const char c : name) {
    if (c != '-' && c != '_' && c != '.' && c != ' ') {
      key.push_back(lower(c));
    }
  }
  return key;
}

bool is_canonical(std::string_view name) {
  return !name.empty() && is_alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

std::string canonical(std::string_view text) {
  std::string name;
  for (const char raw : text) {
    const char c = lower(raw);
    if (is_alphanumeric(c)) {
      name.push_back(c);
    } else if (!name.empty()) {
      name.push_back(c == '.' || c == '_' ? c : '-');
    }
  }
  return name.empty() ? "model" : name;
}

}  // namespace tensorpath::catalog
