#include "spec.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

tl::unexpected<Error> refuse(std::string message, std::string hint = {}) {
  return fail(ExitCode::kUsage, "sandbox: " + std::move(message), std::move(hint));
}

const std::string& target_of(const ViewEntry& entry) {
  return entry.target.empty() ? entry.source : entry.target;
}

// Absolute, and written in the one way that has no empty part, "." or "..".
bool is_plain_absolute(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos)
    return false;
  if (path == "/") return true;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

Status check_path(const char* what, const std::string& path) {
  if (is_plain_absolute(path)) return {};
  return refuse(fmt::format("{} {} is not a plain absolute path", what, quote_input(path)),
                "write it from / on, without '.', '..' or a slash at the end");
}

Status check_view(const SandboxSpec& spec) {
  for (const ViewEntry& entry : spec.view) {
    if (Status ok = check_path("the view's source", entry.source); !ok) return ok;
    if (Status ok = check_path("the view's target", target_of(entry)); !ok) return ok;
    if (target_of(entry) == "/") return refuse("the view cannot replace the whole root");
    struct stat status {};
    if (::stat(entry.source.c_str(), &status) != 0) {
      return refuse(fmt::format("cannot take {} into the view: {}", quote_input(entry.source),
                                std::strerror(errno)));
    }
    if (entry.device && !S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) {
      return refuse(fmt::format("{} is not a device", quote_input(entry.source)));
    }
  }
  return {};
}

Status check_descriptors(const SandboxSpec& spec) {
  std::set<int> taken;
  for (const PassedFd& fd : spec.fds) {
    if (::fcntl(fd.parent_fd, F_GETFD) < 0) {
      return refuse(fmt::format("descriptor {} is not open", fd.parent_fd));
    }
    if (fd.child_fd < 3 || fd.child_fd >= spec.limits.open_files) {
      return refuse(fmt::format("descriptor {} cannot be the program's: from 3 to {} are",
                                fd.child_fd, spec.limits.open_files - 1));
    }
    if (!taken.insert(fd.child_fd).second) {
      return refuse(fmt::format("descriptor {} is passed twice", fd.child_fd));
    }
  }
  return {};
}

Status check_limits(const SandboxLimits& limits) {
  const auto is_time = [](double value) { return std::isfinite(value) && value >= 0; };
  if (!is_time(limits.wall_s) || !is_time(limits.cpu_s)) return refuse("a time limit is negative");
  if (limits.processes < 1) return refuse("at least 1 process must be allowed");
  if (limits.open_files < 3) return refuse("at least 3 open files must be allowed");
  if (limits.output_bytes < 1) return refuse("at least 1 byte of output must be allowed");
  return {};
}

bool allows_others(const std::string& path, mode_t wanted) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  mode_t mode = status.st_mode;
  if (status.st_uid == kUnprivileged) {
    mode >>= 6U;
  } else if (status.st_gid == kUnprivileged) {
    mode >>= 3U;
  }
  return (mode & wanted) == wanted;
}

bool entry_is_open(const ViewEntry& entry, bool way_too) {
  constexpr mode_t kRead = 4;
  constexpr mode_t kWrite = 2;
  constexpr mode_t kEnter = 1;
  struct stat status {};
  if (::stat(entry.source.c_str(), &status) != 0) return false;
  mode_t wanted = kRead;
  if (entry.writable || entry.device) wanted |= kWrite;
  if (S_ISDIR(status.st_mode)) wanted |= kEnter;
  if (!allows_others(entry.source, wanted)) return false;
  if (!way_too) return true;
  for (std::size_t slash = entry.source.rfind('/'); slash != 0 && slash != std::string::npos;
       slash = entry.source.rfind('/', slash - 1)) {
    if (!allows_others(entry.source.substr(0, slash), kEnter)) return false;
  }
  return true;
}

class ListWriter {
 public:
  void number(std::size_t value) {
    const auto narrow = static_cast<std::uint32_t>(value);
    bytes_.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
    bytes_.append(4 - value.size() % 4, '\0');
  }
  void texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const std::string& value : values) text(value);
  }
  void eight_bytes(std::uint64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::size_t write_lists(const SandboxSpec& spec, const Filter& filter, ListWriter& writer) {
  writer.texts(spec.argv);
  writer.texts(spec.environment);
  writer.text(spec.working_directory);
  // What holds comes before what is inside it.
  std::vector<ViewEntry> view = spec.view;
  std::stable_sort(view.begin(), view.end(), [](const ViewEntry& a, const ViewEntry& b) {
    return target_of(a) < target_of(b);
  });
  writer.number(view.size());
  for (const ViewEntry& entry : view) {
    writer.text(entry.source);
    writer.text(target_of(entry));
    writer.number((entry.writable ? kViewWritable : 0) | (entry.device ? kViewDevice : 0));
  }
  writer.number(spec.fds.size());
  const std::size_t fds_at = writer.bytes().size();
  for (const PassedFd& fd : spec.fds) {
    writer.number(0);  // known once the init's descriptors are made
    writer.number(static_cast<std::size_t>(fd.child_fd));
  }
  writer.number(filter.instructions.size());
  for (const std::uint64_t instruction : filter.instructions) writer.eight_bytes(instruction);
  return fds_at;
}

}  // namespace

Status check_spec(const SandboxSpec& spec) {
  if (spec.argv.empty()) return refuse("there is no program to run");
  if (Status ok = check_path("the program", spec.argv.front()); !ok) return ok;
  if (Status ok = check_path("the working directory", spec.working_directory); !ok) return ok;
  for (const auto* texts : {&spec.argv, &spec.environment}) {
    for (const std::string& text : *texts) {
      if (text.find('\0') != std::string::npos) {
        return refuse(fmt::format("{} holds a zero byte", quote_input(text)));
      }
    }
  }
  for (const std::string& variable : spec.environment) {
    if (variable.find('=') == std::string::npos) {
      return refuse(fmt::format("{} is not NAME=value", quote_input(variable)));
    }
  }
  if (Status ok = check_limits(spec.limits); !ok) return ok;
  if (Status ok = check_descriptors(spec); !ok) return ok;
  return check_view(spec);
}

bool open_to_unprivileged(const SandboxSpec& spec, bool ways_too) {
  return std::all_of(spec.view.begin(), spec.view.end(),
                     [&](const ViewEntry& entry) { return entry_is_open(entry, ways_too); });
}

Expected<SharedMemory> SharedMemory::make(std::size_t bytes) {
  const auto failure = [] {
    return fail(ExitCode::kEnvironment,
                fmt::format("cannot make shared memory for the sandbox: {}", std::strerror(errno)));
  };
  SharedMemory out;
  out.fd_ = ::memfd_create("tensorpath-shared", MFD_CLOEXEC);
  if (out.fd_ < 0 || ::ftruncate(out.fd_, static_cast<off_t>(bytes)) != 0) return failure();
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, out.fd_, 0);
  if (memory == MAP_FAILED) return failure();
  out.memory_ = static_cast<char*>(memory);
  out.size_ = bytes;
  return out;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
  if (fd_ >= 0) ::close(fd_);
}

Expected<EncodedSpec> encode_spec(const SandboxSpec& spec, const Settings& settings,
                                  const Filter& filter) {
  ListWriter writer;
  const std::size_t fds_at = write_lists(spec, filter, writer);
  const std::size_t lists_at = sizeof(Shared);
  const std::size_t out_at = lists_at + writer.bytes().size();
  const std::size_t total = out_at + 2 * spec.limits.output_bytes;
  auto memory = SharedMemory::make(total);
  if (!memory) return tl::unexpected(memory.error());
  Shared& shared = memory->shared();
  shared.total_bytes = total;
  shared.lists_at = lists_at;
  shared.lists_bytes = writer.bytes().size();
  shared.out_at = out_at;
  shared.err_at = out_at + spec.limits.output_bytes;
  shared.output_bytes = spec.limits.output_bytes;
  shared.settings = settings;
  std::memcpy(memory->bytes() + lists_at, writer.bytes().data(), writer.bytes().size());
  return EncodedSpec{std::move(*memory), lists_at + fds_at};
}

}  // namespace tensorpath::sandbox
