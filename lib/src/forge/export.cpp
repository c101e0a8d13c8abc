#include "base/building_directory.h"
#include "export_parts.h"

#include <array>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath::forge {
namespace {

constexpr std::array<std::string_view, 4> kKinds = {"cpp-header", "torch-extension", "hf-kernel",
                                                    "cubin"};

Status check_kind(const registry::Entry& entry, ExportKind kind) {
  if (kind == ExportKind::kCppHeader && entry.language != "cpp") {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a kernel of {}: a C++ header is for kernels of the host",
                            entry.id, entry.gpu),
                "--as cubin or --as torch-extension");
  }
  if (kind == ExportKind::kCubin && entry.language != "cuda") {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a kernel of the host: a cubin is of a CUDA kernel", entry.id),
                "--as cpp-header or --as torch-extension");
  }
  return {};
}

}  // namespace

std::string_view name_of(ExportKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::vector<std::string> export_kind_names() { return {kKinds.begin(), kKinds.end()}; }

Expected<std::vector<ExportFile>> export_kernel(const registry::Entry& entry,
                                                const OperatorSpec& op,
                                                const ExportRequest& request) {
  if (const Status fits = check_kind(entry, request.kind); !fits) {
    return tl::unexpected(fits.error());
  }
  const auto subject = read_subject(entry, op, request);
  if (!subject) return tl::unexpected(subject.error());
  switch (request.kind) {
    case ExportKind::kCppHeader:
      return export_cpp_header(*subject);
    case ExportKind::kTorchExtension:
      return export_torch(*subject);
    case ExportKind::kHfKernel:
      return export_hf(*subject);
    default:
      return export_cubin(*subject);
  }
}

Status write_export(const std::string& directory, const std::vector<ExportFile>& files) {
  std::filesystem::path target(directory);
  if (!target.has_filename()) target = target.parent_path();
  const std::string parent = target.has_parent_path() ? target.parent_path().string() : ".";
  if (Status made = make_directories(parent); !made) return made;
  remove_abandoned_buildings(parent);
  auto place = BuildingDirectory::make(parent, target.filename().string());
  if (!place) return tl::unexpected(place.error());
  for (const ExportFile& file : files) {
    if (Status written = place->write(file.path, file.contents, false); !written) return written;
  }
  const auto moved = place->move_to(target.string());
  if (!moved) return tl::unexpected(moved.error());
  if (!*moved) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is there already and stays as it is", quote_input(directory)),
                "name another place with --output");
  }
  return {};
}

}  // namespace tensorpath::forge
