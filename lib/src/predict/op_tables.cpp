// The operator tables' columns as samples. Source of the format: NVIDIA aiconfigurator operator
// tables (Apache-2.0): latencies in ms, all-reduce sizes in 16-bit elements.
#include "least_squares.h"
#include "model_shape.h"
#include "op_fit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <tensorpath/base/file.h>

namespace tensorpath::perf {
namespace {

constexpr double kMs = 1e3;
constexpr std::size_t kFewestRows = 60;

// What a data type of the tables stores, and what computes on it.
struct TableType {
  const char* in_table;
  const char* surface;
  double weight_bytes;
  double activation_bytes;
  Dtype compute;
};
constexpr TableType kTypes[] = {
    {"bfloat16", "bf16", 2, 2, Dtype::kBf16},
    {"fp8", "fp8", 1, 1, Dtype::kFp8},
    {"fp8_block", "fp8_block", 1, 1, Dtype::kFp8},
    {"nvfp4", "nvfp4", 0.5625, 0.5625, Dtype::kFp4},
    {"w4a16_mxfp4", "mxfp4_16", 0.53125, 2, Dtype::kBf16},
    {"w4a8_mxfp4_mxfp8", "mxfp4_8", 0.53125, 1, Dtype::kFp8},
    {"int4_wo", "int4_16", 0.53125, 2, Dtype::kBf16},
};

const TableType* type_of(const std::string& name) {
  for (const TableType& type : kTypes) {
    if (name == type.in_table) return &type;
  }
  return nullptr;
}

// Columns by name, and numbers out of rows; the first mistake is kept.
class Columns {
 public:
  explicit Columns(const CsvTable& table) : table_(table) {}

  int index(const std::string& name) {
    const int found = table_.column(name);
    if (found < 0) {
      fail_once({table_.file, 1, 1}, "column " + name + " is missing",
                "the operator tables name their columns so");
    }
    return found;
  }

  double number(const std::vector<CsvCell>& row, int column) {
    if (column < 0) return 1;
    const CsvCell& cell = row[static_cast<std::size_t>(column)];
    const auto value = csv_number(cell);
    if (!value) fail_once(table_.where(cell), "not a number: " + quote_input(cell.text), "");
    return value.value_or(1);
  }

  static std::string text(const std::vector<CsvCell>& row, int column) {
    return column < 0 ? std::string() : row[static_cast<std::size_t>(column)].text;
  }

  [[nodiscard]] Status status() const {
    if (!failed_) return {};
    return tl::make_unexpected(error_);
  }

 private:
  void fail_once(SourceLocation where, std::string message, std::string hint) {
    if (failed_) return;
    failed_ = true;
    error_ = fail_at(std::move(where), std::move(message), std::move(hint)).value();
  }

  const CsvTable& table_;
  bool failed_ = false;
  Error error_;
};

using SamplesByType = std::map<std::string, std::vector<OpSample>>;

std::size_t shape_hash(std::initializer_list<double> dims) {
  std::size_t hash = 1469598103934665603ULL;  // FNV-1a
  for (const double dim : dims) {
    hash = (hash ^ static_cast<std::size_t>(dim)) * 1099511628211ULL;
  }
  return hash ^ (hash >> 29);
}

Expected<SamplesByType> gemm_samples(const CsvTable& table, const Gpu& gpu) {
  Columns columns(table);
  const int dtype = columns.index("gemm_dtype"), m_column = columns.index("m"),
            n_column = columns.index("n"), k_column = columns.index("k"),
            latency = columns.index("latency");
  SamplesByType result;
  for (const auto& row : table.rows) {
    const TableType* type = type_of(Columns::text(row, dtype));
    if (type == nullptr || !gpu.has(type->compute)) continue;
    const double m = columns.number(row, m_column), n = columns.number(row, n_column),
                 k = columns.number(row, k_column);
    OpSample s;
    s.compute_ms = 2 * m * n * k / gpu.flop_s(type->compute) * kMs;
    s.memory_ms = (m * k * type->activation_bytes + n * k * type->weight_bytes + m * n * 2) /
                  gpu.hbm_bytes_s * kMs;
    s.tiles = std::ceil(m / 128) * std::ceil(n / 128);
    s.depth = k;
    s.measured_ms = columns.number(row, latency);
    s.shape = shape_hash({n, k});
    if (s.measured_ms > 0) result[type->surface].push_back(s);
  }
  if (auto status = columns.status(); !status) return tl::make_unexpected(status.error());
  return result;
}

Expected<SamplesByType> moe_samples(const CsvTable& table, const Gpu& gpu) {
  Columns columns(table);
  const int dtype = columns.index("moe_dtype"), tokens_column = columns.index("num_tokens"),
            hidden_column = columns.index("hidden_size"),
            inter_column = columns.index("inter_size"), topk_column = columns.index("topk"),
            experts_column = columns.index("num_experts"), tp_column = columns.index("moe_tp_size"),
            ep_column = columns.index("moe_ep_size"), spread = columns.index("distribution"),
            latency = columns.index("latency");
  SamplesByType result;
  for (const auto& row : table.rows) {
    const TableType* type = type_of(Columns::text(row, dtype));
    if (type == nullptr || !gpu.has(type->compute)) continue;
    const double tokens = columns.number(row, tokens_column);
    const double hidden = columns.number(row, hidden_column);
    const double inter = columns.number(row, inter_column) / columns.number(row, tp_column);
    const double ep = std::max(1.0, columns.number(row, ep_column));
    const double experts = std::max(1.0, columns.number(row, experts_column) / ep);
    const double rows = tokens * columns.number(row, topk_column) / ep;
    // "balanced" deals tokens out evenly; the power laws hit as independent draws would.
    const bool balanced = Columns::text(row, spread) == "balanced";
    const double hit = balanced ? std::min(experts, std::max(rows, 1.0))
                                : experts * (1 - std::exp(-rows / experts));
    const double row_ms = 6 * hidden * inter / gpu.flop_s(type->compute) * kMs;
    OpSample s;
    s.compute_ms = rows * row_ms;
    s.expert_row_ms = hit * row_ms;
    s.memory_ms = hit * 3 * hidden * inter * type->weight_bytes / gpu.hbm_bytes_s * kMs;
    s.io_element_ms = tokens * hidden / gpu.hbm_bytes_s * kMs;
    s.measured_ms = columns.number(row, latency);
    s.shape = shape_hash({hidden, inter, experts});
    if (s.measured_ms > 0) result[type->surface].push_back(s);
  }
  if (auto status = columns.status(); !status) return tl::make_unexpected(status.error());
  return result;
}

Expected<SamplesByType> attention_samples(const CsvTable& table, const Gpu& gpu, bool decode) {
  Columns columns(table);
  const int batch_column = columns.index("batch_size"), isl_column = columns.index("isl"),
            heads_column = columns.index("num_heads"),
            kv_heads_column = columns.index("num_key_value_heads"),
            dim_column = columns.index("head_dim"), kv_type = columns.index("kv_cache_dtype"),
            step_column = columns.index("step"), window_column = columns.index("window_size"),
            latency = columns.index("latency");
  SamplesByType result;
  for (const auto& row : table.rows) {
    const double batch = columns.number(row, batch_column), isl = columns.number(row, isl_column);
    const double heads = columns.number(row, heads_column);
    const double kv_heads = columns.number(row, kv_heads_column);
    const double dim = columns.number(row, dim_column), step = columns.number(row, step_column);
    const double window =
        Columns::text(row, window_column).empty() ? 0 : columns.number(row, window_column);
    const TableType* type = type_of(Columns::text(row, kv_type));
    if (type == nullptr) continue;
    OpSample s;
    double flops = 0, bytes = 0;
    if (decode) {
      const double seen = window > 0 ? std::min(step + isl, window) : step + isl;
      flops = 4 * batch * heads * dim * seen;
      bytes = 2 * batch * kv_heads * dim * seen * type->weight_bytes + 4 * batch * heads * dim;
      s.tiles = batch * kv_heads;
    } else {
      const double pairs = isl * (step + (isl + 1) / 2);
      flops = 4 * batch * heads * dim * (window > 0 ? std::min(pairs, isl * window) : pairs);
      bytes = 2 * batch * isl * dim * (2 * heads + 2 * kv_heads) +
              2 * batch * step * kv_heads * dim * type->weight_bytes;
    }
    s.compute_ms = flops / flop_s_or_wider(gpu, Dtype::kBf16) * kMs;
    s.memory_ms = bytes / gpu.hbm_bytes_s * kMs;
    s.measured_ms = columns.number(row, latency);
    s.shape = shape_hash({heads, kv_heads, dim, window});
    if (s.measured_ms > 0) result[decode ? type->surface : "bf16"].push_back(s);
  }
  if (auto status = columns.status(); !status) return tl::make_unexpected(status.error());
  return result;
}

// latency[n] + traffic / (link x efficiency) over rows captured in a graph, as engines run them.
Expected<CollectiveSurface> fit_all_reduce(const CsvTable& table, const Gpu& gpu) {
  Columns columns(table);
  const int kernel = columns.index("kernel_source"), gpus_column = columns.index("num_gpus"),
            size_column = columns.index("message_size"), latency = columns.index("latency");
  struct Row {
    std::size_t group;
    double wire_ms, measured_ms;
  };
  std::vector<Row> rows;
  rows.reserve(table.rows.size());
  for (const auto& row : table.rows) {
    if (Columns::text(row, kernel).find("graph") == std::string::npos) continue;
    const double n = columns.number(row, gpus_column);
    if (n != 2 && n != 4 && n != 8) continue;
    const double bytes = 2 * columns.number(row, size_column);
    const double wire = 2 * (n - 1) / n * bytes / std::max(gpu.link_bytes_s, 1e9) * kMs;
    rows.push_back({n == 2 ? 0U : n == 4 ? 1U : 2U, wire, columns.number(row, latency)});
  }
  if (auto status = columns.status(); !status) return tl::make_unexpected(status.error());
  CollectiveSurface result;
  if (rows.size() < 10) return result;
  const auto predicted = [](const Row& row, std::span<const double> x) {
    return std::exp(x[row.group]) + row.wire_ms / std::exp(x[3]);
  };
  LeastSquaresOptions options;
  options.robust_scale = 0.2;
  const auto fitted = minimise(
      [&](std::span<const double> x, std::span<double> out) {
        for (std::size_t i = 0; i < rows.size(); ++i) {
          out[i] = std::log(predicted(rows[i], x) / rows[i].measured_ms);
        }
      },
      {std::log(5e-3), std::log(6e-3), std::log(8e-3), std::log(0.7)}, rows.size(), rows.size(),
      options);
  for (std::size_t i = 0; i < 3; ++i) result.latency_us[i] = std::exp(fitted.x[i]) * 1e3;
  result.bandwidth_efficiency = std::exp(fitted.x[3]);
  std::vector<double> errors;
  for (const Row& row : rows) {
    errors.push_back(std::abs(predicted(row, fitted.x) / row.measured_ms - 1));
  }
  std::sort(errors.begin(), errors.end());
  result.error.rows = static_cast<int>(rows.size());
  result.error.median = errors[errors.size() / 2];
  result.error.p90 = errors[errors.size() * 9 / 10];
  return result;
}

// Tables name GPUs by a catalog name or alias.
struct Source {
  std::string directory;
  std::string prefix;
  const Gpu* gpu = nullptr;
};

Expected<CsvTable> read_table(const Source& source, const char* op) {
  const std::string path = path_join(source.directory, source.prefix + "." + op + ".csv");
  auto text = read_file(path);
  if (!text) return tl::make_unexpected(text.error());
  return parse_csv(*text, path);
}

Status fit_into(std::map<std::string, Surface>& out, OpKind kind,
                const Expected<SamplesByType>& samples) {
  if (!samples) return tl::make_unexpected(samples.error());
  for (const auto& [type, rows] : *samples) {
    if (rows.size() >= kFewestRows) out[type] = fit_surface(kind, rows);
  }
  return {};
}

Expected<GpuSurfaces> fit_gpu(const Source& source) {
  const Gpu& gpu = *source.gpu;
  GpuSurfaces result;
  result.gpu = gpu.name;
  result.architecture = gpu.architecture;
  result.family = gpu.family;
  result.source =
      "NVIDIA aiconfigurator operator tables for vLLM (Apache-2.0), a sample of up to "
      "6000 rows an operator";
  const auto fit = [&](const char* op, OpKind kind, std::map<std::string, Surface>& out,
                       const std::function<Expected<SamplesByType>(const CsvTable&)>& samples) {
    auto table = read_table(source, op);
    if (!table) return Status(tl::make_unexpected(table.error()));
    return fit_into(out, kind, samples(*table));
  };
  auto status = fit("gemm", OpKind::kGemm, result.gemm,
                    [&](const CsvTable& t) { return gemm_samples(t, gpu); });
  if (status) {
    status = fit("moe", OpKind::kMoe, result.moe,
                 [&](const CsvTable& t) { return moe_samples(t, gpu); });
  }
  if (status) {
    status = fit("generation_attention", OpKind::kDecode, result.decode,
                 [&](const CsvTable& t) { return attention_samples(t, gpu, true); });
  }
  if (status) {
    status = fit("context_attention", OpKind::kContext, result.context,
                 [&](const CsvTable& t) { return attention_samples(t, gpu, false); });
  }
  if (!status) return tl::make_unexpected(status.error());
  auto table = read_table(source, "custom_allreduce");
  if (!table) return tl::make_unexpected(table.error());
  auto all_reduce = fit_all_reduce(*table, gpu);
  if (!all_reduce) return tl::make_unexpected(all_reduce.error());
  result.all_reduce = *all_reduce;
  return result;
}

}  // namespace

Expected<OpSurfaces> fit_ops(const std::string& directory, const Catalog& catalog) {
  if (!directory_exists(directory)) {
    return fail(ExitCode::kUsage, "no directory " + quote_input(directory));
  }
  constexpr std::string_view kSuffix = ".gemm.csv";
  OpSurfaces result;
  for (const std::string& file : list_files(directory, kSuffix)) {
    const std::string prefix = file.substr(0, file.size() - kSuffix.size());
    const auto gpu = catalog.gpu(prefix);
    if (!gpu) return tl::make_unexpected(gpu.error());
    auto surfaces = fit_gpu({directory, prefix, *gpu});
    if (!surfaces) return tl::make_unexpected(surfaces.error());
    result.gpus.push_back(std::move(*surfaces));
  }
  if (result.gpus.empty()) {
    return fail(ExitCode::kUsage,
                "no operator table in " + quote_input(directory) + ": expected <gpu>.gemm.csv",
                "tables that end in .gz must be unpacked first");
  }
  return result;
}

}  // namespace tensorpath::perf
