// Where entries are kept: ROOT/<op>/<id>/ with entry.json beside the files that were promoted.
// A directory is built out of sight and appears whole, under a version that nobody else has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/registry/entry.h>

namespace tensorpath::registry {

struct EntryFile {
  std::string path;  // in the entry's directory
  std::string contents;
};

// Gives the entry the version after the highest one there is and returns its id. Any number of
// processes may publish at once. Errors: an entry that read_entry would refuse, a packet that is
// not among the files or has another SHA-256, a root that cannot be written.
[[nodiscard]] Expected<std::string> publish(const std::string& root, Entry entry,
                                            const std::vector<EntryFile>& files);

struct Registry {
  std::vector<Entry> entries;        // sorted by id; of equal ids the first root's
  std::vector<Diagnostic> warnings;  // entries that cannot be read; they hide no other
};

struct LoadOptions {
  // Keeps an index by root of what was read, used for entries whose file is unchanged since;
  // empty: every file is read.
  std::string cache_directory;
  // Without, Performance::cases is empty: half of the work for who only lists.
  bool cases = true;
};

// Roots that do not exist hold nothing.
[[nodiscard]] Registry load(const std::vector<std::string>& roots, const LoadOptions& options = {});

// By id or by a beginning that only one id has. Errors: none, or several, with the nearest.
[[nodiscard]] Expected<const Entry*> find(const std::vector<Entry>& entries, std::string_view id);

}  // namespace tensorpath::registry
