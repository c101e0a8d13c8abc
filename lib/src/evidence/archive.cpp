#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/evidence/archive.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxArchive = kMaxPacketBytes;  // as it lies on the disk
constexpr std::size_t kChunk = 64U << 10;

struct CloseArchive {
  void operator()(archive* reader) const { ::archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, CloseArchive>;

tl::unexpected<Error> unreadable(const std::string& what) {
  return fail(ExitCode::kAnswerIsNo, "is no archive of a packet: " + what);
}

// "./packet//a" as "packet/a"; empty for the root itself.
std::string plain_path(const char* name) {
  const std::string path = fs::path(name == nullptr ? "" : name).lexically_normal().string();
  if (path == "." || path == "./") return {};
  return path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
}

Expected<std::string> read_entry(archive* reader, std::size_t room) {
  std::string contents;
  std::string chunk(kChunk, '\0');
  for (;;) {
    const la_ssize_t got = ::archive_read_data(reader, chunk.data(), chunk.size());
    if (got < 0) return unreadable(::archive_error_string(reader));
    if (got == 0) return contents;
    contents.append(chunk, 0, static_cast<std::size_t>(got));
    if (contents.size() > room) return unreadable("it is larger than a packet may be");
  }
}

// The directory that every file is in, with its slash; empty where there is none.
std::string shared_directory(const std::vector<PacketFile>& files) {
  const std::string& first = files.front().path;
  std::string prefix = first.substr(0, first.find('/') + 1);
  if (prefix.empty()) return {};
  for (const PacketFile& file : files) {
    if (!file.path.starts_with(prefix)) return {};
  }
  return prefix;
}

// A path that is a file's and that others lie below; empty where there is none.
std::string file_and_directory(const std::vector<PacketFile>& files) {
  std::set<std::string_view> paths;
  for (const PacketFile& file : files) paths.insert(file.path);
  for (const PacketFile& file : files) {
    const std::string_view path = file.path;
    for (auto slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/', slash + 1)) {
      if (paths.contains(path.substr(0, slash))) return std::string(path.substr(0, slash));
    }
  }
  return {};
}

Expected<std::vector<PacketFile>> read_entries(archive* reader) {
  std::vector<PacketFile> files;
  std::set<std::string> seen;
  std::size_t room = kMaxPacketBytes;
  for (archive_entry* entry = nullptr;;) {
    const int status = ::archive_read_next_header(reader, &entry);
    if (status == ARCHIVE_EOF) return files;
    // A warning (a name in no known encoding, a field cut short) is no packet of ours.
    if (status != ARCHIVE_OK) return unreadable(::archive_error_string(reader));
    std::string path = plain_path(::archive_entry_pathname(entry));
    const auto type = ::archive_entry_filetype(entry);
    if (type == AE_IFDIR && ::archive_entry_hardlink(entry) == nullptr &&
        (path.empty() || is_path_below(path))) {
      continue;
    }
    const std::string shown = quote_input(path);
    if (type != AE_IFREG || ::archive_entry_hardlink(entry) != nullptr) {
      return unreadable(fmt::format("{} is neither a file nor a directory", shown));
    }
    if (!is_path_below(path)) return unreadable(fmt::format("{} leads out of it", shown));
    if (!seen.insert(path).second) return unreadable(fmt::format("{} is there twice", shown));
    if (files.size() >= kMaxPacketFiles) {
      return unreadable(fmt::format("it has more than {} files", kMaxPacketFiles));
    }
    auto contents = read_entry(reader, room);
    if (!contents) return tl::unexpected(contents.error());
    room -= contents->size();
    files.push_back({std::move(path), std::move(*contents)});
  }
}

}  // namespace

Expected<std::vector<PacketFile>> read_packet_archive(std::string_view bytes) {
  const Reader reader(::archive_read_new());
  if (reader == nullptr) return fail(ExitCode::kLimit, "out of memory");
  ::archive_read_support_filter_zstd(reader.get());
  ::archive_read_support_format_tar(reader.get());
  if (::archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
    return unreadable(::archive_error_string(reader.get()));
  }
  auto files = read_entries(reader.get());
  if (!files) return files;
  if (files->empty()) return unreadable("it has no files");
  if (const std::string both = file_and_directory(*files); !both.empty()) {
    return unreadable(fmt::format("{} is a file and a directory", quote_input(both)));
  }
  const std::size_t prefix = shared_directory(*files).size();
  for (PacketFile& file : *files) file.path.erase(0, prefix);
  return files;
}

Expected<PacketPlace> PacketPlace::open(const std::string& path) {
  if (directory_exists(path)) return PacketPlace(path, false);
  if (!file_exists(path)) {
    return fail(
        ExitCode::kUsage,
        fmt::format("{} is no packet: there is no such directory or file", quote_input(path)),
        "a packet is a directory with packet.json in it, or a .tar.zst of one");
  }
  const auto bytes = read_file(path, kMaxArchive);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto files = read_packet_archive(*bytes);
  if (!files) return tl::unexpected(files.error());
  std::string directory = (fs::temp_directory_path() / "tensorpath-packet-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    return system_failure(ExitCode::kEnvironment, "cannot make directory", directory, errno);
  }
  PacketPlace place(directory, true);
  for (const PacketFile& file : *files) {
    const std::string to = path_join(directory, file.path);
    if (const Status made = make_directories(fs::path(to).parent_path().string()); !made) {
      return tl::unexpected(made.error());
    }
    if (const Status written = write_file_atomic(to, file.contents); !written) {
      return tl::unexpected(written.error());
    }
  }
  return place;
}

PacketPlace::PacketPlace(PacketPlace&& other) noexcept
    : directory_(std::move(other.directory_)), temporary_(std::exchange(other.temporary_, false)) {}

PacketPlace::~PacketPlace() {
  std::error_code ignored;
  if (temporary_) fs::remove_all(directory_, ignored);
}

}  // namespace tensorpath
