// Reads what an export is made of: the promoted source, as its digest knows it, and the fallback.
#include "export_parts.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath::forge {
namespace {

constexpr std::size_t kMostSource = 1U << 20;

Expected<KernelTask> task_of(const registry::Entry& entry, const OperatorSpec& op,
                             DeviceKind device) {
  const auto dtype = dtype_of(entry.dtype);
  if (!dtype) {
    return fail(ExitCode::kUsage,
                fmt::format("{}: there is no type {}", entry.id, quote_input(entry.dtype)));
  }
  auto domain = make_domain(op, *dtype, entry.dims, entry.attributes);
  if (!domain) return tl::unexpected(domain.error());
  KernelTask task;
  task.op = &op;
  task.domain = std::move(*domain);
  task.device = device;
  task.gpu = device == DeviceKind::kHost ? "host" : entry.gpu;
  task.architecture =
      device == DeviceKind::kHost && entry.language != "cpp" ? "x86-64" : entry.architecture;
  return task;
}

// Beside the entry, or in its packet; whichever holds the files that the digest was taken of.
Expected<KernelCandidate> promoted_files(const registry::Entry& entry, const KernelTask& task) {
  bool found = false;
  for (const char* place : {"packet/candidate", "candidate", ""}) {
    const std::string directory =
        *place == '\0' ? entry.directory : path_join(entry.directory, place);
    KernelCandidate candidate;
    for (const std::string& name : candidate_file_names(task.device)) {
      const std::string path = path_join(directory, name);
      if (!file_exists(path)) continue;
      auto contents = read_file(path, kMostSource);
      if (!contents) return tl::unexpected(contents.error());
      candidate.files.emplace_back(name, std::move(*contents));
    }
    std::sort(candidate.files.begin(), candidate.files.end());
    candidate.digest = candidate_digest(candidate.files);
    found = found || !candidate.files.empty();
    if (candidate.digest == entry.candidate_digest) return candidate;
  }
  return fail(ExitCode::kAnswerIsNo,
              found ? fmt::format("{}: its source is not the one that was promoted: no files there "
                                  "have the digest {}",
                                  entry.id, entry.candidate_digest)
                    : fmt::format("{}: there is no source beside its entry.json", entry.id),
              "what was not proved is not exported; promote it again");
}

// The naive baseline of the operator, and its plan where it has one.
Status read_fallback(ExportSubject& subject) {
  for (const std::string& root : subject.request.baselines) {
    const std::string directory = path_join(path_join(root, subject.op.name), "naive");
    auto source = read_file(path_join(directory, "kernel.cpp"), kMostSource);
    if (!source) continue;
    subject.fallback = std::move(*source);
    const std::string plan = path_join(directory, "plan.yaml");
    if (!file_exists(plan)) return {};
    const auto text = read_file(plan, kMostSource);
    if (!text) return tl::unexpected(text.error());
    auto read = read_plan(*text, plan, subject.fallback_task);
    if (!read) return tl::unexpected(read.error());
    subject.fallback_plan = std::move(*read);
    return {};
  }
  return fail(ExitCode::kEnvironment,
              fmt::format("there is no naive baseline of {} to fall back to", subject.op.name),
              "an installation has them in share/tensorpath/kernels/baselines");
}

}  // namespace

const std::string& ExportSubject::source() const {
  return *candidate.find(task.device == DeviceKind::kHost ? "kernel.cpp" : "kernel.cu");
}

Expected<ExportSubject> read_subject(const registry::Entry& entry, const OperatorSpec& op,
                                     const ExportRequest& request) {
  if (op.digest != entry.op_digest) {
    return fail(ExitCode::kAnswerIsNo,
                fmt::format("{}: the operator {} is not the one that it was promoted for", entry.id,
                            op.name),
                "its guards would be of another definition; promote it again");
  }
  const DeviceKind device = entry.language == "cuda" ? DeviceKind::kCuda : DeviceKind::kHost;
  auto task = task_of(entry, op, device);
  if (!task) return tl::unexpected(task.error());
  auto fallback_task = task_of(entry, op, DeviceKind::kHost);
  if (!fallback_task) return tl::unexpected(fallback_task.error());
  auto candidate = promoted_files(entry, *task);
  if (!candidate) return tl::unexpected(candidate.error());
  if (const std::string* plan = candidate->find("plan.yaml")) {
    auto read = read_plan(*plan, "plan.yaml", *task);
    if (!read) return tl::unexpected(read.error());
    candidate->plan = std::move(*read);
  }
  ExportSubject subject{
      entry, op, request, std::move(*task), std::move(*candidate), std::move(*fallback_task),
      {},    {}};
  if (subject.candidate.find(candidate_file_names(device).front()) == nullptr) {
    return fail(ExitCode::kAnswerIsNo, fmt::format("{}: its source is not there", entry.id));
  }
  if (const Status read = read_fallback(subject); !read) return tl::unexpected(read.error());
  return subject;
}

Expected<std::string> shared_file(const ExportSubject& subject, const std::string& name) {
  for (const std::string& root : subject.request.templates) {
    const std::string path = path_join(root, name);
    if (file_exists(path)) return read_file(path, kMostSource);
  }
  return fail(ExitCode::kEnvironment, fmt::format("there is no template {}", quote_input(name)),
              "an installation has them in share/tensorpath/kernels/export");
}

Expected<std::string> from_template(const ExportSubject& subject, const std::string& name,
                                    const Replacements& replacements) {
  auto text = shared_file(subject, name);
  if (!text) return text;
  return fill_template(*text, replacements, name);
}

}  // namespace tensorpath::forge
