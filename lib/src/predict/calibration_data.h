// What data/calibration holds: operator surfaces, serving parameters, how far predictions were off
// on groups left out of the fit, and which rows the fit saw.
// Uses: 1) compile reads surfaces and parameters, 2) accuracy reads residuals, 3) validate reads
// what was seen and writes all of it anew.
#pragma once

#include "op_surface.h"
#include "parameters.h"

#include <set>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::perf {

// How an engine schedules, beyond its catalog entry.
struct SchedulerFacts {
  std::string engine;
  bool prefill_first = false;  // decoding stops while prompts are computed
  double reserved_output = 1;  // share of the output tokens a request books KV for at admission
  double graph_tokens = 0;     // steps with prefill are captured in graphs up to so many tokens
};

// Quantiles of log(truth / prediction) over held-out rows of one class.
struct ResidualClass {
  std::string engine;  // empty: any
  std::string gpu;     // empty: any
  int rows = 0;
  double ttft_lo = 0, ttft_hi = 0;  // at (1 - level) / 2 and (1 + level) / 2
  double tpot_lo = 0, tpot_hi = 0;
};

struct SeenGroup {
  std::string model, gpu, engine;  // canonical
  std::vector<std::string> rows;   // digests
};

// Errors as fractions: |predicted / measured - 1|.
struct ErrorSummary {
  double mape = 0, median = 0, p90 = 0, bias = 0;
};

struct CalibrationData {
  OpSurfaces surfaces;
  ServingParameters parameters;
  std::vector<SchedulerFacts> schedulers;
  double level = 0.8;
  std::vector<ResidualClass> residuals;
  std::vector<SeenGroup> groups;
  std::set<std::string> seen_rows;  // all digests of `groups`

  [[nodiscard]] SchedulerFacts scheduler(const std::string& engine) const;
  [[nodiscard]] bool saw_group(const std::string& model, const std::string& gpu,
                               const std::string& engine) const;
};

// data/calibration/serving.yaml; fills all but `surfaces` and `schedulers`.
[[nodiscard]] Status parse_serving(const YamlNode& root, CalibrationData& out);
// data/calibration/facts.yaml; fills `schedulers` and the surfaces' `borrow`.
[[nodiscard]] Status parse_facts(const YamlNode& root, CalibrationData& out);

// The blocks of serving.yaml that describe parameters, residuals and groups.
[[nodiscard]] Json parameters_to_json(const ServingParameters& parameters);
[[nodiscard]] Json residuals_to_json(const CalibrationData& data);
[[nodiscard]] Json groups_to_json(const std::vector<SeenGroup>& groups);

}  // namespace tensorpath::perf
