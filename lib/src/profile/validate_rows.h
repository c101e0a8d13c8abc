// Rows of a file of measured serving runs, checked cell by cell and joined to the catalog.
// Columns (tensorpath-validate(1)): model, gpu, n_gpus, backend, backend_version, quant, tp, ep,
// attention_dp, concurrency, isl, osl, length_ratio, ttft_ms_mean, tpot_ms_mean, measured_on,
// origin.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/catalog.h>
#include <tensorpath/predict.h>

namespace tensorpath::validation {

struct MeasuredRow {
  int line = 0;
  std::string model, gpu, backend, quant;  // as written
  int n_gpus = 1, tp = 1, ep = 1, attention_dp = 1;
  double concurrency = 1, isl_tokens = 0, osl_tokens = 0, length_ratio = 1;
  double ttft_ms = 0, tpot_ms = 0;
};

// Every mistake in the file at once: missing and unknown columns, bad numbers, missing values.
[[nodiscard]] Expected<std::vector<MeasuredRow>> read_rows(const std::string& path);
[[nodiscard]] Expected<std::vector<MeasuredRow>> parse_rows(std::string_view text,
                                                            const std::string& file);

// What identifies a row: its canonical names and all of its numbers, 12 hex digits.
[[nodiscard]] std::string row_digest(const MeasuredRow& row, const std::string& model,
                                     const std::string& gpu, const std::string& engine);

// The layout that ran.
struct JoinedRow {
  Layout layout;       // without its KV format
  std::string reason;  // not empty: skip the row
};
[[nodiscard]] JoinedRow join(const MeasuredRow& row, Catalog& catalog);

// Why the measured numbers cannot be true; empty when they can: prompts computed faster than the
// data sheet's dense peak of all GPUs.
[[nodiscard]] std::string impossible(const MeasuredRow& row, const Layout& layout);

}  // namespace tensorpath::validation
