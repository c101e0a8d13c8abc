#include "validate_rows.h"

#include "predict/csv.h"
#include "predict/model_shape.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::validation {
namespace {

struct ColumnSpec {
  std::string_view name;
  bool required;
};
constexpr std::array<ColumnSpec, 17> kColumns = {{
    {"model", true},
    {"gpu", true},
    {"n_gpus", false},
    {"backend", true},
    {"backend_version", false},
    {"quant", true},
    {"tp", true},
    {"ep", false},
    {"attention_dp", false},
    {"concurrency", true},
    {"isl", true},
    {"osl", true},
    {"length_ratio", false},
    {"ttft_ms_mean", true},
    {"tpot_ms_mean", true},
    {"measured_on", false},
    {"origin", false},
}};

std::vector<std::string> column_names() {
  std::vector<std::string> names;
  names.reserve(kColumns.size());
  for (const ColumnSpec& column : kColumns) names.emplace_back(column.name);
  return names;
}

void check_header(const perf::CsvTable& table, Diagnostics& diagnostics) {
  const std::vector<std::string> known = column_names();
  for (const perf::CsvCell& cell : table.header) {
    if (std::find(known.begin(), known.end(), cell.text) == known.end()) {
      diagnostics.add(table.where(cell), "unknown column " + quote_input(cell.text),
                      suggestion(cell.text, known, known.size()));
    }
  }
  for (const ColumnSpec& column : kColumns) {
    if (column.required && table.column(column.name) < 0) {
      diagnostics.add(table.where(table.header.back()),
                      fmt::format("column '{}' is missing", column.name),
                      "the header names every column; tensorpath-validate(1) lists them");
    }
  }
}

// Cells of one row by column name.
class RowReader {
 public:
  RowReader(const perf::CsvTable& table, const std::vector<perf::CsvCell>& cells,
            Diagnostics& diagnostics)
      : table_(table), cells_(cells), diagnostics_(diagnostics) {}

  std::string text(std::string_view column) {
    const perf::CsvCell* cell = find(column);
    if (cell == nullptr) return {};
    if (cell->text.empty()) {
      diagnostics_.add(table_.where(*cell), fmt::format("'{}' is empty", column));
    }
    return cell->text;
  }

  // An empty cell reads as `fallback` when there is one.
  double number(std::string_view column, double min, double max,
                std::optional<double> fallback = {}) {
    const perf::CsvCell* cell = find(column);
    if (cell == nullptr || (cell->text.empty() && fallback)) return fallback.value_or(min);
    const auto value = perf::csv_number(*cell);
    if (!value) {
      diagnostics_.add(table_.where(*cell), fmt::format("'{}' must be a finite number, not {}",
                                                        column, quote_input(cell->text)));
      return min;
    }
    if (*value < min || *value > max) {
      diagnostics_.add(table_.where(*cell), fmt::format("'{}' must be {} to {}, not {}", column,
                                                        min, max, quote_input(cell->text)));
      return min;
    }
    return *value;
  }

  int integer(std::string_view column, std::optional<double> fallback, double max = 65536) {
    const double value = number(column, 1, max, fallback);
    if (value != std::floor(value)) {
      const perf::CsvCell* cell = find(column);
      diagnostics_.add(table_.where(*cell), fmt::format("'{}' must be a whole number, not {}",
                                                        column, quote_input(cell->text)));
    }
    return static_cast<int>(value);
  }

 private:
  const perf::CsvCell* find(std::string_view column) {
    const int index = table_.column(column);
    return index < 0 ? nullptr : &cells_[static_cast<std::size_t>(index)];
  }

  const perf::CsvTable& table_;
  const std::vector<perf::CsvCell>& cells_;
  Diagnostics& diagnostics_;
};

MeasuredRow read_row(RowReader& reader, int line) {
  constexpr double kMostTokens = 1e8, kLongestMs = 1e9, kShortestMs = 1e-6;
  MeasuredRow row;
  row.line = line;
  row.model = reader.text("model");
  row.gpu = reader.text("gpu");
  row.backend = reader.text("backend");
  row.quant = reader.text("quant");
  row.tp = reader.integer("tp", {});
  row.n_gpus = reader.integer("n_gpus", row.tp);
  row.ep = reader.integer("ep", 1);
  row.attention_dp = reader.integer("attention_dp", 1);
  row.concurrency = reader.integer("concurrency", {}, 1e6);
  row.isl_tokens = reader.number("isl", 1, kMostTokens);
  row.osl_tokens = reader.number("osl", 2, kMostTokens);
  row.length_ratio = reader.number("length_ratio", 0.5, 1, 1.0);
  row.ttft_ms = reader.number("ttft_ms_mean", kShortestMs, kLongestMs);
  row.tpot_ms = reader.number("tpot_ms_mean", kShortestMs, kLongestMs);
  return row;
}

// "fp4" is what the model's 4-bit checkpoint uses; gpt-oss checkpoints are MXFP4 whatever the rest.
std::string format_name(const std::string& quant, const Model& model) {
  const bool native_mxfp4 = model.native_format == "mxfp4";
  if (quant == "fp4") return native_mxfp4 ? "mxfp4" : "nvfp4";
  if (quant == "fp8" && native_mxfp4) return "mxfp4";
  if (quant == "fp8_block") return "fp8";
  return quant;
}

}  // namespace

Expected<std::vector<MeasuredRow>> read_rows(const std::string& path) {
  auto text = read_file(path);
  if (!text) return tl::make_unexpected(text.error());
  return parse_rows(*text, path == "-" ? "stdin" : path);
}

Expected<std::vector<MeasuredRow>> parse_rows(std::string_view text, const std::string& file) {
  auto table = perf::parse_csv(text, file);
  if (!table) return tl::make_unexpected(table.error());
  Diagnostics diagnostics;
  check_header(*table, diagnostics);
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  std::vector<MeasuredRow> rows;
  rows.reserve(table->rows.size());
  for (const auto& cells : table->rows) {
    RowReader reader(*table, cells, diagnostics);
    rows.push_back(read_row(reader, cells.front().line));
  }
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  if (rows.empty()) {
    return fail_at({table->file, table->header.front().line, 1}, "a header and no rows");
  }
  return rows;
}

std::string row_digest(const MeasuredRow& row, const std::string& model, const std::string& gpu,
                       const std::string& engine) {
  constexpr std::size_t kDigits = 12;  // 48 bits: no collision among a million rows is likely
  const std::string key =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", model, gpu, engine, row.quant,
                  row.n_gpus, row.tp, row.ep, row.attention_dp, row.concurrency, row.isl_tokens,
                  row.osl_tokens, row.length_ratio, row.ttft_ms, row.tpot_ms);
  return sha256_hex(key).substr(0, kDigits);
}

JoinedRow join(const MeasuredRow& row, Catalog& catalog) {
  JoinedRow joined;
  const auto skip = [&](const Error& error) {
    joined.reason = error.diagnostics.empty() ? "unknown" : error.diagnostics.front().message;
    return joined;
  };
  const auto gpu = catalog.gpu(row.gpu);
  if (!gpu) return skip(gpu.error());
  const auto model = catalog.model(row.model);
  if (!model) return skip(model.error());
  const auto engine = catalog.engine(row.backend);
  if (!engine) return skip(engine.error());
  const auto format = catalog.format(format_name(row.quant, **model));
  if (!format) return skip(format.error());
  Layout& layout = joined.layout;
  layout.gpu = *gpu;
  layout.model = *model;
  layout.engine = *engine;
  layout.weight = *format;
  layout.ep = row.ep;
  layout.attn_dp = row.attention_dp;
  // Some sources count attention ranks beside TP, some within it; the number of GPUs tells.
  if (row.n_gpus % (row.tp * row.attention_dp) == 0) {
    layout.tp = row.tp;
  } else if (row.tp % row.attention_dp == 0) {
    layout.tp = row.tp / row.attention_dp;
  }
  layout.pp = std::max(1, row.n_gpus / (layout.tp * layout.attn_dp));
  if (layout.gpus() != row.n_gpus) {
    joined.reason = fmt::format("tp {} and attention_dp {} do not make {} GPUs", row.tp,
                                row.attention_dp, row.n_gpus);
  }
  return joined;
}

std::string impossible(const MeasuredRow& row, const Layout& layout) {
  const perf::Arithmetic arithmetic = perf::arithmetic_of(layout);
  const Dtype fastest = layout.weight->covers == "experts" ? arithmetic.experts : arithmetic.dense;
  const double peak = perf::flop_s_or_wider(*layout.gpu, fastest) * row.n_gpus;
  const double cycle_s = (row.ttft_ms + row.tpot_ms * (row.osl_tokens - 1)) / 1e3;
  const double prompt_tokens_s =
      row.concurrency * row.isl_tokens * row.length_ratio / std::max(cycle_s, 1e-9);
  const double needed = 2 * layout.model->active_params() * prompt_tokens_s;
  if (needed <= peak) return {};
  return fmt::format(
      "the measured times imply {:.0f}% of the data sheet's peak arithmetic on prompts "
      "alone",
      100 * needed / peak);
}

}  // namespace tensorpath::validation
