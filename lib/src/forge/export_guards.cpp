// The text that an operator and a kernel's domain make: argument struct, shapes, ranges.
#include "export_parts.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include <tensorpath/registry/select.h>

namespace tensorpath::forge {
namespace {

std::string true_or_false(bool value) { return value ? "true" : "false"; }

bool has_layout(const registry::Entry& entry, std::string_view layout) {
  return std::find(entry.layouts.begin(), entry.layouts.end(), layout) != entry.layouts.end();
}

// Calls `visit(tensor, output)` in the order of the struct.
template <typename Visit>
void each_tensor(const OperatorSpec& op, Visit visit) {
  for (const TensorSpec& tensor : op.inputs) visit(tensor, false);
  for (const TensorSpec& tensor : op.outputs) visit(tensor, true);
}

std::string joined_fields(const OperatorSpec& op, const char* prefix) {
  std::string out;
  for (const DimSpec& dim : op.dims) {
    out += fmt::format("{}{}a.{}", out.empty() ? "" : ", ", prefix, dim.name);
  }
  return out;
}

std::string dim_rules(const ExportSubject& subject) {
  std::string out;
  for (const DimSpec& dim : subject.op.dims) {
    if (dim.multiple_of.text() != "1") {
      out += fmt::format(
          "  {{ /* {0} is a multiple of {1} */\n    const tpx_number of = {2};\n    if (!of.valid "
          "|| of.value < 1 || a.{0} % of.value != 0) return false;\n  }}\n",
          dim.name, dim.multiple_of.text(), formula_in(dim.multiple_of, subject, "a."));
    }
    if (dim.at_most.names().empty()) continue;
    out += fmt::format(
        "  {{ /* {0} is at most {1} */\n    const tpx_number most = {2};\n    if (!most.valid || "
        "a.{0} > most.value) return false;\n  }}\n",
        dim.name, dim.at_most.text(), formula_in(dim.at_most, subject, "a."));
  }
  return out;
}

std::string attribute_rules(const OperatorSpec& op) {
  std::string out;
  for (const AttributeSpec& attribute : op.attributes) {
    // An integer chooses what is computed; of a number the fallback takes any.
    if (!attribute.integer) continue;
    std::string any;
    for (const double choice : attribute.choices) {
      any += fmt::format("{}a.{} == {}", any.empty() ? "" : " || ", attribute.name,
                         exact_number(choice));
    }
    if (!any.empty()) out += fmt::format("  if (!({})) return false;\n", any);
  }
  return out;
}

std::string shape_cases(const ExportSubject& subject) {
  std::string out;
  int index = 0;
  each_tensor(subject.op, [&](const TensorSpec& tensor, bool /*output*/) {
    std::string text;
    for (const Expression& dim : tensor.shape) {
      text += (text.empty() ? "" : ", ") + dim.text();
    }
    out += fmt::format("    case {}: /* {} [{}] */\n", index++, tensor.name, text);
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
      out += fmt::format("      sizes[{}] = {};\n", i, formula_in(tensor.shape[i], subject, "a."));
    }
    out += fmt::format("      rank = {};\n      break;\n", tensor.shape.size());
  });
  return out;
}

}  // namespace

std::string formula_in(const Expression& formula, const ExportSubject& subject,
                       const std::string& access) {
  return formula_code(formula, [&](const std::string& name) {
    if (name == "sizeof(T)") {
      return fmt::to_string(tensorpath::bytes_of(subject.task.domain.dtype, 1));
    }
    const AttributeSpec* attribute = subject.op.find_attribute(name);
    return attribute != nullptr ? fmt::format("(int64_t){}{}", access, name) : access + name;
  });
}

std::string argument_struct(const KernelTask& task) {
  const std::string header = host_header(task);
  const std::size_t begin = header.find("struct task_args");
  return header.substr(begin, header.find("};", begin) + 2 - begin);
}

std::string c_comment(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) {
    std::string safe = line.empty() ? "" : " " + line;
    for (std::size_t at = 0; (at = safe.find("*/", at)) != std::string::npos;) safe[at] = '+';
    out += (out.empty() ? "/*" : " *") + safe + "\n";
  }
  out.pop_back();
  return out + " */";
}

std::string hash_comment(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line.empty() ? "#\n" : "# " + line + "\n";
  return out;
}

std::vector<std::string> about_lines(const ExportSubject& subject) {
  const registry::Entry& entry = subject.entry;
  std::vector<std::string> lines = {
      fmt::format("{}: {}", entry.id, subject.op.summary),
      "Made by `tensorpath forge export`; changes to it are lost.",
      "",
      fmt::format("Kernel: candidate {}", entry.candidate_digest),
      fmt::format("Evidence: packet {}, SHA-256 {}", entry.packet, entry.packet_sha256),
      fmt::format("from run {}, attempt {}", entry.run_id, entry.attempt)};
  const registry::Explanation explained = registry::explain(entry);
  for (const std::string& line : explained.applies) lines.push_back("Applies: " + line);
  lines.emplace_back("Elsewhere: the operator's naive baseline, which is part of this export");
  for (const std::string& line : explained.measured) lines.push_back("Measured: " + line);
  const registry::Toolchain& toolchain = entry.toolchain;
  lines.push_back(fmt::format("Proved with: {} {}", toolchain.compiler, toolchain.flags));
  if (!toolchain.driver.empty()) lines.push_back("Driver: " + toolchain.driver);
  if (!toolchain.device.empty()) lines.push_back("On: " + toolchain.device);
  lines.emplace_back("Another compiler, other flags or another device make another program: the");
  lines.emplace_back("proof and the times are of the above (tensorpath replay checks them).");
  return lines;
}

Replacements common_names(const ExportSubject& subject) {
  std::string guard = "TENSORPATH_EXPORT_" + subject.identifier() + "_H";
  std::transform(guard.begin(), guard.end(), guard.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return {{"ID", subject.entry.id},
          {"OP", subject.op.name},
          {"NAMESPACE", subject.identifier()},
          {"GUARD", guard},
          {"SUMMARY", subject.op.summary},
          {"DTYPE", subject.entry.dtype},
          {"ARCHITECTURE", subject.entry.architecture},
          {"GPU", subject.entry.gpu},
          {"ABOUT", c_comment(about_lines(subject))},
          {"ABOUT_HASH", hash_comment(about_lines(subject))}};
}

Expected<std::string> guards_text(const ExportSubject& subject) {
  const OperatorSpec& op = subject.op;
  const registry::Entry& entry = subject.entry;
  const Domain& domain = subject.task.domain;
  std::string tensors;
  std::string pointers;
  std::string strides;
  int count = 0;
  each_tensor(op, [&](const TensorSpec& tensor, bool output) {
    tensors +=
        fmt::format("    {{\"{}\", {}, {}, {}, {}}},\n", tensor.name,
                    bits_of(op.dtype_of(tensor, subject.task.domain.dtype)), true_or_false(output),
                    true_or_false(tensor.strided), true_or_false(tensor.element_aligned));
    pointers += fmt::format("{}a.{}", count == 0 ? "" : ", ", tensor.name);
    if (tensor.strided) {
      strides += fmt::format("    case {}:\n      return a.{}_stride;\n", count, tensor.name);
    }
    ++count;
  });
  std::string dims;
  for (std::size_t i = 0; i < op.dims.size(); ++i) {
    dims += fmt::format("    {{\"{}\", {}, {}, {}, {}}},\n", op.dims[i].name, op.dims[i].least,
                        op.dims[i].most, domain.dims[i].least, domain.dims[i].most);
  }
  std::string attributes;
  for (const auto& [name, value] : subject.task.domain.attributes) {
    attributes += fmt::format("  if (a.{} != {}) return false;\n", name, exact_number(value));
  }
  return from_template(subject, "guards.h.in",
                       {{"TENSORS", tensors},
                        {"TENSOR_COUNT", fmt::to_string(count)},
                        {"DIMS", dims},
                        {"DIM_COUNT", fmt::to_string(op.dims.size())},
                        {"DIM_POINTERS", joined_fields(op, "&")},
                        {"DIM_VALUES", joined_fields(op, "")},
                        {"POINTERS", pointers},
                        {"SHAPES", shape_cases(subject)},
                        {"STRIDES", strides},
                        {"DIM_RULES", dim_rules(subject)},
                        {"ATTRIBUTE_RULES", attribute_rules(op)},
                        {"KERNEL_ATTRIBUTES", attributes},
                        {"STRIDED", true_or_false(has_layout(entry, "strided"))},
                        {"OFFSET", true_or_false(has_layout(entry, "offset"))}});
}

}  // namespace tensorpath::forge
