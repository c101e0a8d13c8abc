// How an export's text is made: templates with @NAMES@ in them, formulas as C, and the sources of
// kernels made fit to stand in a header.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/expression.h>

namespace tensorpath::forge {

using Replacements = std::map<std::string, std::string, std::less<>>;

// Each @NAME@ (capitals, digits and _) is replaced. Error: a name that has no text.
[[nodiscard]] Expected<std::string> fill_template(std::string_view text,
                                                  const Replacements& replacements,
                                                  const std::string& file);

// The formula as calls of kernels/export/formula.h; `symbol` says how a name is written.
[[nodiscard]] std::string formula_code(
    const Expression& formula, const std::function<std::string(const std::string&)>& symbol);

// A host kernel's source for a namespace of its own in a header.
struct EmbeddedSource {
  std::set<std::string> headers;    // of the C++ library and the compiler: "cmath"
  std::vector<std::string> macros;  // that it defines
  std::string body;                 // without includes; the entry is static
};
[[nodiscard]] EmbeddedSource embed_source(std::string_view source);
// The body, with macros of the same names outside of it as they were.
[[nodiscard]] std::string with_macros_kept(const EmbeddedSource& source);

// A number as C and Python write it, read back equal.
[[nodiscard]] std::string exact_number(double value);
// "cpp_rmsnorm_host_fp32_16x4096_v1" out of an id: letters, digits and _ only.
[[nodiscard]] std::string identifier_of(std::string_view id);

}  // namespace tensorpath::forge
