// A promoted kernel as a drop-in for other programs: a C++ header, a PyTorch extension, a package
// for Hugging Face's kernel-builder, or a cubin with its launcher. Each guards exactly the domain
// that the kernel was proved in and falls back elsewhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/harness/task.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/registry/entry.h>
#include <tensorpath/sandbox.h>

namespace tensorpath::forge {

enum class ExportKind : std::uint8_t { kCppHeader, kTorchExtension, kHfKernel, kCubin };
[[nodiscard]] std::string_view name_of(ExportKind kind);  // "cpp-header"
[[nodiscard]] std::vector<std::string> export_kind_names();

struct ExportFile {
  std::string path;  // in the directory that is made
  std::string contents;
};

struct ExportRequest {
  ExportKind kind = ExportKind::kCppHeader;
  std::vector<std::string> templates;          // directories kernels/export, first match wins
  std::vector<std::string> baselines;          // directories kernels/baselines, likewise
  SandboxMode sandbox = SandboxMode::kStrict;  // of the compiler that makes a cubin
};

// The files of the export. Errors: kUsage for a kind that the entry's language does not have,
// kAnswerIsNo where the entry's files are not those that were promoted, kEnvironment for templates,
// a fallback or a compiler that are not here.
[[nodiscard]] Expected<std::vector<ExportFile>> export_kernel(const registry::Entry& entry,
                                                              const OperatorSpec& op,
                                                              const ExportRequest& request);

// Makes the directory with the files in it, whole or not at all; one that is there stays.
[[nodiscard]] Status write_export(const std::string& directory,
                                  const std::vector<ExportFile>& files);

}  // namespace tensorpath::forge
