// What the tensors of an operator are in PyTorch's words: schema, parameters, shapes, checks.
#pragma once

#include "export_parts.h"

namespace tensorpath::forge {

// Every name that the templates of kernels/export/torch ask for of the operator.
[[nodiscard]] Replacements tensor_names(const ExportSubject& subject);

// Names for launch.h and launch.c, and for the extension that calls them.
[[nodiscard]] Replacements launcher_names(const ExportSubject& subject);
// launch.h, launch.<suffix>, and, as C++, cubin.cpp: the cubin in the program.
[[nodiscard]] Expected<std::vector<ExportFile>> launcher_files(const ExportSubject& subject,
                                                               const std::string& suffix);

}  // namespace tensorpath::forge
