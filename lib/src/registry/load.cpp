// Reading registries: every entry of every root, unchanged ones from the index.
#include "index.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <system_error>
#include <tuple>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/base/parallel.h>
#include <tensorpath/registry/store.h>

namespace tensorpath::registry {
namespace {

constexpr const char* kEntryFile = "entry.json";
constexpr std::size_t kMostEntryBytes = 4U << 20;  // a thousand cases have 300 KB
// Fewer are read as fast as an index would be.
constexpr std::size_t kWorthAnIndex = 64;
// A file that was written while the clock still showed this time may be written again at it.
constexpr std::int64_t kClockTick_ns = 2'000'000'000;
// What one thread takes at a time.
constexpr std::size_t kChunk = 64;

struct Found {
  std::string op;
  std::string id;
  FileStamp stamp;
  bool whole = false;
  bool from_index = false;
  std::optional<Diagnostic> warning;

  [[nodiscard]] std::string place() const { return op + "/" + id; }
};

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Names of the directories in a directory that are not hidden, unsorted; nothing is asked of the
// file system that the listing itself tells.
std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, DirectoryCloser> directory(::opendir(path.c_str()));
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_name[0] == '.' || entry->d_type == DT_REG) continue;
    if (entry->d_type == DT_DIR || directory_exists(path_join(path, entry->d_name))) {
      names.emplace_back(entry->d_name);
    }
  }
  return names;
}

// Sorted by id, as entries are.
std::vector<Found> places_of(const std::string& root) {
  std::vector<Found> found;
  for (const std::string& op : directories_in(root)) {
    for (std::string& id : directories_in(path_join(root, op))) {
      found.push_back({op, std::move(id), {}, false, false, std::nullopt});
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.id, a.op) < std::tie(b.id, b.op);
  });
  return found;
}

Expected<Entry> read_at(int root, const std::string& place, const std::string& path, Found& found) {
  const FileDescriptor fd(
      ::openat(root, (place + "/" + kEntryFile).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) {
    return fail_at({path, 0, 0},
                   fmt::format("cannot be read: {}", std::generic_category().message(errno)));
  }
  found.stamp = stamp_of(status);
  if (!S_ISREG(status.st_mode)) return fail_at({path, 0, 0}, "it is no file");
  const auto text = read_descriptor(fd.get(), path, kMostEntryBytes);
  if (!text) return tl::unexpected(text.error());
  auto entry = read_entry(*text, path);
  if (!entry) return entry;
  if (entry->id != found.id || entry->op != found.op) {
    return fail_at({path, 0, 0},
                   fmt::format("it is the entry of {}, in a directory of another name",
                               quote_input(entry->op + "/" + entry->id)),
                   "an entry's place is <op>/<id>: was it copied?");
  }
  return entry;
}

void fill(const std::string& root, int root_fd, const RegistryIndex& index, bool cases,
          Found& found, Entry& entry) {
  const std::string place = found.place();
  struct stat status {};
  if (index.size() > 0 && ::fstatat(root_fd, (place + "/" + kEntryFile).c_str(), &status, 0) == 0 &&
      S_ISREG(status.st_mode)) {
    found.stamp = stamp_of(status);
    found.from_index = index.find(place, found.stamp, cases, entry);
    found.whole = found.from_index;
  }
  const std::string directory = path_join(root, place);
  if (!found.whole) {
    auto read = read_at(root_fd, place, path_join(directory, kEntryFile), found);
    found.whole = read.has_value();
    if (read) {
      entry = std::move(*read);
    } else {
      found.warning = read.error().diagnostics.front();
    }
  }
  entry.directory = directory;
}

// What the next load need not read again.
void keep(const std::vector<Found>& all, std::vector<Entry>& entries, const RegistryIndex& index,
          const LoadOptions& options, const std::string& root) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t settled =
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - kClockTick_ns;
  const auto fit = [&](const Found& found) {
    return found.whole && found.stamp.changed_ns < settled && found.stamp.modified_ns < settled;
  };
  const auto count = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), fit));
  const bool news = std::any_of(
      all.begin(), all.end(), [&](const Found& found) { return fit(found) && !found.from_index; });
  if (count < kWorthAnIndex || (!news && count == index.size())) return;
  IndexBuilder builder;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!fit(all[i])) continue;
    // An index has everything: what was left out is fetched.
    if (all[i].from_index && !options.cases &&
        !index.find(all[i].place(), all[i].stamp, true, entries[i])) {
      continue;
    }
    builder.add(all[i].place(), all[i].stamp, entries[i]);
  }
  builder.write(options.cache_directory, root);
}

// Sorted by id; those that cannot be read are left out and warned of.
std::vector<Entry> load_root(const std::string& root, const LoadOptions& options,
                             std::vector<Diagnostic>& warnings) {
  const FileDescriptor root_fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root_fd.valid()) {
    if (errno == ENOENT) return {};
    warnings.push_back(
        system_failure(ExitCode::kUsage, "cannot read", root, errno).value().diagnostics.front());
    return {};
  }
  std::vector<Found> all = places_of(root);
  std::vector<Entry> entries(all.size());
  const bool indexed = !options.cache_directory.empty() && all.size() >= kWorthAnIndex;
  const RegistryIndex index =
      indexed ? RegistryIndex::open(options.cache_directory, root) : RegistryIndex();
  const std::size_t chunks = (all.size() + kChunk - 1) / kChunk;
  parallel_for(static_cast<std::int64_t>(chunks), [&](std::int64_t chunk) {
    const std::size_t first = static_cast<std::size_t>(chunk) * kChunk;
    for (std::size_t i = first; i < std::min(first + kChunk, all.size()); ++i) {
      fill(root, root_fd.get(), index, options.cases, all[i], entries[i]);
    }
  });
  if (indexed) keep(all, entries, index, options, root);
  for (Found& found : all) {
    if (found.warning) warnings.push_back(std::move(*found.warning));
  }
  std::size_t place = 0;
  std::erase_if(entries, [&](Entry& entry) {
    if (!options.cases) entry.performance.cases.clear();
    return !all[place++].whole;
  });
  return entries;
}

}  // namespace

Registry load(const std::vector<std::string>& roots, const LoadOptions& options) {
  Registry registry;
  for (const std::string& root : roots) {
    std::vector<Entry> more = load_root(root, options, registry.warnings);
    std::vector<Entry>& entries = registry.entries;
    if (entries.empty()) {
      entries = std::move(more);
      continue;
    }
    const auto before = [](const Entry& a, const Entry& b) { return a.id < b.id; };
    // What an earlier root has stays; one that could not be read there hides none of a later root.
    std::erase_if(more, [&](const Entry& entry) {
      return std::binary_search(entries.begin(), entries.end(), entry, before);
    });
    const auto middle = static_cast<std::ptrdiff_t>(entries.size());
    std::move(more.begin(), more.end(), std::back_inserter(entries));
    std::inplace_merge(entries.begin(), entries.begin() + middle, entries.end(), before);
  }
  return registry;
}

Expected<const Entry*> find(const std::vector<Entry>& entries, std::string_view id) {
  std::vector<std::string> matches;
  const Entry* match = nullptr;
  std::vector<std::string> all;
  for (const Entry& entry : entries) {
    if (entry.id == id) return &entry;
    all.push_back(entry.id);
    if (!id.empty() && entry.id.starts_with(id)) {
      match = &entry;
      matches.push_back(entry.id);
    }
  }
  if (matches.size() == 1) return match;
  if (matches.empty()) {
    return fail(ExitCode::kUsage, fmt::format("there is no kernel {}", quote_input(id)),
                all.empty() ? "the registry is empty" : suggestion(id, all));
  }
  return fail(ExitCode::kUsage,
              fmt::format("{} may be any of {} kernels", quote_input(id), matches.size()),
              suggestion({}, matches));
}

}  // namespace tensorpath::registry
