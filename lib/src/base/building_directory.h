// A directory that is being built out of sight, to be moved to its place when it is whole.
// It is hidden, and its builder holds a lock on it that ends when the builder does: one that nobody
// holds was left behind by a kill.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>

namespace tensorpath {

class BuildingDirectory {
 public:
  // `name` is for who looks at what was left behind.
  [[nodiscard]] static Expected<BuildingDirectory> make(const std::string& root,
                                                        const std::string& name);
  BuildingDirectory(BuildingDirectory&& other) noexcept;
  BuildingDirectory& operator=(BuildingDirectory&&) = delete;
  BuildingDirectory(const BuildingDirectory&) = delete;
  BuildingDirectory& operator=(const BuildingDirectory&) = delete;
  // Removes everything, unless it was moved.
  ~BuildingDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  // A relative path; directories on the way are made.
  [[nodiscard]] Status write(const std::string& path, std::string_view contents, bool executable);
  [[nodiscard]] Status make_directory(const std::string& path);
  // Syncs everything and renames. False: there is something at `target`, which stays as it is.
  [[nodiscard]] Expected<bool> move_to(const std::string& target);

 private:
  BuildingDirectory(std::string root, std::string path, FileDescriptor fd);

  std::string root_;
  std::string path_;  // empty once moved
  FileDescriptor fd_;
  std::set<std::string> directories_;  // made below path_
};

// Removes what killed builders left in `root`. What cannot be removed stays, without an error: it
// is in nobody's way.
void remove_abandoned_buildings(const std::string& root);

}  // namespace tensorpath
