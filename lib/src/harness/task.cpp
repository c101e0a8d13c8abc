#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/base/yaml.h>
#include <tensorpath/harness/task.h>

namespace tensorpath {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"x86-64", "x86-64-v2", "x86-64-v3",
                                                     "x86-64-v4"};

// A size: past 2^53 a number of the file would be another one here.
std::optional<std::int64_t> read_size(const YamlNode& node) {
  const auto value = node.is_scalar() ? yaml_number(node) : std::nullopt;
  if (!value || std::floor(*value) != *value || std::fabs(*value) > 0x1p53) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// [least, most] or one number.
std::optional<DimRange> read_range(const std::string& name, const YamlNode& node) {
  if (const auto value = read_size(node)) return DimRange{name, *value, *value};
  if (!node.is_sequence() || node.items.size() != 2) return std::nullopt;
  const auto least = read_size(node.items[0]);
  const auto most = read_size(node.items[1]);
  if (!least || !most) return std::nullopt;
  return DimRange{name, *least, *most};
}

template <typename Each>
void each_entry(MapReader& map, std::string_view key, Diagnostics& diagnostics, Each&& each) {
  const YamlNode* node = map.node(key);
  if (node == nullptr) return;
  if (!node->is_map()) {
    diagnostics.add(node->where, fmt::format("{}: expected a mapping, found {}", map.path_of(key),
                                             node->kind_name()));
    return;
  }
  for (const auto& [name, value] : node->entries) each(name, value);
}

std::vector<WeightedShape> read_shapes(MapReader& map, Diagnostics& diagnostics) {
  std::vector<WeightedShape> shapes;
  const YamlNode* node = map.node("shapes");
  if (node == nullptr) return shapes;
  if (!node->is_sequence()) {
    diagnostics.add(node->where,
                    fmt::format("shapes: expected a list, found {}", node->kind_name()),
                    "as - {weight: 12, dims: {rows: 16}}");
    return shapes;
  }
  for (const YamlNode& item : node->items) {
    MapReader entry(item, "shapes", diagnostics);
    WeightedShape shape;
    shape.weight = entry.number("weight", {0, 1e18}).value_or(1);
    each_entry(entry, "dims", diagnostics, [&](const std::string& name, const YamlNode& value) {
      const auto size = read_size(value);
      if (!size) diagnostics.add(value.where, fmt::format("shapes.{}: expected a number", name));
      shape.dims[name] = size.value_or(1);
    });
    entry.finish();
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

TaskLimits read_limits(MapReader& map, Diagnostics& diagnostics) {
  TaskLimits limits;
  const YamlNode* node = map.node("limits");
  if (node == nullptr) return limits;
  MapReader entry(*node, "limits", diagnostics);
  limits.call_s = entry.number("call_s", {0.01, 3600}).value_or(limits.call_s);
  limits.compile_s = entry.number("compile_s", {0.1, 3600}).value_or(limits.compile_s);
  const auto bytes = [&](std::string_view key, std::uint64_t otherwise) {
    return static_cast<std::uint64_t>(
        entry.integer(key, {1 << 20, 1e13}).value_or(static_cast<std::int64_t>(otherwise)));
  };
  limits.memory_bytes = bytes("memory_bytes", limits.memory_bytes);
  limits.compile_memory_bytes = bytes("compile_memory_bytes", limits.compile_memory_bytes);
  limits.workspace_bytes = bytes("workspace_bytes", limits.workspace_bytes);
  entry.finish();
  return limits;
}

std::string range_text(const DimRange& dim) {
  return dim.fixed() ? std::to_string(dim.least) : fmt::format("[{}, {}]", dim.least, dim.most);
}

}  // namespace

std::string_view name_of(DeviceKind kind) { return kind == DeviceKind::kCuda ? "cuda" : "host"; }
std::string_view language_of(DeviceKind kind) { return kind == DeviceKind::kCuda ? "cuda" : "cpp"; }

std::vector<std::string> host_levels() { return {kLevels.begin(), kLevels.end()}; }

std::string host_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // By features: not every compiler knows the levels by name.
  const bool v2 = __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("popcnt") != 0;
  const bool v3 = v2 && __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                  __builtin_cpu_supports("bmi2") != 0;
  const bool v4 =
      v3 && __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512cd") != 0;
  if (v4) return "x86-64-v4";
  if (v3) return "x86-64-v3";
  if (v2) return "x86-64-v2";
#endif
  return "x86-64";
}

std::string task_text(const KernelTask& task) {
  std::string text = fmt::format(
      "op: {}\ndtype: {}\nlanguage: {}\ngpu: {}\narchitecture: {}\nobjective: {}\ncases: "
      "{}\nshape:\n",
      task.op->name, name_of(task.domain.dtype), language_of(task.device), task.gpu,
      task.architecture, task.objective, task.cases);
  for (const DimRange& dim : task.domain.dims) {
    text += fmt::format("  {}: {}\n", dim.name, range_text(dim));
  }
  if (!task.domain.attributes.empty()) text += "attributes:\n";
  for (const auto& [name, value] : task.domain.attributes) {
    text += fmt::format("  {}: {}\n", name, value);
  }
  if (!task.domain.shapes.empty()) text += "shapes:\n";
  for (const WeightedShape& shape : task.domain.shapes) {
    std::string dims;
    for (const auto& [name, value] : shape.dims) {
      dims += fmt::format("{}{}: {}", dims.empty() ? "" : ", ", name, value);
    }
    text += fmt::format("  - {{weight: {}, dims: {{{}}}}}\n", shape.weight, dims);
  }
  return text + fmt::format(
                    "limits: {{call_s: {}, compile_s: {}, memory_bytes: {}, "
                    "compile_memory_bytes: {}, workspace_bytes: {}}}\n"
                    "operator_digest: {}\n",
                    task.limits.call_s, task.limits.compile_s, task.limits.memory_bytes,
                    task.limits.compile_memory_bytes, task.limits.workspace_bytes, task.op->digest);
}

Expected<KernelTask> read_task(std::string_view yaml, const std::string& file,
                               const Operators& operators) {
  const auto document = parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  MapReader map(*document, "", diagnostics);
  map.require("op", "the operator");
  const std::string op_name = map.text("op").value_or("");
  const std::string dtype_name = map.text("dtype").value_or("fp32");
  const std::string language = map.word("language", {"cpp", "cuda"}).value_or("cpp");
  KernelTask task;
  task.device = language == "cuda" ? DeviceKind::kCuda : DeviceKind::kHost;
  task.gpu = map.text("gpu").value_or("host");
  task.architecture =
      map.text("architecture").value_or(task.device == DeviceKind::kHost ? host_level() : "sm_90");
  task.objective = map.word("objective", {"latency", "throughput"}).value_or("latency");
  task.cases = static_cast<int>(map.integer("cases", {1, 10'000}).value_or(task.cases));
  std::vector<DimRange> dims;
  each_entry(map, "shape", diagnostics, [&](const std::string& name, const YamlNode& value) {
    const auto range = read_range(name, value);
    if (!range) {
      diagnostics.add(value.where,
                      fmt::format("shape.{}: expected a number or [least, most]", name));
    }
    dims.push_back(range.value_or(DimRange{name, 1, 1}));
  });
  std::vector<std::pair<std::string, double>> attributes;
  each_entry(map, "attributes", diagnostics, [&](const std::string& name, const YamlNode& value) {
    const auto number = yaml_number(value);
    if (!number) {
      diagnostics.add(value.where, fmt::format("attributes.{}: expected a number", name));
    }
    attributes.emplace_back(name, number.value_or(0));
  });
  auto shapes = read_shapes(map, diagnostics);
  task.limits = read_limits(map, diagnostics);
  const std::string digest = map.text("operator_digest").value_or("");
  const auto dtype = dtype_of(dtype_name);
  if (!dtype) {
    diagnostics.add(map.where("dtype"), fmt::format("there is no type {}", quote_input(dtype_name)),
                    suggestion(dtype_name, dtype_names(), 20));
  }
  map.finish();
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  auto op = operators.find(op_name);
  if (!op) {
    // It was there when the task was made.
    if (!digest.empty()) {
      op.error().diagnostics.front() = {{file, 0, 0},
                                        op.error().diagnostics.front().message,
                                        "where it was made with --ops DIR, say so again"};
    }
    return tl::unexpected(op.error());
  }
  task.op = *op;
  if (!digest.empty() && digest != task.op->digest) {
    return fail_at({file, 0, 0},
                   fmt::format("the operator {} of {} is not the one this task was made for",
                               op_name, task.op->file),
                   "where it was made with --ops DIR, say so again; where its file, its reference "
                   "or tensorpath has changed, create the run anew");
  }
  auto domain = make_domain(*task.op, *dtype, dims, attributes, std::move(shapes));
  if (!domain) return tl::unexpected(domain.error());
  task.domain = std::move(*domain);
  return task;
}

}  // namespace tensorpath
