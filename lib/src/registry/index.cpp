#include "index.h"

#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/version.h>

namespace tensorpath::registry {
namespace {

// Raised with every change of what follows it.
constexpr std::string_view kFormat = "tensorpath registry index 1";
constexpr std::size_t kSeal = 64;             // hex digits of SHA-256
constexpr std::size_t kMostBytes = 1U << 30;  // 10,000 entries have 20 MB
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

class Writer {
 public:
  void field(const std::int64_t& value) { append(&value, sizeof value); }
  void field(const int& value) { field(std::int64_t{value}); }
  void field(const double& value) { append(&value, sizeof value); }
  void field(const std::string& text) {
    field(static_cast<std::int64_t>(text.size()));
    out_ += text;
  }
  template <typename List, typename Each>
  void list(const List& items, const Each& each) {
    field(static_cast<std::int64_t>(items.size()));
    for (const auto& item : items) each(*this, item);
  }
  void field(const Symbols& symbols) {
    list(symbols, [](Writer& out, const auto& symbol) {
      out.field(symbol.first);
      out.field(symbol.second);
    });
  }
  void field(const std::optional<double>& value) {
    field(std::int64_t{value.has_value()});
    field(value.value_or(0));
  }
  void field(const EvidenceLevel& level) { field(static_cast<std::int64_t>(level)); }
  void field(const WallTime& time) { field(std::int64_t{time.time_since_epoch().count()}); }

  [[nodiscard]] const std::string& bytes() const { return out_; }

 private:
  void append(const void* bytes, std::size_t size) {
    out_.append(static_cast<const char*>(bytes), size);
  }
  std::string out_;
};

// Reads what Writer wrote; past the end everything is empty and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  void field(std::int64_t& value) { take(&value, sizeof value); }
  void field(int& value) {
    std::int64_t wide = 0;
    field(wide);
    value = static_cast<int>(wide);
  }
  void field(double& value) { take(&value, sizeof value); }
  void field(std::string& text) { text = view(); }
  [[nodiscard]] std::string_view view() {
    const std::size_t size = count();
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  template <typename List, typename Each>
  void list(List& items, const Each& each) {
    items.resize(count());
    for (auto& item : items) each(*this, item);
  }
  void field(Symbols& symbols) {
    for (std::size_t left = count(); left > 0 && ok_; --left) {
      std::string name;
      field(name);
      field(symbols[std::move(name)]);
    }
  }
  void field(std::optional<double>& value) {
    std::int64_t has = 0;
    double number = 0;
    field(has);
    field(number);
    if (has != 0) value = number;
  }
  void field(EvidenceLevel& level) {
    std::int64_t value = 0;
    field(value);
    level = static_cast<EvidenceLevel>(value);
    ok_ = ok_ && value >= 0 && value <= static_cast<std::int64_t>(EvidenceLevel::kEndpoint);
  }
  void field(WallTime& time) {
    std::int64_t value = 0;
    field(value);
    time = WallTime(std::chrono::microseconds(value));
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return in_.empty(); }

 private:
  void take(void* to, std::size_t size) {
    ok_ = ok_ && in_.size() >= size;
    if (!ok_) return;
    std::memcpy(to, in_.data(), size);
    in_.remove_prefix(size);
  }
  // Of bytes or items that must all be there: an item takes a byte at least.
  std::size_t count() {
    std::int64_t value = 0;
    field(value);
    ok_ = ok_ && value >= 0 && static_cast<std::uint64_t>(value) <= in_.size();
    return ok_ ? static_cast<std::size_t>(value) : 0;
  }

  std::string_view in_;
  bool ok_ = true;
};

// Every field of an entry but its cases, for both directions.
template <typename Archive, typename EntryType>
void fields_of(Archive& archive, EntryType& entry) {
  const auto texts = [&](auto&... all) { (archive.field(all), ...); };
  texts(entry.id, entry.op, entry.op_digest, entry.language, entry.gpu, entry.architecture,
        entry.dtype, entry.objective, entry.falls_back_to, entry.candidate_digest, entry.packet,
        entry.packet_sha256, entry.run_id);
  archive.list(entry.attributes, [](Archive& a, auto& attribute) {
    a.field(attribute.first);
    a.field(attribute.second);
  });
  archive.list(entry.dims, [](Archive& a, auto& dim) {
    a.field(dim.name);
    a.field(dim.least);
    a.field(dim.most);
  });
  archive.list(entry.layouts, [](Archive& a, auto& layout) { a.field(layout); });
  archive.field(entry.tuned_shape);
  archive.field(entry.evidence_level);
  auto& toolchain = entry.toolchain;
  texts(toolchain.compiler, toolchain.flags, toolchain.driver, toolchain.device);
  archive.field(entry.attempt);
  archive.field(entry.promoted_at);
  auto& p = entry.performance;
  texts(p.timing, p.baseline, p.ratio, p.lower, p.upper, p.sol_score);
}

// The rest, which comes last.
template <typename Archive, typename EntryType>
void cases_of(Archive& archive, EntryType& entry) {
  archive.list(entry.performance.cases, [](Archive& a, auto& one) {
    a.field(one.shape);
    a.field(one.weight);
    a.field(one.baseline);
    for (auto* number : {&one.baseline_us, &one.kernel_us, &one.ratio, &one.lower, &one.upper}) {
      a.field(*number);
    }
  });
}

template <typename Archive, typename Stamp>
void stamp_fields(Archive& archive, Stamp& stamp) {
  archive.field(stamp.modified_ns);
  archive.field(stamp.changed_ns);
  archive.field(stamp.size);
  archive.field(stamp.inode);
}

std::string absolute(const std::string& root) {
  std::error_code error;
  const auto path = std::filesystem::weakly_canonical(root, error);
  return error ? root : path.string();
}

std::string path_of(const std::string& cache_directory, const std::string& root) {
  return path_join(cache_directory, sha256_hex(absolute(root)).substr(0, 32) + ".index");
}

std::string head_of(const std::string& root) {
  return fmt::format("{}\n{}\n{}\n", kFormat, kVersion, absolute(root));
}

// Nobody else may have written it, or could.
Expected<std::string> read_own(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != ::geteuid() || (status.st_mode & kOthersWrite) != 0) {
    return fail(ExitCode::kEnvironment, "no index of our own");
  }
  return read_descriptor(fd.get(), path, kMostBytes);
}

}  // namespace

FileStamp stamp_of(const struct stat& status) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return {status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec,
          status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec,
          static_cast<std::int64_t>(status.st_size), static_cast<std::int64_t>(status.st_ino)};
}

RegistryIndex RegistryIndex::open(const std::string& cache_directory, const std::string& root) {
  RegistryIndex index;
  auto bytes = read_own(path_of(cache_directory, root));
  const std::string head = head_of(root);
  if (!bytes || bytes->size() < head.size() + kSeal || !bytes->starts_with(head)) return index;
  index.bytes_ = std::move(*bytes);
  const std::string_view all = index.bytes_;
  if (sha256_hex(all.substr(0, all.size() - kSeal)) != all.substr(all.size() - kSeal)) return index;
  Reader in(all.substr(head.size(), all.size() - head.size() - kSeal));
  while (in.ok() && !in.at_end()) {
    const std::string_view place = in.view();
    const std::string_view record = in.view();
    if (in.ok()) index.records_.emplace_hint(index.records_.end(), place, record);
  }
  return index;
}

bool RegistryIndex::find(std::string_view place, const FileStamp& stamp, bool cases,
                         Entry& entry) const {
  const auto found = records_.find(place);
  if (found == records_.end()) return false;
  Reader in(found->second);
  FileStamp read_at;
  stamp_fields(in, read_at);
  if (!in.ok() || read_at != stamp) return false;
  fields_of(in, entry);
  if (!cases) return in.ok();
  cases_of(in, entry);
  return in.ok() && in.at_end();
}

void IndexBuilder::add(std::string_view place, const FileStamp& stamp, const Entry& entry) {
  Writer record;
  stamp_fields(record, stamp);
  fields_of(record, entry);
  cases_of(record, entry);
  Writer both;
  both.field(std::string(place));
  both.field(record.bytes());
  records_ += both.bytes();
}

void IndexBuilder::write(const std::string& cache_directory, const std::string& root) const {
  if (const Status made = make_directories(cache_directory); !made) return;
  std::string bytes = head_of(root) + records_;
  bytes += sha256_hex(bytes);
  (void)write_private_file(path_of(cache_directory, root), bytes);
}

}  // namespace tensorpath::registry
