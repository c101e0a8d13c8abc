#include "vendor_library.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/candidate.h>

namespace tensorpath {
namespace {

constexpr std::size_t kMostFiles = 16;
constexpr std::size_t kMostBytes = 1U << 20;
constexpr std::string_view kBaselineFile = "baseline.yaml";

std::string_view source_name(DeviceKind kind) {
  return kind == DeviceKind::kCuda ? "kernel.cu" : "kernel.cpp";
}

}  // namespace

std::string candidate_digest(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string all;
  for (const auto& [name, contents] : files) {
    all += fmt::format("{}\n{}\n", name, sha256_hex(contents));
  }
  return sha256_hex(all);
}

// What a kernel or its author may bring along; anything else would only be carried around.
std::vector<std::string> candidate_file_names(DeviceKind kind) {
  return {std::string(source_name(kind)), "plan.yaml", "notes.md", "kernel.yaml"};
}

const std::string* KernelCandidate::find(std::string_view name) const {
  for (const auto& file : files) {
    if (file.first == name) return &file.second;
  }
  return nullptr;
}

namespace {

Expected<KernelCandidate> read_files(const std::string& directory, const KernelTask& task,
                                     const std::vector<std::string>& known, Refusal& refusal) {
  namespace fs = std::filesystem;
  KernelCandidate candidate;
  std::error_code error;
  fs::directory_iterator it(directory, error);
  if (error) {
    return fail(ExitCode::kUsage, fmt::format("cannot read the candidate directory {}: {}",
                                              quote_input(directory), error.message()));
  }
  const auto refuse = [&](std::string detail) {
    if (refusal.failure == Failure::kNone) refusal = {Failure::kBadCandidate, std::move(detail)};
  };
  const std::string& source = known.front();
  std::size_t bytes = 0;
  for (; it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.front() == '.') continue;  // editors' and version control's
    // A link could show the compiler or the packet a file that was never handed in.
    if (it->is_symlink(error) || !it->is_regular_file(error)) {
      refuse(fmt::format("{} is no regular file", quote_input(name)));
      continue;
    }
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      refuse(fmt::format("{} has no business there: {}, plan.yaml and notes.md do",
                         quote_input(name), source));
      continue;
    }
    auto contents = read_file(it->path().string(), kMostBytes);
    if (!contents) {
      refuse(contents.error().to_string());
      continue;
    }
    bytes += contents->size();
    candidate.files.emplace_back(name, std::move(*contents));
  }
  std::sort(candidate.files.begin(), candidate.files.end());
  candidate.digest = candidate_digest(candidate.files);
  if (bytes > kMostBytes || candidate.files.size() > kMostFiles) {
    refuse(fmt::format("its files are larger than {} bytes together", kMostBytes));
  }
  if (candidate.find(source) == nullptr) {
    refuse(fmt::format("there is no {}", source));
  }
  const std::string* plan = candidate.find("plan.yaml");
  if (refusal.failure != Failure::kNone) return candidate;
  if (plan == nullptr) {
    if (task.device == DeviceKind::kCuda)
      refuse("there is no plan.yaml: who launches the kernels?");
    return candidate;
  }
  auto read = read_plan(*plan, "plan.yaml", task);
  if (!read) {
    refusal = {Failure::kPlanInvalid, read.error().to_string()};
  } else {
    candidate.plan = std::move(*read);
  }
  return candidate;
}

}  // namespace

Expected<KernelCandidate> read_candidate(const std::string& directory, const KernelTask& task,
                                         Refusal& refusal) {
  return read_files(directory, task, candidate_file_names(task.device), refusal);
}

Expected<KernelCandidate> read_baseline(const std::string& directory, const KernelTask& task,
                                        Refusal& refusal, bool library) {
  std::vector<std::string> known = candidate_file_names(task.device);
  if (library) known.front() = kLibrarySource;
  if (task.device == DeviceKind::kHost) known.emplace_back(kBaselineFile);
  auto baseline = read_files(directory, task, known, refusal);
  if (!baseline || refusal.failure != Failure::kNone) return baseline;
  const std::string* text = baseline->find(kBaselineFile);
  if (text == nullptr) return baseline;
  auto links = read_links(*text, std::string(kBaselineFile));
  if (!links) {
    refusal = {Failure::kBadCandidate, links.error().to_string()};
  } else {
    baseline->links = std::move(*links);
  }
  return baseline;
}

}  // namespace tensorpath
