#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/base/random.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

// Removes the temporary file unless the rename went through.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

tl::unexpected<Error> write_failure(const std::string& path, int error) {
  return system_failure(ExitCode::kEnvironment, "cannot write", path, error,
                        "the old file is untouched");
}

Expected<std::string> random_suffix() {
  const auto bytes = random_bytes(sizeof(std::uint64_t));
  if (!bytes) return tl::unexpected(bytes.error());
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes->data(), sizeof bits);
  return fmt::format("{:016x}", bits);
}

// A pipe or a device cannot be replaced by a rename; it takes the bytes as they come.
Status write_in_place(const std::string& path, std::string_view contents) {
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || !write_all(fd.get(), contents)) {
    return write_failure(path, errno);
  }
  return {};
}

Status write_and_rename(const std::string& path, std::string_view contents, mode_t mode,
                        bool keep_mode) {
  const fs::path target(path);
  const std::string directory = target.has_parent_path() ? target.parent_path().string() : ".";
  const auto suffix = random_suffix();
  if (!suffix) return tl::unexpected(suffix.error());
  TemporaryFile temporary(
      (fs::path(directory) / ("." + target.filename().string() + "." + *suffix + ".tmp")).string());
  FileDescriptor fd(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (fd.get() < 0) {
    const int error = errno;
    temporary.keep();  // not ours
    return write_failure(path, error);
  }
  const bool written = write_all(fd.get(), contents) &&
                       (!keep_mode || ::fchmod(fd.get(), mode) == 0) && ::fsync(fd.get()) == 0 &&
                       fd.close_now() && ::rename(temporary.path().c_str(), path.c_str()) == 0;
  if (!written) return write_failure(path, errno);
  temporary.keep();
  (void)sync_directory(directory);  // the rename is done: a reader sees the new file
  return {};
}

std::vector<std::string> list_entries(const std::string& directory, bool directories,
                                      std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const bool wanted = directories ? it->is_directory(ignored) : it->is_regular_file(ignored);
    std::string name = it->path().filename().string();
    const bool ends = name.size() >= suffix.size() &&
                      std::string_view(name).substr(name.size() - suffix.size()) == suffix;
    // Hidden files are editors' and our own temporaries.
    if (wanted && ends && name.front() != '.') names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Expected<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  const FileDescriptor fd(standard_input ? STDIN_FILENO
                                         : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_failure(ExitCode::kUsage, "cannot read", name, errno);
  return read_descriptor(fd.get(), name, max_bytes);
}

Status write_file_atomic(const std::string& path, std::string_view contents, bool executable) {
  // A symbolic link stays one: its target is replaced.
  std::error_code error;
  std::string target = path;
  if (fs::is_symlink(path, error)) {
    const fs::path resolved = fs::weakly_canonical(path, error);
    if (!error) target = resolved.string();
  }
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) {
    return write_and_rename(target, contents, executable ? 0777 : 0666, false);
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a directory, expected a file", quote_input(path)),
                "name a file in it");
  }
  if (!S_ISREG(status.st_mode)) return write_in_place(target, contents);
  mode_t mode = status.st_mode & 07777U;
  if (executable) mode |= (mode & 0444U) >> 2U;  // whoever may read may run
  return write_and_rename(target, contents, mode, true);
}

Status write_private_file(const std::string& path, std::string_view contents) {
  return write_and_rename(path, contents, S_IRUSR | S_IWUSR, true);
}

Status make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path, error) && !error) error = {ENOTDIR, std::system_category()};
  if (error) {
    return system_failure(ExitCode::kEnvironment, "cannot make directory", path, error.value());
  }
  return {};
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool directory_exists(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<std::string> list_files(const std::string& directory, std::string_view suffix) {
  return list_entries(directory, false, suffix);
}

std::vector<std::string> list_directories(const std::string& directory) {
  return list_entries(directory, true, "");
}

std::string path_join(std::string_view a, std::string_view b) {
  if (a.empty() || (!b.empty() && b.front() == '/')) return std::string(b);
  std::string out(a);
  if (b.empty()) return out;
  if (out.back() != '/') out += '/';
  return out.append(b);
}

bool is_path_below(std::string_view path) {
  constexpr std::string_view kUnfit("\n\0", 2);
  if (path.empty() || path.find_first_of(kUnfit) != std::string_view::npos) return false;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, end - from);
    if (part.empty() || part == "." || part == "..") return false;
    from = end + 1;
  }
  return true;
}

std::string user_cache_path(std::string_view name) {
  // Relative ones are to be ignored.
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return path_join(path_join(cache, "tensorpath"), name);
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  return path_join(path_join(home, ".cache/tensorpath"), name);
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(std::size_t{2} * size, '0');
  for (std::size_t i = 0; i < size; ++i) {
    out[2 * i] = kDigits[digest[i] >> 4U];
    out[2 * i + 1] = kDigits[digest[i] & 15U];
  }
  return out;
}

}  // namespace tensorpath
