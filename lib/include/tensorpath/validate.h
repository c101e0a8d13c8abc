// How wrong the predictions are: measured serving runs against what the model says of them.
// Uses: 1) `validate --measured FILE` scores the shipped calibration, 2) `--calibrate` fits the
// serving parameters to the file and scores each group with that group left out, 3) the written
// calibration carries those errors, the rows it saw and the bands that predictions print.
// Errors are fractions of the measured value; times are ms.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/table.h>
#include <tensorpath/catalog.h>
#include <tensorpath/predict.h>

namespace tensorpath {

// Of |predicted / measured - 1|; bias is signed.
struct ErrorStats {
  double mape = 0;
  double median = 0;
  double p90 = 0;
  double bias = 0;
};

struct RunErrors {
  int n = 0;
  ErrorStats ttft;
  ErrorStats tpot;
};

// One (canonical model, GPU, engine), whatever its formats and checkpoint aliases.
struct ValidatedGroup {
  std::string model;    // canonical
  std::string gpu;      // canonical
  std::string backend;  // as the file calls the engine
  std::string engine;   // canonical
  std::string quant;    // all of the group's, joined with '+'
  RunErrors errors;
  int in_sample_rows = 0;        // rows that the calibration in use was fitted on
  bool group_in_sample = false;  // it saw rows of this group
};

struct ValidatedRow {
  int line = 0;
  double measured_ttft_ms = 0, measured_tpot_ms = 0;
  double predicted_ttft_ms = 0, predicted_tpot_ms = 0;
  bool in_sample = false;
  int group = 0;
};

struct SkippedRow {
  int line = 0;
  std::string model, gpu, backend;
  std::string reason;
};

struct ValidationReport {
  std::string measured;     // the file
  bool calibrated = false;  // predictions are from fits that left the row's group out
  int rows = 0;             // in the file
  RunErrors overall;        // all predicted rows
  RunErrors not_in_sample;  // those that the calibration did not see; all of them when calibrated
  RunErrors fitted;         // calibrated only: the fit on its own rows
  RunErrors left_out_gpus;  // calibrated only: rows of a GPU by fits without it or its operators
  RunErrors left_out_engines;  // calibrated only: rows of an engine by fits without it
  std::vector<ValidatedGroup> groups;
  std::vector<ValidatedRow> predictions;
  std::vector<SkippedRow> skipped;
  std::string calibration;  // calibrated only: text of a serving.yaml
};

// Predicts every row of a file (columns: tensorpath-validate(1)) by the calibration. With
// `calibrate`, fits the serving parameters to the file first and predicts each group from a fit on
// the others. The data directories say how harnesses measure
// (calibration/harnesses.yaml).
[[nodiscard]] Expected<ValidationReport> validate(const std::string& path, Catalog& catalog,
                                                  const Calibration& calibration,
                                                  const std::vector<std::string>& data_directories,
                                                  bool calibrate);

// Operator tables of DIR reduced to the text of an ops.yaml.
[[nodiscard]] Expected<std::string> fit_operators(const std::string& directory,
                                                  const Catalog& catalog);

[[nodiscard]] Json to_json(const ValidationReport& report);
[[nodiscard]] Table to_table(const ValidationReport& report);

}  // namespace tensorpath
