#include <algorithm>
#include <cctype>
#include <charconv>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/create_run.h>

namespace tensorpath::forge {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "name=value", both there.
Expected<std::pair<std::string_view, std::string_view>> assignment(std::string_view part,
                                                                   std::string_view what) {
  const std::size_t equal = part.find('=');
  if (equal == 0 || equal == std::string_view::npos || equal + 1 == part.size()) {
    return fail(ExitCode::kUsage, fmt::format("{} is no {}", quote_input(part), what),
                "write name=value, several of them with commas between");
  }
  return std::pair{part.substr(0, equal), part.substr(equal + 1)};
}

// Where all captured shapes agree a dim is fixed, else it ranges over them.
std::vector<DimRange> hull_of(const std::vector<WeightedShape>& shapes) {
  std::vector<DimRange> hull;
  for (const WeightedShape& shape : shapes) {
    for (const auto& dim : shape.dims) {
      const std::string& name = dim.first;
      const std::int64_t value = dim.second;
      const auto found = std::find_if(hull.begin(), hull.end(),
                                      [&](const DimRange& range) { return range.name == name; });
      if (found == hull.end()) {
        hull.push_back({name, value, value});
      } else {
        found->least = std::min(found->least, value);
        found->most = std::max(found->most, value);
      }
    }
  }
  return hull;
}

}  // namespace

Expected<std::vector<DimRange>> parse_shape(std::string_view text) {
  std::vector<DimRange> ranges;
  for (const std::string_view part : split(text, ',')) {
    const auto pair = assignment(part, "dim");
    if (!pair) return tl::unexpected(pair.error());
    const std::size_t dots = pair->second.find("..");
    const std::string_view low = pair->second.substr(0, dots);
    const std::string_view high =
        dots == std::string_view::npos ? low : pair->second.substr(dots + 2);
    const auto least = number_of<std::int64_t>(low);
    const auto most = number_of<std::int64_t>(high);
    if (!least || !most) {
      return fail(ExitCode::kUsage, fmt::format("{} is no size", quote_input(pair->second)),
                  "write a number (hidden=4096) or a range (rows=1..64)");
    }
    ranges.push_back({std::string(pair->first), *least, *most});
  }
  return ranges;
}

Expected<std::vector<std::pair<std::string, double>>> parse_attributes(std::string_view text) {
  std::vector<std::pair<std::string, double>> attributes;
  for (const std::string_view part : split(text, ',')) {
    const auto pair = assignment(part, "attribute");
    if (!pair) return tl::unexpected(pair.error());
    const auto value = number_of<double>(pair->second);
    if (!value) {
      return fail(ExitCode::kUsage, fmt::format("{} is no number", quote_input(pair->second)));
    }
    attributes.emplace_back(std::string(pair->first), *value);
  }
  return attributes;
}

Expected<std::vector<WeightedShape>> read_captures(const std::string& path, const std::string& op,
                                                   const std::string& dtype) {
  const auto document = read_json_file(path);
  if (!document) return tl::unexpected(document.error());
  const Json& list =
      document->is_object() && document->contains("shapes") ? (*document)["shapes"] : *document;
  const auto wrong = [&](std::size_t index, std::string_view what) {
    return fail(ExitCode::kUsage, fmt::format("{}: shape {}: {}", path, index + 1, what),
                "expected {\"op\": ..., \"dtype\": ..., \"shape\": {dim: size}, \"count\": n}");
  };
  if (!list.is_array()) return wrong(0, "expected an array of shapes");
  std::vector<WeightedShape> shapes;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Json& entry = list[i];
    if (!entry.is_object() || !entry.contains("shape") || !entry["shape"].is_object()) {
      return wrong(i, "there is no shape in it");
    }
    const auto text = [&](const char* key) {
      return entry.contains(key) && entry[key].is_string() ? entry[key].get<std::string>()
                                                           : std::string();
    };
    if ((!text("op").empty() && text("op") != op) ||
        (!text("dtype").empty() && text("dtype") != dtype)) {
      continue;
    }
    WeightedShape shape;
    if (entry.contains("count")) {
      if (!entry["count"].is_number() || !(entry["count"].get<double>() > 0)) {
        return wrong(i, "count is no positive number");
      }
      shape.weight = entry["count"].get<double>();
    }
    for (const auto& [name, value] : entry["shape"].items()) {
      if (!value.is_number_integer()) return wrong(i, fmt::format("{} is no integer", name));
      shape.dims[name] = value.get<std::int64_t>();
    }
    shapes.push_back(std::move(shape));
  }
  if (shapes.empty()) {
    return fail(ExitCode::kUsage, fmt::format("{} has no shapes of {} in {}", path, op, dtype));
  }
  return shapes;
}

namespace {

// The one asked for, else the machine's own or the first that has everything.
Expected<std::string> architecture_of(const CreateRequest& request, DeviceKind device) {
  const std::string& asked = request.architecture;
  if (device == DeviceKind::kCuda) {
    if (asked.empty()) return std::string("sm_90");
    const std::string_view digits =
        std::string_view(asked).substr(std::min<std::size_t>(3, asked.size()));
    const bool form = asked.rfind("sm_", 0) == 0 && digits.size() >= 2 && digits.size() <= 4 &&
                      std::isdigit(static_cast<unsigned char>(digits.front())) != 0 &&
                      digits.find_first_not_of("0123456789af") == std::string_view::npos;
    if (form) return asked;
    return fail(ExitCode::kUsage, fmt::format("there is no architecture {}", quote_input(asked)),
                "as the compiler writes it: sm_90, sm_90a, sm_100");
  }
  if (asked.empty()) return host_level();
  const std::vector<std::string> levels = host_levels();
  if (std::find(levels.begin(), levels.end(), asked) != levels.end()) return asked;
  return fail(ExitCode::kUsage, fmt::format("there is no ISA level {}", quote_input(asked)),
              suggestion(asked, levels));
}

}  // namespace

Expected<KernelTask> make_task(const CreateRequest& request, const Operators& operators) {
  const auto op = operators.find(request.op);
  if (!op) return tl::unexpected(op.error());
  KernelTask task;
  task.op = *op;
  task.device = request.language == "cuda" ? DeviceKind::kCuda : DeviceKind::kHost;
  task.gpu = request.gpu;
  task.objective = request.objective;
  if (request.cases) task.cases = *request.cases;
  const auto architecture = architecture_of(request, task.device);
  if (!architecture) return tl::unexpected(architecture.error());
  task.architecture = *architecture;
  const std::string dtype_name =
      request.dtype.empty() ? std::string(name_of(task.op->dtypes.front())) : request.dtype;
  const auto dtype = dtype_of(dtype_name);
  if (!dtype) {
    return fail(ExitCode::kUsage, fmt::format("there is no type {}", quote_input(dtype_name)),
                suggestion(dtype_name, dtype_names(), 20));
  }
  auto dims = parse_shape(request.shape);
  if (!dims) return tl::unexpected(dims.error());
  const auto attributes = parse_attributes(request.attributes);
  if (!attributes) return tl::unexpected(attributes.error());
  std::vector<WeightedShape> shapes;
  if (!request.captures.empty()) {
    auto captured = read_captures(request.captures, request.op, dtype_name);
    if (!captured) return tl::unexpected(captured.error());
    shapes = std::move(*captured);
    for (const DimRange& range : hull_of(shapes)) {
      const bool given = std::any_of(dims->begin(), dims->end(),
                                     [&](const DimRange& one) { return one.name == range.name; });
      if (!given) dims->push_back(range);
    }
  }
  auto domain = make_domain(*task.op, *dtype, *dims, *attributes, std::move(shapes));
  if (!domain) return tl::unexpected(domain.error());
  task.domain = std::move(*domain);
  return task;
}

Expected<RunDirectory> create_run(const KernelTask& task, const std::string& root, WallTime time) {
  std::vector<RunFile> files = {{"task.yaml", task_text(task), false},
                                {"contract.md", contract_text(task), false}};
  if (task.device == DeviceKind::kHost) {
    files.push_back({"include/task.h", host_header(task), false});
    files.push_back({"include/tensorpath_kernel.h", std::string(kernel_header()), false});
  } else {
    files.push_back({"include/task.h", cuda_header(task), false});
  }
  return RunDirectory::create(root, files, time,
                              {{"op", task.op->name}, {"operator_digest", task.op->digest}});
}

Expected<KernelTask> task_of(const RunDirectory& run, const Operators& operators) {
  const auto text = read_file(run.task_path());
  if (!text) return tl::unexpected(text.error());
  return read_task(*text, run.task_path(), operators);
}

}  // namespace tensorpath::forge
