// What was read of a root's entries, kept so that a file that has not changed is not parsed again.
// Only ever a copy: it counts for an entry as long as the file's stamp is the one it was read at,
// and where it is torn, foreign or of another version there is none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <sys/stat.h>

#include <tensorpath/registry/entry.h>

namespace tensorpath::registry {

struct FileStamp {
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // no program can set this one
  std::int64_t size = 0;
  std::int64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};
[[nodiscard]] FileStamp stamp_of(const struct stat& status);

class RegistryIndex {
 public:
  // Of the registry at `root`; empty when there is none that can be used.
  [[nodiscard]] static RegistryIndex open(const std::string& cache_directory,
                                          const std::string& root);

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  // Fills the entry; `place` is "<op>/<id>". False: not there, or not as the file is now. Without
  // `cases`, Performance::cases stays empty.
  [[nodiscard]] bool find(std::string_view place, const FileStamp& stamp, bool cases,
                          Entry& entry) const;

 private:
  std::string bytes_;
  std::map<std::string_view, std::string_view> records_;
};

// Gathers records and puts them in the index's place. Errors are nobody's concern: the next load
// reads the files.
class IndexBuilder {
 public:
  void add(std::string_view place, const FileStamp& stamp, const Entry& entry);
  void write(const std::string& cache_directory, const std::string& root) const;

 private:
  std::string records_;
};

}  // namespace tensorpath::registry
