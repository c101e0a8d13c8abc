// A CUDA kernel as a cubin, with its plan as JSON and as C over the driver's interface.
#include "export_tensors.h"
#include "harness/cuda_build.h"
#include "harness/scratch.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/json.h>

namespace tensorpath::forge {
namespace {

using Files = std::vector<ExportFile>;

class Launcher {
 public:
  explicit Launcher(const ExportSubject& subject)
      : subject_(subject), op_(subject.op), plan_(subject.candidate.plan) {}

  Replacements names() {
    Replacements out = common_names(subject_);
    out["LAUNCHES"] = launches();  // collects the functions
    std::string functions;
    for (const std::string& name : functions_) {
      functions += fmt::format("{}\"{}\"", functions.empty() ? "" : ", ", name);
    }
    out["FUNCTION_COUNT"] = fmt::to_string(std::max<std::size_t>(functions_.size(), 1));
    out["FUNCTION_NAMES"] = functions;
    out["DEVICE_ARGUMENTS"] = fields();
    out["COPY_ARGUMENTS"] = copies();
    out["DEVICE_RULES"] = rules();
    out["WORKSPACE_SLOTS"] = fmt::to_string(std::max<std::size_t>(plan_.workspaces.size(), 1));
    out["PLACE_WORKSPACES"] = workspaces();
    out["RUN_LAUNCHES"] = run_;
    // sm_90 is 9.0, sm_120 is 12.0.
    const std::string number = subject_.entry.architecture.substr(3);
    out["CAPABILITY"] =
        number.substr(0, number.size() - 1) + "." + number.substr(number.size() - 1);
    out["CAPABILITY_NUMBER"] = number;
    return out;
  }

 private:
  template <typename Visit>
  void each_tensor(Visit visit) const {
    for (const auto* tensors : {&op_.inputs, &op_.outputs}) {
      for (const TensorSpec& tensor : *tensors) visit(tensor);
    }
  }
  std::string formula(const Expression& of) const { return formula_in(of, subject_, "a->"); }
  bool has_layout(std::string_view layout) const {
    const auto& all = subject_.entry.layouts;
    return std::find(all.begin(), all.end(), layout) != all.end();
  }

  std::string fields() const {
    std::string out;
    each_tensor(
        [&](const TensorSpec& tensor) { out += fmt::format("  CUdeviceptr {};\n", tensor.name); });
    for (const DimSpec& dim : op_.dims) out += fmt::format("  int64_t {};\n", dim.name);
    each_tensor([&](const TensorSpec& tensor) {
      if (tensor.strided) {
        out += fmt::format("  int64_t {}_stride; /* elements from a row to the next */\n",
                           tensor.name);
      }
    });
    for (const AttributeSpec& one : op_.attributes) out += fmt::format("  double {};\n", one.name);
    return out;
  }
  // From the argument struct of the fallback's header.
  std::string copies() const {
    std::string out;
    each_tensor([&](const TensorSpec& tensor) {
      out += fmt::format("  out.{0} = reinterpret_cast<CUdeviceptr>(a.{0});\n", tensor.name);
      if (tensor.strided) out += fmt::format("  out.{0}_stride = a.{0}_stride;\n", tensor.name);
    });
    for (const DimSpec& dim : op_.dims) out += fmt::format("  out.{0} = a.{0};\n", dim.name);
    for (const AttributeSpec& one : op_.attributes) {
      out += fmt::format("  out.{0} = a.{0};\n", one.name);
    }
    return out;
  }

  std::string rules() const {
    std::string out;
    for (const DimRange& dim : subject_.task.domain.dims) {
      out += fmt::format("  if (a->{0} < {1} || a->{0} > {2}) return 0;\n", dim.name, dim.least,
                         dim.most);
    }
    for (const auto& [name, value] : subject_.task.domain.attributes) {
      out += fmt::format("  if (a->{} != {}) return 0;\n", name, exact_number(value));
    }
    each_tensor([&](const TensorSpec& tensor) {
      if (!(tensor.element_aligned && has_layout("offset"))) {
        out += fmt::format("  if (a->{} % 16 != 0) return 0;\n", tensor.name);
      }
      if (!tensor.strided) return;
      const int bits = bits_of(op_.dtype_of(tensor, subject_.task.domain.dtype));
      const std::string further =
          !has_layout("strided")   ? "1"
          : tensor.element_aligned ? "0"
                                   : fmt::format("a->{}_stride * {} % 128 != 0", tensor.name, bits);
      out += fmt::format(
          "  {{\n    const tpx_number columns = {0};\n    if (!columns.valid || a->{1}_stride < "
          "columns.value) return 0;\n    if (a->{1}_stride != columns.value && ({2})) return "
          "0;\n  }}\n",
          formula(tensor.shape.back()), tensor.name, further);
    });
    return out;
  }

  std::string workspaces() const {
    std::string out;
    for (std::size_t i = 0; i < plan_.workspaces.size(); ++i) {
      const PlanWorkspace& one = plan_.workspaces[i];
      out += fmt::format(
          "  bytes = {}; /* {} */\n  (*at)[{}] = (uint64_t)total.value;\n  (*sizes)[{}] = "
          "(uint64_t)bytes.value;\n  total = tpx_add(total, tpx_round_up(bytes, tpx_of(256)));\n",
          formula(one.bytes), one.name, i, i);
    }
    return out.empty() ? "  (*at)[0] = (*sizes)[0] = 0;\n" : out;
  }
  std::size_t workspace(const std::string& name) const {
    const auto found = std::find_if(plan_.workspaces.begin(), plan_.workspaces.end(),
                                    [&](const PlanWorkspace& one) { return one.name == name; });
    return static_cast<std::size_t>(found - plan_.workspaces.begin());
  }
  std::size_t function(const std::string& name) {
    const auto found = std::find(functions_.begin(), functions_.end(), name);
    if (found != functions_.end()) return static_cast<std::size_t>(found - functions_.begin());
    functions_.push_back(name);
    return functions_.size() - 1;
  }

  // Workspaces that preparing writes keep what it wrote until it is done anew.
  std::string zeroing(bool preparing) const {
    std::string out;
    for (std::size_t i = 0; i < plan_.workspaces.size(); ++i) {
      const PlanWorkspace& one = plan_.workspaces[i];
      const bool prepared =
          std::any_of(plan_.prepare.begin(), plan_.prepare.end(), [&](const PlanLaunch& launch) {
            return std::any_of(launch.arguments.begin(), launch.arguments.end(),
                               [&](const PlanArgument& argument) {
                                 return argument.kind == PlanArgument::Kind::kWorkspace &&
                                        argument.name == one.name;
                               });
          });
      if (!one.zeroed || prepared != preparing) continue;
      out += fmt::format(
          "  if (result == CUDA_SUCCESS{} && sizes[{}] > 0) {{\n    result = "
          "cuMemsetD8Async(at[{}], 0, sizes[{}], stream);\n  }}\n",
          preparing ? " && prepare" : "", i, i, i);
    }
    return out;
  }

  std::string launches() {
    std::string out;
    int number = 0;
    run_ = zeroing(true);
    for (const PlanLaunch& launch : plan_.prepare) {
      out += one_launch(launch, number);
      run_ += fmt::format(
          "  {{\n    int ignored = 0;\n    if (result == CUDA_SUCCESS && prepare) result = "
          "launch_{}(kernel, a, at, stream, &ignored);\n  }}\n",
          number++);
    }
    run_ += zeroing(false);
    for (const PlanLaunch& launch : plan_.launches) {
      out += one_launch(launch, number);
      run_ += fmt::format(
          "  if (result == CUDA_SUCCESS) result = launch_{}(kernel, a, at, stream, &launched);\n",
          number++);
    }
    return out;
  }

  std::string one_launch(const PlanLaunch& launch, int number) {
    std::string sizes;
    for (const auto* three : {&launch.grid, &launch.block, &launch.cluster}) {
      for (std::size_t i = 0; i < 3; ++i) {
        sizes += fmt::format("      {},\n", i < three->size() ? formula((*three)[i]) : "tpx_of(1)");
      }
    }
    sizes += fmt::format("      {},\n", formula(launch.shared_bytes));
    std::string locals;
    std::string pointers;
    std::string checks;
    maps_.clear();
    for (std::size_t i = 0; i < launch.arguments.size(); ++i) {
      argument(launch.arguments[i], i, locals, checks, pointers);
    }
    if (pointers.empty()) pointers = "NULL";
    return fmt::format(
        "/* {0} where {1} */\nstatic CUresult launch_{2}(const struct {3}_kernel* kernel, const "
        "args* a,\n                         const uint64_t* workspaces, CUstream stream, int* "
        "launched) {{\n  const tpx_number when = {4};\n  const tpx_number sizes[10] = "
        "{{\n{5}  }};\n{6}  (void)workspaces;\n  if (!when.valid) return "
        "CUDA_ERROR_INVALID_VALUE;\n  if (when.value == 0) return CUDA_SUCCESS;\n{7}  {{\n    "
        "void* "
        "arguments[] = {{{8}}};\n    *launched += 1;\n    return "
        "launch_one(kernel->functions[{9}], "
        "sizes, arguments, stream);\n  }}\n}}\n\n",
        launch.kernel, launch.when.text(), number, subject_.identifier(), formula(launch.when),
        sizes, locals, checks, pointers, function(launch.kernel));
  }

  void argument(const PlanArgument& argument, std::size_t number, std::string& locals,
                std::string& checks, std::string& pointers) {
    using Kind = PlanArgument::Kind;
    const std::string name = fmt::format("p{}", number);
    std::string pointer = "&" + name;
    switch (argument.kind) {
      case Kind::kTensor:
        locals += fmt::format("  CUdeviceptr {} = a->{};\n", name, argument.name);
        break;
      case Kind::kWorkspace:
        locals += fmt::format("  CUdeviceptr {} = workspaces[{}]; /* {} */\n", name,
                              workspace(argument.name), argument.name);
        break;
      case Kind::kInt32:
      case Kind::kInt64: {
        const bool narrow = argument.kind == Kind::kInt32;
        locals += fmt::format("  const tpx_number n{} = {};\n  {} {} = ({})n{}.value;\n", number,
                              formula(argument.value), narrow ? "int32_t" : "int64_t", name,
                              narrow ? "int32_t" : "int64_t", number);
        checks += fmt::format(
            "  if (!n{0}.valid || n{0}.value != {1}) return "
            "CUDA_ERROR_INVALID_VALUE;\n",
            number, name);
        break;
      }
      case Kind::kFloat:
        locals += fmt::format("  float {} = (float)a->{};\n", name, argument.name);
        break;
      case Kind::kDouble:
        locals += fmt::format("  double {} = a->{};\n", name, argument.name);
        break;
      case Kind::kTensorMap:
        pointer = "&map_" + argument.name;
        tensor_map(argument.name, locals, checks);
        break;
    }
    pointers += (pointers.empty() ? "" : ", ") + pointer;
  }

  void tensor_map(const std::string& name, std::string& locals, std::string& checks) {
    if (std::find(maps_.begin(), maps_.end(), name) != maps_.end()) return;
    maps_.push_back(name);
    for (const PlanTensorMap& map : plan_.tensor_maps) {
      if (map.name != name) continue;
      const auto list = [&](const std::vector<Expression>& formulas) {
        std::string out;
        for (const Expression& one : formulas) out += (out.empty() ? "" : ", ") + formula(one);
        return out.empty() ? "tpx_of(0)" : out;
      };
      const TensorSpec* spec = op_.find_input(map.tensor);
      if (spec == nullptr) spec = op_.find_output(map.tensor);
      locals += fmt::format(
          "  const tpx_number dims_{0}[] = {{{1}}};\n  const tpx_number strides_{0}[] = {{{2}}};\n"
          "  const tpx_number box_{0}[] = {{{3}}};\n  CUtensorMap map_{0};\n",
          name, list(map.dims), list(map.strides_bytes), list(map.box));
      checks += fmt::format(
          "  {{\n    cuuint64_t dims[5] = {{1, 1, 1, 1, 1}};\n    cuuint64_t strides[5] = {{0, 0, "
          "0, 0, 0}};\n    cuuint32_t box[5] = {{1, 1, 1, 1, 1}};\n    cuuint32_t steps[5] = {{1, "
          "1, 1, 1, 1}};\n    CUresult made;\n    int i;\n    for (i = 0; i < {1}; ++i) {{\n      "
          "if (!dims_{0}[i].valid || !box_{0}[i].valid) return CUDA_ERROR_INVALID_VALUE;\n      "
          "dims[i] = (cuuint64_t)dims_{0}[i].value;\n      box[i] = "
          "(cuuint32_t)box_{0}[i].value;\n      if (i + 1 < {1}) {{\n        if "
          "(!strides_{0}[i].valid) return CUDA_ERROR_INVALID_VALUE;\n        strides[i] = "
          "(cuuint64_t)strides_{0}[i].value;\n      }}\n    }}\n    made = "
          "cuTensorMapEncodeTiled(&map_{0}, {2}, {1}, (void*)a->{3}, dims, strides, box, steps, "
          "CU_TENSOR_MAP_INTERLEAVE_NONE, {4}, CU_TENSOR_MAP_L2_PROMOTION_NONE, "
          "CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);\n    if (made != CUDA_SUCCESS) return made;\n  }}\n",
          name, map.dims.size(), map_type(op_.dtype_of(*spec, subject_.task.domain.dtype)),
          map.tensor,
          map.swizzle == "none" ? "CU_TENSOR_MAP_SWIZZLE_NONE"
                                : fmt::format("CU_TENSOR_MAP_SWIZZLE_{}B", map.swizzle));
    }
  }
  static std::string_view map_type(DType dtype) {
    switch (dtype) {
      case DType::kFp32:
        return "CU_TENSOR_MAP_DATA_TYPE_FLOAT32";
      case DType::kFp16:
        return "CU_TENSOR_MAP_DATA_TYPE_FLOAT16";
      case DType::kBf16:
        return "CU_TENSOR_MAP_DATA_TYPE_BFLOAT16";
      case DType::kInt32:
        return "CU_TENSOR_MAP_DATA_TYPE_INT32";
      case DType::kInt64:
        return "CU_TENSOR_MAP_DATA_TYPE_INT64";
      default:
        return "CU_TENSOR_MAP_DATA_TYPE_UINT8";
    }
  }

  const ExportSubject& subject_;
  const OperatorSpec& op_;
  const LaunchPlan& plan_;
  std::vector<std::string> functions_;
  std::vector<std::string> maps_;
  std::string run_;
};

Json texts(const std::vector<Expression>& formulas) {
  Json out = Json::array();
  for (const Expression& one : formulas) out.push_back(one.text());
  return out;
}

Json launch_json(const PlanLaunch& launch) {
  constexpr std::array<std::string_view, 7> kKinds = {"tensor", "workspace", "tensor_map", "i32",
                                                      "i64",    "f32",       "f64"};
  Json arguments = Json::array();
  for (const PlanArgument& one : launch.arguments) {
    arguments.push_back({{"kind", kKinds[static_cast<std::size_t>(one.kind)]},
                         {"value", one.name.empty() ? one.value.text() : one.name}});
  }
  return {{"kernel", launch.kernel},
          {"when", launch.when.text()},
          {"grid", texts(launch.grid)},
          {"block", texts(launch.block)},
          {"cluster", texts(launch.cluster)},
          {"shared_bytes", launch.shared_bytes.text()},
          {"args", arguments}};
}

std::string plan_json(const ExportSubject& subject) {
  const LaunchPlan& plan = subject.candidate.plan;
  Json json = {{"id", subject.entry.id},
               {"workspaces", Json::array()},
               {"tensor_maps", Json::array()},
               {"prepare", Json::array()},
               {"launches", Json::array()}};
  for (const PlanWorkspace& one : plan.workspaces) {
    json["workspaces"].push_back(
        {{"name", one.name}, {"bytes", one.bytes.text()}, {"zeroed", one.zeroed}});
  }
  for (const PlanTensorMap& one : plan.tensor_maps) {
    json["tensor_maps"].push_back({{"name", one.name},
                                   {"tensor", one.tensor},
                                   {"dims", texts(one.dims)},
                                   {"strides_bytes", texts(one.strides_bytes)},
                                   {"box", texts(one.box)},
                                   {"swizzle", one.swizzle}});
  }
  for (const PlanLaunch& one : plan.prepare) json["prepare"].push_back(launch_json(one));
  for (const PlanLaunch& one : plan.launches) json["launches"].push_back(launch_json(one));
  return to_text(json);
}

struct Cubin {
  std::string bytes;
  std::string toolchain;
};

// Compiled as for the gates, in the sandbox.
Expected<Cubin> build(const ExportSubject& subject) {
  const auto toolkit = find_cuda_toolkit();
  if (!toolkit) return tl::unexpected(toolkit.error());
  const auto scratch = Scratch::make({});
  if (!scratch) return tl::unexpected(scratch.error());
  VerifyOptions options;
  options.sandbox = subject.request.sandbox;
  const Defences defences;
  const Subject compiled{subject.task, subject.candidate, options, defences, scratch->path()};
  const auto built = build_cubin(*toolkit, compiled, Build::kPlain);
  if (!built) return tl::unexpected(built.error());
  if (built->refusal.failure != Failure::kNone) {
    return fail(ExitCode::kAnswerIsNo, fmt::format("{} does not compile here: {}", subject.entry.id,
                                                   built->refusal.detail));
  }
  auto bytes = read_file(built->path, 64U << 20);
  if (!bytes) return tl::unexpected(bytes.error());
  return Cubin{std::move(*bytes), built->toolchain};
}

Status add(Files& files, const ExportSubject& subject, const std::string& from,
           const std::string& to, const Replacements& names) {
  auto text = from_template(subject, from, names);
  if (!text) return tl::unexpected(text.error());
  files.push_back({to, std::move(*text)});
  return {};
}

Expected<Files> launch_files(const ExportSubject& subject, const std::string& suffix,
                             Replacements& names) {
  const auto formula = shared_file(subject, "formula.h");
  if (!formula) return tl::unexpected(formula.error());
  names["FORMULA_HEADER"] = *formula;
  Files files;
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"cuda/launch.h.in", "launch.h"},
        {"cuda/launch.c.in", "launch." + suffix}}) {
    if (Status added = add(files, subject, from, to, names); !added) {
      return tl::unexpected(added.error());
    }
  }
  return files;
}

std::string bytes_text(const std::string& bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out += fmt::format("{}{},", i % 24 == 0 ? "\n    " : "", static_cast<unsigned char>(bytes[i]));
  }
  return out;
}

}  // namespace

Replacements launcher_names(const ExportSubject& subject) { return Launcher(subject).names(); }

Expected<Files> launcher_files(const ExportSubject& subject, const std::string& suffix) {
  const auto cubin = build(subject);
  if (!cubin) return tl::unexpected(cubin.error());
  Replacements names = launcher_names(subject);
  auto files = launch_files(subject, suffix, names);
  if (!files) return files;
  files->push_back(
      {"cubin.cpp",
       fmt::format("{}\n\n/* kernel.cu, compiled by {}. */\nextern const unsigned char "
                   "{}_cubin[];\nalignas(16) const unsigned char {}_cubin[] = {{{}\n}};\n",
                   names["ABOUT"], cubin->toolchain, subject.identifier(), subject.identifier(),
                   bytes_text(cubin->bytes))});
  return files;
}

Expected<Files> export_cubin(const ExportSubject& subject) {
  const auto cubin = build(subject);
  if (!cubin) return tl::unexpected(cubin.error());
  Replacements names = launcher_names(subject);
  names["COMPILER"] = cubin->toolchain;
  for (const std::string& line : about_lines(subject)) names["ABOUT_PLAIN"] += line + "\n";
  auto files = launch_files(subject, "c", names);
  if (!files) return files;
  if (Status added = add(*files, subject, "cuda/README.md.in", "README.md", names); !added) {
    return tl::unexpected(added.error());
  }
  files->push_back({"kernel.cubin", cubin->bytes});
  files->push_back({"kernel.cu", subject.source()});
  files->push_back({"plan.json", plan_json(subject)});
  return files;
}

}  // namespace tensorpath::forge
