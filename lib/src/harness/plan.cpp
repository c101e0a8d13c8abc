// plan.yaml into a LaunchPlan: every mistake in the file at once, each with its place.
// tensorpath-candidate(5) documents each key.
#include "worker_protocol.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/yaml.h>
#include <tensorpath/harness/candidate.h>
#include <tensorpath/harness/emitted_code.h>

namespace tensorpath {
namespace {

// The launch is sent with a kernel name of this many bytes and the end of the string.
constexpr std::size_t kMostKernelName = sizeof(worker::Launch::kernel) - 1;

class PlanReader {
 public:
  explicit PlanReader(const KernelTask& task)
      : op_(*task.op),
        host_(task.device == DeviceKind::kHost),
        families_(instruction_families(task.device)) {
    for (const DimSpec& dim : op_.dims) names_.insert(dim.name);
    for (const AttributeSpec& attribute : op_.attributes) {
      if (attribute.integer) names_.insert(attribute.name);
      attributes_.push_back(attribute.name);
    }
    for (const auto* tensors : {&op_.inputs, &op_.outputs}) {
      for (const TensorSpec& tensor : *tensors) {
        tensors_.push_back(tensor.name);
        if (tensor.strided) names_.insert(tensor.name + "_stride");
      }
    }
  }

  LaunchPlan read(const YamlNode& document) {
    LaunchPlan plan;
    MapReader map(document, "", diagnostics);
    read_workspaces(map, plan);
    read_expects(map, plan);
    if (host_) {
      refuse_device_keys(map);
    } else {
      read_maps(map, plan);
      plan.prepare = read_launches(map, "prepare", plan, true);
      map.require("launches", "the kernels to launch, in order");
      plan.launches = read_launches(map, "launches", plan, false);
    }
    map.finish();
    return plan;
  }

  Diagnostics diagnostics;

 private:
  // A kernel of the host is called, not launched.
  void refuse_device_keys(MapReader& map) {
    for (const std::string_view key : {"tensor_maps", "prepare", "launches"}) {
      if (const YamlNode* node = map.node(key)) {
        diagnostics.add(node->where, fmt::format("{}: a host kernel has none", key),
                        "leave it out; the entry is tensorpath_kernel");
      }
    }
  }

  Expression formula(const YamlNode& node, const std::string& path) {
    if (!node.is_scalar()) {
      diagnostics.add(node.where,
                      fmt::format("{}: expected a formula, found {}", path, node.kind_name()));
      return Expression::constant(1);
    }
    return formula(node.scalar, node.where, path);
  }

  Expression formula(std::string_view text, const SourceLocation& where, const std::string& path) {
    auto parsed = Expression::parse(text, where);
    if (!parsed) {
      // [ceil_div(a, b)] is a list of two.
      const auto parentheses = [&](char c) { return std::count(text.begin(), text.end(), c); };
      const bool cut = parentheses('(') != parentheses(')');
      for (const Diagnostic& one : parsed.error().diagnostics) {
        diagnostics.add(one.where, one.message,
                        cut ? "a formula with commas in a [list] must be in quotes" : one.hint);
      }
      return Expression::constant(1);
    }
    for (const std::string& name : parsed->names()) {
      if (names_.count(name) != 0 || name == "T") continue;
      diagnostics.add(where, fmt::format("{}: {} is not known here", path, quote_input(name)),
                      suggestion(name, {names_.begin(), names_.end()}));
    }
    return *parsed;
  }

  Expression formula(MapReader& map, std::string_view key, std::int64_t otherwise) {
    const YamlNode* node = map.node(key);
    return node == nullptr ? Expression::constant(otherwise) : formula(*node, map.path_of(key));
  }

  // A list of formulas, or one standing for a list of one.
  std::vector<Expression> formulas(MapReader& map, std::string_view key, std::size_t least,
                                   std::size_t most) {
    const YamlNode* node = map.node(key);
    std::vector<Expression> out;
    if (node == nullptr) return out;
    if (node->is_sequence()) {
      for (const YamlNode& item : node->items) out.push_back(formula(item, map.path_of(key)));
    } else {
      out.push_back(formula(*node, map.path_of(key)));
    }
    if (out.size() < least || out.size() > most) {
      const std::string wanted =
          least == most ? fmt::to_string(least) : fmt::format("{} to {}", least, most);
      diagnostics.add(node->where, fmt::format("{}: expected {} formulas, found {}",
                                               map.path_of(key), wanted, out.size()));
    }
    return out;
  }

  // A name that the plan defines.
  bool new_name(const std::string& name, const SourceLocation& where) {
    const bool form =
        !name.empty() && name.size() <= 40 && name.front() >= 'a' && name.front() <= 'z' &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (!form) {
      diagnostics.add(where, fmt::format("{} is no name", quote_input(name)),
                      "a lower-case letter, then lower-case letters, digits and _; at most 40");
      return false;
    }
    const bool taken = names_.count(name) != 0 || own_.count(name) != 0 ||
                       contains(tensors_, name) || contains(attributes_, name);
    if (taken) {
      diagnostics.add(where, fmt::format("the name {} is taken", quote_input(name)));
      return false;
    }
    own_.insert(name);
    return true;
  }

  static bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  void read_workspaces(MapReader& map, LaunchPlan& plan) {
    const YamlNode* node = map.node("workspace");
    if (node == nullptr) return;
    if (node->is_scalar()) {
      plan.workspaces.push_back({"workspace", formula(*node, "workspace"), false});
      own_.insert("workspace");
      return;
    }
    if (!node->is_map()) {
      diagnostics.add(
          node->where,
          fmt::format("workspace: expected a mapping or a formula, found {}", node->kind_name()));
      return;
    }
    for (const auto& [name, value] : node->entries) {
      if (!new_name(name, value.where)) continue;
      MapReader entry(value, "workspace." + name, diagnostics);
      entry.require("bytes", "its size, a formula");
      PlanWorkspace workspace{name, formula(entry, "bytes", 0), false};
      workspace.zeroed = entry.boolean("zeroed").value_or(false);
      entry.finish();
      plan.workspaces.push_back(std::move(workspace));
    }
    const std::size_t most = host_ ? 1 : 8;
    if (plan.workspaces.size() > most) {
      diagnostics.add(node->where, fmt::format("workspace: at most {} here", most));
    }
  }

  // Instructions that the author means the compiler to emit.
  void read_expects(MapReader& map, LaunchPlan& plan) {
    const YamlNode* node = map.node("expects");
    if (node == nullptr) return;
    if (!node->is_sequence() || node->items.empty()) {
      diagnostics.add(node->where, "expects: expected a list of instruction families",
                      suggestion("", families_));
      return;
    }
    for (const YamlNode& item : node->items) {
      if (!item.is_scalar() || !contains(families_, item.scalar)) {
        diagnostics.add(item.where,
                        fmt::format("expects: there is no family {}",
                                    item.is_scalar() ? quote_input(item.scalar) : "of that kind"),
                        suggestion(item.scalar, families_));
      } else if (contains(plan.expects, item.scalar)) {
        diagnostics.add(item.where, fmt::format("expects: {} is there twice", item.scalar));
      } else {
        plan.expects.push_back(item.scalar);
      }
    }
  }

  void read_maps(MapReader& map, LaunchPlan& plan) {
    const YamlNode* node = map.node("tensor_maps");
    if (node == nullptr) return;
    if (!node->is_map()) {
      diagnostics.add(node->where,
                      fmt::format("tensor_maps: expected a mapping, found {}", node->kind_name()));
      return;
    }
    for (const auto& [name, value] : node->entries) {
      if (!new_name(name, value.where)) continue;
      MapReader entry(value, "tensor_maps." + name, diagnostics);
      plan.tensor_maps.push_back(read_map(name, entry));
      entry.finish();
    }
    if (plan.tensor_maps.size() > 16) diagnostics.add(node->where, "tensor_maps: at most 16");
  }

  PlanTensorMap read_map(const std::string& name, MapReader& entry) {
    PlanTensorMap out;
    out.name = name;
    entry.require("tensor", "the tensor it is a view of");
    out.tensor = entry.text("tensor").value_or("");
    if (!out.tensor.empty() && !contains(tensors_, out.tensor)) {
      diagnostics.add(entry.where("tensor"),
                      fmt::format("there is no tensor {}", quote_input(out.tensor)),
                      suggestion(out.tensor, tensors_));
    }
    entry.require("dims", "elements, innermost first");
    entry.require("box", "elements of a tile, innermost first");
    out.dims = formulas(entry, "dims", 1, 5);
    const std::size_t rank = std::max<std::size_t>(out.dims.size(), 1);
    if (rank > 1) entry.require("strides_bytes", "of all dims but the innermost");
    out.strides_bytes = formulas(entry, "strides_bytes", rank - 1, rank - 1);
    out.box = formulas(entry, "box", rank, rank);
    // A number in the file is text here: `swizzle: 128`.
    if (const YamlNode* swizzle = entry.node("swizzle")) {
      const std::vector<std::string> allowed{"none", "32", "64", "128"};
      out.swizzle = swizzle->scalar;
      if (!contains(allowed, out.swizzle)) {
        diagnostics.add(swizzle->where,
                        fmt::format("there is no swizzle {}", quote_input(out.swizzle)),
                        suggestion(out.swizzle, allowed));
      }
    }
    return out;
  }

  std::vector<PlanLaunch> read_launches(MapReader& map, std::string_view key,
                                        const LaunchPlan& plan, bool prepare) {
    std::vector<PlanLaunch> out;
    const YamlNode* node = map.node(key);
    if (node == nullptr) return out;
    if (!node->is_sequence() || node->items.empty()) {
      diagnostics.add(node->where, fmt::format("{}: expected a list of launches", key));
      return out;
    }
    if (node->items.size() > worker::kMaxLaunches / 2) {
      diagnostics.add(node->where, fmt::format("{}: at most {}", key, worker::kMaxLaunches / 2));
      return out;
    }
    for (const YamlNode& item : node->items) {
      MapReader entry(item, fmt::format("{}[{}]", key, out.size()), diagnostics);
      out.push_back(read_launch(entry, plan, prepare));
      entry.finish();
    }
    return out;
  }

  PlanLaunch read_launch(MapReader& entry, const LaunchPlan& plan, bool prepare) {
    PlanLaunch launch;
    entry.require("kernel", "the name of an extern \"C\" __global__ function");
    launch.kernel = entry.text("kernel").value_or("");
    if (launch.kernel.size() > kMostKernelName) {
      diagnostics.add(entry.where("kernel"),
                      fmt::format("kernel: at most {} bytes", kMostKernelName));
    }
    launch.when = formula(entry, "when", 1);
    entry.require("grid", "blocks, one to three formulas");
    entry.require("block", "threads, one to three formulas");
    launch.grid = formulas(entry, "grid", 1, 3);
    launch.block = formulas(entry, "block", 1, 3);
    launch.cluster = formulas(entry, "cluster", 1, 3);
    launch.shared_bytes = formula(entry, "shared_bytes", 0);
    entry.require("args", "its arguments, in order");
    const YamlNode* args = entry.node("args");
    if (args == nullptr) return launch;
    if (!args->is_sequence() || args->items.size() > worker::kMaxArguments) {
      diagnostics.add(args->where, fmt::format("{}: expected a list of at most {}",
                                               entry.path_of("args"), worker::kMaxArguments));
      return launch;
    }
    for (const YamlNode& item : args->items) {
      launch.arguments.push_back(read_argument(item, entry.path_of("args"), plan));
      if (prepare) check_prepare(launch.arguments.back(), plan, item.where);
    }
    return launch;
  }

  // "x", "i32 rows", "i64 x_stride", "f32 eps", "f64 eps".
  PlanArgument read_argument(const YamlNode& item, const std::string& path,
                             const LaunchPlan& plan) {
    PlanArgument out;
    if (!item.is_scalar() || item.scalar.empty()) {
      diagnostics.add(item.where,
                      fmt::format("{}: expected text, found {}", path, item.kind_name()),
                      "a tensor, a workspace, a tensor map, \"i32 FORMULA\" or \"f32 ATTRIBUTE\"");
      return out;
    }
    const std::size_t space = item.scalar.find(' ');
    const std::string head = item.scalar.substr(0, space);
    const bool typed = head == "i32" || head == "i64" || head == "f32" || head == "f64";
    if (!typed) return read_name(item, path, plan);
    std::string rest = space == std::string::npos ? std::string() : item.scalar.substr(space);
    rest.erase(0, std::min(rest.find_first_not_of(' '), rest.size()));
    if (head.front() == 'i') {
      out.kind = head == "i32" ? PlanArgument::Kind::kInt32 : PlanArgument::Kind::kInt64;
      out.value = formula(rest, item.where, path);
      return out;
    }
    out.kind = head == "f32" ? PlanArgument::Kind::kFloat : PlanArgument::Kind::kDouble;
    out.name = rest;
    if (!contains(attributes_, rest)) {
      diagnostics.add(item.where,
                      fmt::format("{}: there is no attribute {}", path, quote_input(rest)),
                      suggestion(rest, attributes_));
    }
    return out;
  }

  PlanArgument read_name(const YamlNode& item, const std::string& path, const LaunchPlan& plan) {
    PlanArgument out;
    out.name = item.scalar;
    const auto named = [&](const auto& list) {
      return std::any_of(list.begin(), list.end(),
                         [&](const auto& one) { return one.name == out.name; });
    };
    if (contains(tensors_, out.name)) {
      out.kind = PlanArgument::Kind::kTensor;
    } else if (named(plan.workspaces)) {
      out.kind = PlanArgument::Kind::kWorkspace;
    } else if (named(plan.tensor_maps)) {
      out.kind = PlanArgument::Kind::kTensorMap;
    } else if (names_.count(out.name) != 0 || contains(attributes_, out.name)) {
      diagnostics.add(
          item.where, fmt::format("{}: {} needs a type", path, quote_input(out.name)),
          fmt::format("\"{} {}\"", names_.count(out.name) != 0 ? "i32" : "f32", out.name));
    } else {
      std::vector<std::string> known = tensors_;
      known.insert(known.end(), own_.begin(), own_.end());
      diagnostics.add(item.where, fmt::format("{}: there is no {}", path, quote_input(out.name)),
                      suggestion(out.name, known));
    }
    return out;
  }

  // Preparing is untimed, so that it may touch only what never changes between calls.
  void check_prepare(const PlanArgument& argument, const LaunchPlan& plan,
                     const SourceLocation& where) {
    if (argument.kind == PlanArgument::Kind::kTensorMap) {
      diagnostics.add(where, "prepare: tensor maps are for launches");
      return;
    }
    // A call begins by zeroing those: what was prepared would be gone.
    for (const PlanWorkspace& workspace : plan.workspaces) {
      if (workspace.zeroed && workspace.name == argument.name) {
        diagnostics.add(
            where, fmt::format("prepare: {} is zeroed at each call", quote_input(argument.name)));
      }
    }
    if (argument.kind != PlanArgument::Kind::kTensor) return;
    const TensorSpec* input = op_.find_input(argument.name);
    if (input != nullptr && input->is_static) return;
    diagnostics.add(where,
                    fmt::format("prepare: {} is no static input", quote_input(argument.name)),
                    "it may read static inputs and write workspaces");
  }

  const OperatorSpec& op_;
  bool host_;
  std::vector<std::string> families_;    // of instructions of the device
  std::set<std::string> names_;          // what formulas may use
  std::vector<std::string> tensors_;     // of the operator
  std::vector<std::string> attributes_;  // of the operator
  std::set<std::string> own_;            // workspaces and maps
};

}  // namespace

Expected<LaunchPlan> read_plan(std::string_view yaml, const std::string& file,
                               const KernelTask& task) {
  const auto document = parse_yaml(yaml, file, {.max_bytes = 64U << 10, .max_nodes = 5'000});
  if (!document) return tl::unexpected(document.error());
  PlanReader reader(task);
  LaunchPlan plan = reader.read(*document);
  if (!reader.diagnostics.empty()) return tl::unexpected(reader.diagnostics.to_error());
  return plan;
}

}  // namespace tensorpath
