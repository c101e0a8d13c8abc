// How a source of measured runs measured: its waves, its engine settings, its KV format.
// Facts of data/calibration/harnesses.yaml; the first entry that matches a row holds.
#pragma once

#include "predict/measured_run.h"
#include "validate_rows.h"

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::validation {

struct HarnessSetting {
  std::string engine;               // canonical
  std::vector<std::string> models;  // canonical; empty is any
  std::optional<double> isl_tokens, osl_tokens, tp_below;
  std::optional<double> max_batched_tokens, batch_wait_steps, max_batch;
};

struct Harness {
  std::string name;
  double length_ratio_below = 2;  // 2: any
  double waves = 10;
  bool slow_host = false;  // hosts and releases with factors of their own
  std::vector<HarnessSetting> settings;
};

struct KvRule {
  std::string engine;                // or "any"
  std::vector<std::string> weights;  // formats, or "any"
  std::string kv;
};

struct Harnesses {
  std::vector<Harness> harnesses;
  std::vector<KvRule> kv_rules;

  // From the first data directory that has calibration/harnesses.yaml.
  [[nodiscard]] static Expected<Harnesses> load(const std::vector<std::string>& directories);

  [[nodiscard]] const Harness& of(const MeasuredRow& row) const;
  [[nodiscard]] std::string kv_format(const Layout& layout) const;
};

[[nodiscard]] Expected<Harnesses> parse_harnesses(const YamlNode& root);

// The run to predict for a row.
[[nodiscard]] perf::MeasuredRun run_of(const MeasuredRow& row, const Layout& layout,
                                       const Harness& harness);

}  // namespace tensorpath::validation
