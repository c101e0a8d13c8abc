// The C++ header: guards, kernel and fallback in one file, and a test that runs both.
#include "export_parts.h"
#include "export_shapes.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace tensorpath::forge {
namespace {

// The features of a level that compilers know by name; a level has those of the ones below it.
constexpr std::array<std::string_view, 3> kLevelFeatures = {
    "cx16,sahf,popcnt,sse3,ssse3,sse4.1,sse4.2", "avx,avx2,bmi,bmi2,f16c,fma,lzcnt,movbe,xsave",
    "avx512f,avx512bw,avx512cd,avx512dq,avx512vl"};

int level_of(const std::string& architecture) {
  const std::vector<std::string> levels = host_levels();
  const auto found = std::find(levels.begin(), levels.end(), architecture);
  return found == levels.end() ? 1 : static_cast<int>(found - levels.begin()) + 1;
}

std::string features_of(int level) {
  std::string features;
  for (int i = 0; i + 1 < level; ++i) {
    features += (i == 0 ? "" : ",") + std::string(kLevelFeatures[static_cast<std::size_t>(i)]);
  }
  return features;
}

std::string includes_of(const std::set<std::string>& headers) {
  std::set<std::string> all = {"cstddef", "cstdint", "cstring", "new", "type_traits"};
  all.insert(headers.begin(), headers.end());
  std::string out;
  for (const std::string& header : all) out += fmt::format("#include <{}>\n", header);
  out.pop_back();
  return out;
}

std::string workspace_of(const LaunchPlan& plan, const ExportSubject& subject) {
  return plan.workspaces.empty() ? "tpx_of(0)"
                                 : formula_in(plan.workspaces.front().bytes, subject, "a.");
}

std::string zeroes(const LaunchPlan& plan) {
  return !plan.workspaces.empty() && plan.workspaces.front().zeroed ? "true" : "false";
}

Replacements section_names(const ExportSubject& subject, const std::string& kernel_source) {
  const bool host = subject.task.device == DeviceKind::kHost;
  const int level = host ? level_of(subject.task.architecture) : 1;
  const std::string features = features_of(level);
  Replacements names = common_names(subject);
  names["ISA_LEVEL"] = fmt::to_string(level);
  names["KERNEL_WORKSPACE"] = host ? workspace_of(subject.candidate.plan, subject) : "";
  names["KERNEL_ZEROES"] = zeroes(subject.candidate.plan);
  names["FALLBACK_WORKSPACE"] = workspace_of(subject.fallback_plan, subject);
  names["FALLBACK_ZEROES"] = zeroes(subject.fallback_plan);
  names["PRAGMAS_BEGIN"] =
      features.empty()
          ? ""
          : fmt::format("#pragma GCC push_options\n#pragma GCC target(\"{}\")\n", features);
  names["PRAGMAS_END"] = features.empty() ? "" : "#pragma GCC pop_options\n";
  names["KERNEL_SOURCE"] = kernel_source;
  return names;
}

std::string_view fill_name(Fill fill) {
  constexpr std::array<std::string_view, 10> kNames = {
      "values",  "weight",  "index",       "unique", "length",
      "offsets", "uniform", "probability", "scale",  "bits"};
  return kNames[static_cast<std::size_t>(fill)];
}

// One line a shape and layout of the test.
class TestCalls {
 public:
  explicit TestCalls(const ExportSubject& subject) : subject_(subject) {}

  std::string text() {
    const std::vector<ExampleShape> shapes =
        example_shapes(subject_.task, subject_.entry.tuned_shape);
    for (const ExampleShape& shape : shapes) {
      add(shape, shape.inside ? "inside" : "outside", 0, 0, shape.inside);
    }
    const auto inside = std::find_if(shapes.begin(), shapes.end(),
                                     [](const ExampleShape& one) { return one.inside; });
    if (inside == shapes.end()) return out_;
    if (any([](const TensorSpec& tensor) { return tensor.strided; })) {
      const bool strided = has_layout("strided");
      add(*inside, strided ? "inside, longer rows" : "outside: longer rows", 32, 0, strided);
    }
    if (any([](const TensorSpec& tensor) { return tensor.element_aligned; })) {
      const bool offset = has_layout("offset");
      add(*inside, offset ? "inside, off a boundary" : "outside: off a boundary", 0, 4, offset);
    }
    return out_;
  }

 private:
  bool has_layout(std::string_view layout) const {
    const auto& all = subject_.entry.layouts;
    return std::find(all.begin(), all.end(), layout) != all.end();
  }
  template <typename Test>
  bool any(Test test) const {
    const OperatorSpec& op = *subject_.task.op;
    return std::any_of(op.inputs.begin(), op.inputs.end(), test) ||
           std::any_of(op.outputs.begin(), op.outputs.end(), test);
  }
  void add(const ExampleShape& shape, std::string_view what, int more, int shift, bool inside) {
    std::string words;
    std::string sizes;
    for (const DimRange& dim : subject_.task.domain.dims) {
      const std::int64_t size = shape.dims.find(dim.name)->second;
      words += fmt::format(" {}={}", dim.name, size);
      sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", size);
    }
    out_ += fmt::format("    {{\"{}:{}\", {{{}}}, {}, {}, {}}},\n", what, words, sizes, more, shift,
                        inside);
  }

  const ExportSubject& subject_;
  std::string out_;
};

struct TensorText {
  std::string contents, below, pointers, strides;
};

TensorText tensor_text(const ExportSubject& subject) {
  TensorText out;
  int index = 0;
  const auto add = [&](const TensorSpec& tensor, bool output) {
    const DType dtype = subject.op.dtype_of(tensor, subject.task.domain.dtype);
    out.contents += fmt::format("    {{Type::{}, Fill::{}, Rule::{}, {}, {}, {}}}, /* {} */\n",
                                tensorpath::name_of(dtype), fill_name(tensor.fill),
                                tensorpath::name_of(tensor.rule), !output || tensor.inout,
                                tensor.positive, exact_number(tensor.around), tensor.name);
    if (tensor.below.text() != "1") {
      out.below += fmt::format("    case {}:\n      below = {};\n      break;\n", index,
                               formula_in(tensor.below, subject, "a."));
    }
    out.pointers += fmt::format(
        "    case {0}:\n      a.{1} = reinterpret_cast<decltype(a.{1})>(data);\n      break;\n",
        index, tensor.name);
    if (tensor.strided) {
      out.strides +=
          fmt::format("  a.{}_stride = k::extent_of(a, {}).columns + more;\n", tensor.name, index);
    }
    ++index;
  };
  for (const TensorSpec& tensor : subject.op.inputs) add(tensor, false);
  for (const TensorSpec& tensor : subject.op.outputs) add(tensor, true);
  return out;
}

}  // namespace

Expected<std::string> kernel_header_text(const ExportSubject& subject) {
  const bool host = subject.task.device == DeviceKind::kHost;
  const EmbeddedSource fallback = embed_source(subject.fallback);
  std::set<std::string> headers = fallback.headers;
  std::string kernel_source;
  if (host) {
    const EmbeddedSource kernel = embed_source(subject.source());
    headers.insert(kernel.headers.begin(), kernel.headers.end());
    kernel_source = with_macros_kept(kernel);
  }
  const std::string place = host ? "cpp-header/" : "cuda/";
  Replacements names = section_names(subject, kernel_source);
  auto section = from_template(subject, place + "kernel_section.h.in", names);
  if (!section) return section;
  auto dispatch = from_template(subject, place + "dispatch.h.in", names);
  if (!dispatch) return dispatch;
  auto guards = guards_text(subject);
  if (!guards) return guards;
  auto formula = shared_file(subject, "formula.h");
  if (!formula) return formula;
  names["SYSTEM_HEADERS"] = includes_of(headers);
  names["KERNEL_HEADER"] = std::string(kernel_header());
  names["FORMULA_HEADER"] = *formula;
  names["ARGUMENTS"] = argument_struct(subject.fallback_task);
  names["GUARDS"] = *guards;
  names["KERNEL_SECTION"] = *section;
  names["DISPATCH"] = *dispatch;
  names["FALLBACK_NAME"] = "the naive baseline of " + subject.op.name;
  names["FALLBACK_SOURCE"] = with_macros_kept(fallback);
  return from_template(subject, "cpp-header/kernel.h.in", names);
}

Expected<std::vector<ExportFile>> export_cpp_header(const ExportSubject& subject) {
  auto header = kernel_header_text(subject);
  if (!header) return tl::unexpected(header.error());
  const auto shared = shared_file(subject, "cpp-header/contents.h");
  if (!shared) return tl::unexpected(shared.error());
  const TensorText tensors = tensor_text(subject);
  Replacements names = common_names(subject);
  names["COMPILE_LINE"] = "g++ -std=c++20 -O3 -Wall -Wextra -pthread test.cpp -o test && ./test";
  names["CONTENTS"] = tensors.contents;
  names["BELOW"] = tensors.below;
  names["REDUCTION"] = formula_in(subject.op.reduction, subject, "a.");
  names["SHARED"] = *shared;
  names["SET_POINTERS"] = tensors.pointers;
  names["SET_STRIDES"] = tensors.strides;
  names["DIM_COUNT"] = fmt::to_string(subject.op.dims.size());
  names["CALLS"] = TestCalls(subject).text();
  for (const auto& [name, value] : subject.task.domain.attributes) {
    names["SET_ATTRIBUTES"] += fmt::format("  a.{} = {};\n", name, exact_number(value));
  }
  names.emplace("SET_ATTRIBUTES", "");
  auto test = from_template(subject, "cpp-header/test.cpp.in", names);
  if (!test) return tl::unexpected(test.error());
  auto lists = from_template(subject, "cpp-header/CMakeLists.txt.in", names);
  if (!lists) return tl::unexpected(lists.error());
  return std::vector<ExportFile>{{subject.entry.id + ".h", std::move(*header)},
                                 {"test.cpp", std::move(*test)},
                                 {"CMakeLists.txt", std::move(*lists)}};
}

}  // namespace tensorpath::forge
