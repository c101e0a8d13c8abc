// Files that survive. Every write is temp + fsync + rename + fsync of the directory, so that a
// reader sees the old file or the new one and a full disk or a kill leaves the old one in place.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

// The whole file. "-" reads standard input. Errors: absent, a directory, larger than max_bytes.
[[nodiscard]] Expected<std::string> read_file(const std::string& path,
                                              std::size_t max_bytes = 256U << 20);
[[nodiscard]] Status write_file_atomic(const std::string& path, std::string_view contents,
                                       bool executable = false);
// Atomic too, for its owner alone. A symbolic link in its place is replaced, not followed.
[[nodiscard]] Status write_private_file(const std::string& path, std::string_view contents);
[[nodiscard]] Status make_directories(const std::string& path);
[[nodiscard]] bool file_exists(const std::string& path);
[[nodiscard]] bool directory_exists(const std::string& path);
// Names (not paths) of the regular files in a directory that end in `suffix`, sorted.
[[nodiscard]] std::vector<std::string> list_files(const std::string& directory,
                                                  std::string_view suffix);
[[nodiscard]] std::vector<std::string> list_directories(const std::string& directory);
[[nodiscard]] std::string path_join(std::string_view a, std::string_view b);
// A relative path that stays in the directory it is taken in: no part of it is "." or "..", empty,
// or holds a newline or a zero byte.
[[nodiscard]] bool is_path_below(std::string_view path);
// What the tool keeps of its own and could make anew, by the XDG Base Directory Specification:
// "<cache>/tensorpath/<name>"; empty where there is no such place.
[[nodiscard]] std::string user_cache_path(std::string_view name);

// Lowercase hex SHA-256.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

}  // namespace tensorpath
