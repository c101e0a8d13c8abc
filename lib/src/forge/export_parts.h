// What the kinds of export share: everything about one entry, read and checked, and the pieces of
// text that its operator and domain make.
#pragma once

#include "export_text.h"

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/forge/export.h>
#include <tensorpath/harness/candidate.h>

namespace tensorpath::forge {

struct ExportSubject {
  const registry::Entry& entry;
  const OperatorSpec& op;
  const ExportRequest& request;
  KernelTask task;  // the entry's domain as a task
  KernelCandidate candidate;
  KernelTask fallback_task;  // the same on the host
  std::string fallback;      // source of the naive baseline
  LaunchPlan fallback_plan;

  [[nodiscard]] const std::string& source() const;
  [[nodiscard]] std::string identifier() const { return identifier_of(entry.id); }
};

// Errors as export_kernel().
[[nodiscard]] Expected<ExportSubject> read_subject(const registry::Entry& entry,
                                                   const OperatorSpec& op,
                                                   const ExportRequest& request);

// A template of the export, filled.
[[nodiscard]] Expected<std::string> from_template(const ExportSubject& subject,
                                                  const std::string& name,
                                                  const Replacements& replacements);
// A file of kernels/export as it is.
[[nodiscard]] Expected<std::string> shared_file(const ExportSubject& subject,
                                                const std::string& name);

// Names that every template may use: ID, OP, NAMESPACE, GUARD, SUMMARY, ABOUT_TEXT, ...
[[nodiscard]] Replacements common_names(const ExportSubject& subject);
// guards.h.in, filled.
[[nodiscard]] Expected<std::string> guards_text(const ExportSubject& subject);
// The fields of task.h.
[[nodiscard]] std::string argument_struct(const KernelTask& task);
// Lines of text as one comment of C.
[[nodiscard]] std::string c_comment(const std::vector<std::string>& lines);
[[nodiscard]] std::string hash_comment(const std::vector<std::string>& lines);
// What the export is, where it was proved, and by which packet.
[[nodiscard]] std::vector<std::string> about_lines(const ExportSubject& subject);

// How a formula names a symbol where `a` is the struct of the arguments ("a.", "a->").
[[nodiscard]] std::string formula_in(const Expression& formula, const ExportSubject& subject,
                                     const std::string& access);

// <id>.h: the guards, the fallback and, of a host kernel, the kernel itself.
[[nodiscard]] Expected<std::string> kernel_header_text(const ExportSubject& subject);

[[nodiscard]] Expected<std::vector<ExportFile>> export_cpp_header(const ExportSubject& subject);
[[nodiscard]] Expected<std::vector<ExportFile>> export_torch(const ExportSubject& subject);
[[nodiscard]] Expected<std::vector<ExportFile>> export_hf(const ExportSubject& subject);
[[nodiscard]] Expected<std::vector<ExportFile>> export_cubin(const ExportSubject& subject);

}  // namespace tensorpath::forge
