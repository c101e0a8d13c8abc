#include "base/building_directory.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/registry/store.h>

namespace tensorpath::registry {
namespace {

constexpr const char* kEntryFile = "entry.json";
// Each time a version is taken somebody else has published: so many at once is no accident.
constexpr int kMostTries = 10'000;

Status check_files(const Entry& entry, const std::vector<EntryFile>& files) {
  std::set<std::string_view> seen;
  const EntryFile* packet = nullptr;
  for (const EntryFile& file : files) {
    if (!is_path_below(file.path) || file.path == kEntryFile) {
      return fail(ExitCode::kUsage,
                  fmt::format("{} is no path for a file of an entry", quote_input(file.path)),
                  "a relative path without '..', and not entry.json");
    }
    if (!seen.insert(file.path).second) {
      return fail(ExitCode::kUsage, fmt::format("{} is given twice", quote_input(file.path)));
    }
    if (file.path == entry.packet) packet = &file;
  }
  if (packet == nullptr) {
    return fail(ExitCode::kUsage,
                fmt::format("the packet {} is not among the files", quote_input(entry.packet)));
  }
  if (sha256_hex(packet->contents) != entry.packet_sha256) {
    return fail(ExitCode::kUsage, fmt::format("the packet {} has another SHA-256 than the entry",
                                              quote_input(entry.packet)));
  }
  return {};
}

// After the highest there is: the version of an entry that was removed is not given again while a
// later one stands.
int next_version(const std::string& directory, const std::string& name) {
  int highest = 0;
  for (const std::string& id : list_directories(directory)) {
    highest = std::max(highest, version_of(id, name).value_or(0));
  }
  return highest + 1;
}

}  // namespace

Expected<std::string> publish(const std::string& root, Entry entry,
                              const std::vector<EntryFile>& files) {
  entry.id.clear();
  if (const auto read = read_entry(entry_text(entry), kEntryFile); !read) {
    return tl::unexpected(read.error());
  }
  if (const Status fine = check_files(entry, files); !fine) return tl::unexpected(fine.error());
  const std::string name = kernel_name(entry);
  const std::string directory = path_join(root, entry.op);
  if (const Status made = make_directories(directory); !made) return tl::unexpected(made.error());
  remove_abandoned_buildings(directory);
  auto place = BuildingDirectory::make(directory, name);
  if (!place) return tl::unexpected(place.error());
  for (const EntryFile& file : files) {
    if (const Status written = place->write(file.path, file.contents, false); !written) {
      return tl::unexpected(written.error());
    }
  }
  int version = 0;
  for (int round = 0; round < kMostTries; ++round) {
    version = std::max(version + 1, next_version(directory, name));
    entry.id = fmt::format("{}_v{}", name, version);
    // Nobody sees the directory yet, but the entry in it must be the one of this try.
    const std::string path = path_join(place->path(), kEntryFile);
    if (const Status written = write_file_atomic(path, entry_text(entry)); !written) {
      return tl::unexpected(written.error());
    }
    const auto moved = place->move_to(path_join(directory, entry.id));
    if (!moved) return tl::unexpected(moved.error());
    if (*moved) return entry.id;
  }
  return fail(ExitCode::kEnvironment,
              fmt::format("no free version of {} after {} tries", name, kMostTries));
}

}  // namespace tensorpath::registry
