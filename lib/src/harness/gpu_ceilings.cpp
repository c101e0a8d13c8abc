#include "cuda_session.h"
#include "gpu_facts.h"
#include "nvml.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/gpu_ceilings.h>
#include <tensorpath/harness/timing.h>

namespace tensorpath {
namespace {

constexpr double kLimit_s = 300;  // the driver compiles kernels for some of it

// "1024 1e-3 2e-3": an amount, then the seconds that it took each time.
std::optional<std::pair<double, std::vector<double>>> read_row(std::string_view text) {
  std::vector<double> numbers;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + end, value);
    if (read.ec != std::errc() || read.ptr != text.data() + end || !std::isfinite(value) ||
        value <= 0) {
      return std::nullopt;
    }
    numbers.push_back(value);
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  if (numbers.size() < 2) return std::nullopt;
  return std::pair{numbers.front(), std::vector<double>(numbers.begin() + 1, numbers.end())};
}

// Amounts a second, or seconds of one.
Repeated repeated(double amount, const std::vector<double>& seconds, bool per_second) {
  std::vector<double> values;
  for (const double one : seconds) values.push_back(per_second ? amount / one : one / amount);
  std::sort(values.begin(), values.end());
  Repeated out;
  out.median = quantile(values, 0.5);
  out.best = per_second ? values.back() : values.front();
  out.spread_percent = 100 * (values.back() - values.front()) / out.median;
  return out;
}

struct Field {
  const char* measured;  // by the worker
  const char* key;       // in JSON
  double unit;
  Repeated GpuCeilings::*value;
  bool per_second;
};
const std::array<Field, 6>& fields() {
  static const std::array<Field, 6> kFields = {
      {{"read", "read_gb_s", 1e9, &GpuCeilings::read_bytes_s, true},
       {"copy", "copy_gb_s", 1e9, &GpuCeilings::copy_bytes_s, true},
       {"l2", "l2_gb_s", 1e9, &GpuCeilings::l2_bytes_s, true},
       {"stream_launch", "stream_launch_us", 1e-6, &GpuCeilings::stream_launch_s, false},
       {"graph_node", "graph_node_us", 1e-6, &GpuCeilings::graph_node_s, false},
       {"fp32", "fp32_gflop_s", 1e9, &GpuCeilings::fp32_flops_s, true}}};
  return kFields;
}
struct MatrixField {
  const char* measured;
  const char* key;
  std::map<std::string, Repeated> GpuCeilings::*values;
};
constexpr std::array<MatrixField, 2> kMatrixFields = {
    {{"mma_sync ", "mma_sync_gflop_s", &GpuCeilings::mma_sync_flops_s},
     {"wgmma ", "wgmma_gflop_s", &GpuCeilings::wgmma_flops_s}}};

// Small caches are not measured: what is kept is null, and 0 here.
bool may_be_absent(const Field& field) { return field.value == &GpuCeilings::l2_bytes_s; }

Json to_json(const Repeated& one, double unit) {
  if (one.median <= 0) return nullptr;
  return {{"median", json_number(one.median / unit)},
          {"best", json_number(one.best / unit)},
          {"spread_percent", json_number(one.spread_percent, 3)}};
}

// Throws Json::exception.
Repeated read_repeated(const Json& json, double unit) {
  return {json.at("median").get<double>() * unit, json.at("best").get<double>() * unit,
          json.at("spread_percent").get<double>()};
}

void take_measured(GpuCeilings& out, std::string_view name, double amount,
                   const std::vector<double>& seconds) {
  for (const Field& field : fields()) {
    if (name == field.measured) out.*field.value = repeated(amount, seconds, field.per_second);
  }
  for (const MatrixField& field : kMatrixFields) {
    if (!name.starts_with(field.measured)) continue;
    const std::string dtype(name.substr(std::string_view(field.measured).size()));
    (out.*field.values)[dtype] = repeated(amount, seconds, true);
  }
}

std::string file_name(const GpuCeilings& ceilings) {
  std::string name = ceilings.uuid.empty() ? ceilings.name : ceilings.uuid;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '_';
  }
  return fmt::format("cuda-{}.json", name);
}

bool uses_matrix_units(const OperatorSpec& op) {
  return op.family == "matmul" || op.family == "attention" || op.family == "conv";
}

}  // namespace

std::optional<double> GpuCeilings::matrix_flops_s(std::string_view dtype) const {
  const std::string wanted(dtype);
  if (const auto found = wgmma_flops_s.find(wanted); found != wgmma_flops_s.end()) {
    return found->second.best;
  }
  // From sm_90 to sm_110 mma.sync leaves much of the matrix units idle.
  for (const char* other : {"sm_90", "sm_10", "sm_11"}) {
    if (architecture.starts_with(other)) return std::nullopt;
  }
  if (const auto found = mma_sync_flops_s.find(wanted); found != mma_sync_flops_s.end()) {
    return found->second.best;
  }
  return std::nullopt;
}

Expected<GpuCeilings> read_gpu_measurements(std::string_view lines) {
  const GpuFacts facts = read_gpu_facts(lines);
  GpuCeilings out;
  out.name = facts.name;
  out.architecture = facts.architecture;
  out.driver_interface = facts.driver_interface;
  out.multiprocessors = facts.multiprocessors;
  out.cache_bytes = facts.cache_bytes;
  constexpr std::string_view kMeasured = "measured ";
  for (std::string_view rest = lines; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t colon = line.find(": ");
    if (!line.starts_with(kMeasured) || colon == std::string_view::npos) continue;
    const auto row = read_row(line.substr(colon + 2));
    if (!row) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("the GPU was not measured: {}", quote_input(line)));
    }
    take_measured(out, line.substr(kMeasured.size(), colon - kMeasured.size()), row->first,
                  row->second);
  }
  for (const Field& field : fields()) {
    if ((out.*field.value).median > 0 || may_be_absent(field)) continue;
    return fail(ExitCode::kEnvironment,
                fmt::format("{} of the GPU was not measured: {}", field.measured, lines));
  }
  return out;
}

Expected<GpuCeilings> measure_gpu_ceilings(const GpuCeilingOptions& options, WallTime now) {
  if (options.on_step) options.on_step(fmt::format("measuring GPU {}", options.gpu));
  // No kernel of anybody's is compiled: where there is no toolkit, none is needed.
  const CudaToolkit toolkit = find_cuda_toolkit().value_or(CudaToolkit{});
  SandboxSpec spec = gpu_sandbox(toolkit, options.worker);
  spec.limits.wall_s = kLimit_s;
  const std::vector<std::string> probe = {options.worker, "--device", "cuda", "--gpu",
                                          std::to_string(options.gpu)};
  spec.argv = probe;
  const auto told = run_sandboxed(spec, options.sandbox);
  if (!told) return tl::unexpected(told.error());
  const GpuFacts facts = read_gpu_facts(told->out);
  const auto nvml = Nvml::open(driver_directories(), facts.bus);
  const Json before = nvml ? to_json(nvml->state()) : Json(nullptr);
  spec.argv.emplace_back("--ceilings");
  const auto outcome = run_sandboxed(spec, options.sandbox);
  if (!outcome) return tl::unexpected(outcome.error());
  if (outcome->end != SandboxEnd::kExited || outcome->exit_code != 0) {
    return fail(ExitCode::kEnvironment,
                fmt::format("GPU {} cannot be measured: {}{}{}", options.gpu, outcome->start_error,
                            outcome->out, outcome->err));
  }
  auto ceilings = read_gpu_measurements(outcome->out);
  if (!ceilings) return ceilings;
  ceilings->measured_at = now;
  ceilings->before = before;
  if (nvml) {
    ceilings->after = to_json(nvml->state());
    const Json identity = nvml->identity();
    const auto text = [&](const char* key) {
      const auto found = identity.find(key);
      return found != identity.end() && found->is_string() ? found->get<std::string>() : "";
    };
    ceilings->uuid = text("uuid");
    ceilings->driver = text("driver");
  }
  return ceilings;
}

Json to_json(const GpuCeilings& ceilings) {
  Json json = {{"device", "cuda"},
               {"name", ceilings.name},
               {"uuid", ceilings.uuid},
               {"driver", ceilings.driver},
               {"architecture", ceilings.architecture},
               {"driver_interface", ceilings.driver_interface},
               {"multiprocessors", ceilings.multiprocessors},
               {"cache_bytes", ceilings.cache_bytes}};
  for (const Field& field : fields()) {
    json[field.key] = to_json(ceilings.*field.value, field.unit);
  }
  for (const MatrixField& field : kMatrixFields) {
    Json rates = Json::object();
    for (const auto& [dtype, rate] : ceilings.*field.values) rates[dtype] = to_json(rate, 1e9);
    json[field.key] = rates;
  }
  json["clocks"] = {{"before", ceilings.before}, {"after", ceilings.after}};
  json["measured_at"] = utc_text(ceilings.measured_at);
  json["provenance"] = "measured";
  return json;
}

Expected<GpuCeilings> read_gpu_ceilings(const Json& json, const std::string& file) {
  GpuCeilings out;
  const char* const kNone = "these are no ceilings of a GPU";
  try {
    if (json.at("device") != "cuda") return fail_at({file, 0, 0}, kNone);
    out.name = json.at("name").get<std::string>();
    out.uuid = json.at("uuid").get<std::string>();
    out.driver = json.at("driver").get<std::string>();
    out.architecture = json.at("architecture").get<std::string>();
    out.driver_interface = json.at("driver_interface").get<std::string>();
    out.multiprocessors = json.at("multiprocessors").get<int>();
    out.cache_bytes = json.at("cache_bytes").get<double>();
    for (const Field& field : fields()) {
      const Json& one = json.at(field.key);
      if (one.is_null() && may_be_absent(field)) continue;
      out.*field.value = read_repeated(one, field.unit);
      if ((out.*field.value).median <= 0 || (out.*field.value).best <= 0) {
        return fail_at({file, 0, 0}, kNone);
      }
    }
    for (const MatrixField& field : kMatrixFields) {
      for (const auto& [dtype, rate] : json.at(field.key).items()) {
        (out.*field.values)[dtype] = read_repeated(rate, 1e9);
      }
    }
    out.before = json.at("clocks").at("before");
    out.after = json.at("clocks").at("after");
    const auto time = parse_utc(json.at("measured_at").get<std::string>());
    if (!time) return fail_at({file, 0, 0}, kNone);
    out.measured_at = *time;
  } catch (const Json::exception& error) {
    return fail_at({file, 0, 0}, fmt::format("{}: {}", kNone, error.what()),
                   "measure again: tensorpath devices --calibrate");
  }
  return out;
}

Status store_ceilings(const GpuCeilings& ceilings, const std::string& directory) {
  if (Status made = make_directories(directory); !made) return made;
  return write_file_atomic(path_join(directory, file_name(ceilings)), to_text(to_json(ceilings)));
}

std::vector<GpuCeilings> list_gpu_ceilings(const std::string& directory) {
  std::vector<GpuCeilings> all;
  for (const std::string& name : list_files(directory, ".json")) {
    const std::string file = path_join(directory, name);
    const auto json = read_json_file(file);
    if (!json) continue;
    if (auto found = read_gpu_ceilings(*json, file)) all.push_back(std::move(*found));
  }
  return all;
}

Roof roof_of(const GpuCeilings& ceilings, const OperatorSpec& op, DType dtype) {
  Roof roof;
  roof.ceilings = to_json(ceilings);
  roof.call_s = ceilings.graph_node_s.best;
  roof.bytes_s = std::max(ceilings.read_bytes_s.best, ceilings.copy_bytes_s.best);
  // Sums of a few products of tf32 reach the precision of fp32.
  const std::string_view units = dtype == DType::kFp32 ? "tf32" : name_of(dtype);
  roof.flops_s = uses_matrix_units(op) ? ceilings.matrix_flops_s(units).value_or(0)
                                       : ceilings.fp32_flops_s.best;
  return roof;
}

}  // namespace tensorpath
