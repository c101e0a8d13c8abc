#include "validate_report.h"

#include "predict/calibration_data.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace tensorpath {
namespace validation {
namespace {

constexpr double kBandLevel = 0.8;

Json to_json(const ErrorStats& stats) {
  Json json;
  json["mape"] = json_number(stats.mape, 4);
  json["median"] = json_number(stats.median, 4);
  json["p90"] = json_number(stats.p90, 4);
  json["bias"] = json_number(stats.bias, 4);
  return json;
}

Json to_json(const RunErrors& errors) {
  Json json;
  json["n"] = errors.n;
  json["ttft"] = to_json(errors.ttft);
  json["tpot"] = to_json(errors.tpot);
  return json;
}

ErrorStats stats_of(std::vector<double> signed_errors) {
  ErrorStats stats;
  if (signed_errors.empty()) return stats;
  const auto n = static_cast<double>(signed_errors.size());
  for (const double error : signed_errors) stats.bias += error / n;
  for (double& error : signed_errors) error = std::abs(error);
  for (const double error : signed_errors) stats.mape += error / n;
  std::sort(signed_errors.begin(), signed_errors.end());
  // Linear interpolation between order statistics.
  const auto quantile = [&](double q) {
    const double at = q * (n - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, signed_errors.size() - 1);
    return signed_errors[low] + (at - std::floor(at)) * (signed_errors[high] - signed_errors[low]);
  };
  stats.median = quantile(0.5);
  stats.p90 = quantile(0.9);
  return stats;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - std::floor(at)) * (values[high] - values[low]);
}

// Residuals of the rows of one engine or GPU; an empty name is any.
perf::ResidualClass residuals_of(const ValidationReport& report,
                                 const std::vector<const std::vector<ValidatedRow>*>& held_out,
                                 const std::string& engine, const std::string& gpu) {
  std::vector<double> ttft, tpot;
  for (const std::vector<ValidatedRow>* rows : held_out) {
    for (const ValidatedRow& row : *rows) {
      const ValidatedGroup& group = report.groups[static_cast<std::size_t>(row.group)];
      if (!engine.empty() && group.engine != engine) continue;
      if (!gpu.empty() && group.gpu != gpu) continue;
      ttft.push_back(std::log(row.measured_ttft_ms / row.predicted_ttft_ms));
      tpot.push_back(std::log(row.measured_tpot_ms / row.predicted_tpot_ms));
    }
  }
  perf::ResidualClass result;
  result.engine = engine;
  result.gpu = gpu;
  result.rows = static_cast<int>(ttft.size());
  if (ttft.empty()) return result;
  const double lo = (1 - kBandLevel) / 2, hi = (1 + kBandLevel) / 2;
  // Few groups lean to one side by chance; a band holds its prediction all the same.
  result.ttft_lo = std::min(0.0, quantile(ttft, lo));
  result.ttft_hi = std::max(0.0, quantile(ttft, hi));
  result.tpot_lo = std::min(0.0, quantile(tpot, lo));
  result.tpot_hi = std::max(0.0, quantile(tpot, hi));
  return result;
}

// A known engine on a known GPU is off as a new group is; on a new GPU as that engine was on GPUs
// left out; a new engine as engines left out were on that GPU; both new as either.
std::vector<perf::ResidualClass> all_residuals(const ValidationReport& report,
                                               const HeldOut& held_out) {
  std::set<std::string> engines, gpus;
  std::set<std::pair<std::string, std::string>> pairs;
  for (const ValidatedGroup& group : report.groups) {
    engines.insert(group.engine);
    gpus.insert(group.gpu);
    pairs.insert({group.engine, group.gpu});
  }
  std::vector<perf::ResidualClass> result;
  for (const auto& [engine, gpu] : pairs) {
    result.push_back(residuals_of(report, {&held_out.groups}, engine, gpu));
  }
  for (const std::string& engine : engines) {
    result.push_back(residuals_of(report, {&held_out.gpus}, engine, ""));
  }
  for (const std::string& gpu : gpus) {
    result.push_back(residuals_of(report, {&held_out.engines}, "", gpu));
  }
  result.push_back(residuals_of(report, {&held_out.gpus, &held_out.engines}, "", ""));
  return result;
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

}  // namespace

RunErrors errors_of(const std::vector<ValidatedRow>& rows,
                    const std::function<bool(const ValidatedRow&)>& wanted) {
  std::vector<double> ttft, tpot;
  for (const ValidatedRow& row : rows) {
    if (wanted && !wanted(row)) continue;
    ttft.push_back(row.predicted_ttft_ms / row.measured_ttft_ms - 1);
    tpot.push_back(row.predicted_tpot_ms / row.measured_tpot_ms - 1);
  }
  RunErrors errors;
  errors.n = static_cast<int>(ttft.size());
  errors.ttft = stats_of(std::move(ttft));
  errors.tpot = stats_of(std::move(tpot));
  return errors;
}

std::string calibration_text(const ValidationReport& report,
                             const perf::ServingParameters& parameters, const HeldOut& held_out,
                             const std::vector<std::vector<std::string>>& digests) {
  perf::CalibrationData data;
  data.residuals = all_residuals(report, held_out);
  std::vector<perf::SeenGroup> groups;
  for (std::size_t g = 0; g < report.groups.size(); ++g) {
    const ValidatedGroup& group = report.groups[g];
    groups.push_back({group.model, group.gpu, group.engine, digests[g]});
  }
  Json root;
  root["schema"] = "tensorpath.calibration-serving/v1";
  root["command"] = "tensorpath validate --measured FILE.csv --calibrate --out serving.yaml";
  // The name alone: where the file lies is of no use to anybody else.
  const std::string name = report.measured.substr(report.measured.find_last_of('/') + 1);
  root["source"] = fmt::format("{}, {} of its {} rows, {} groups", name, report.predictions.size(),
                               report.rows, report.groups.size());
  Json errors;
  errors["fitted"] = to_json(report.fitted);
  errors["held_out_groups"] = to_json(report.overall);
  errors["held_out_gpus"] = to_json(report.left_out_gpus);
  errors["held_out_engines"] = to_json(report.left_out_engines);
  root["error"] = std::move(errors);
  root["parameters"] = perf::parameters_to_json(parameters);
  root["band_level"] = kBandLevel;
  root["held_out_residuals"] = perf::residuals_to_json(data);
  root["groups"] = perf::groups_to_json(groups);
  return "# Serving parameters fitted to measured runs, how far held-out groups were off, and "
         "which\n"
         "# rows the fit saw (digests). Written by the command below; do not edit.\n" +
         to_yaml_text(root);
}

}  // namespace validation

Json to_json(const ValidationReport& report) {
  Json root;
  root["schema"] = "tensorpath.validation/v1";
  root["measured"] = report.measured;
  root["method"] = report.calibrated
                       ? "fitted to this file; errors are of groups left out of the fit"
                       : "shipped calibration";
  root["rows"] = report.rows;
  root["predicted"] = report.predictions.size();
  root["overall"] = validation::to_json(report.overall);
  root["not_in_sample"] = validation::to_json(report.not_in_sample);
  if (report.calibrated) {
    root["fitted"] = validation::to_json(report.fitted);
    root["left_out_gpus"] = validation::to_json(report.left_out_gpus);
    root["left_out_engines"] = validation::to_json(report.left_out_engines);
  }
  Json groups = Json::array();
  for (const ValidatedGroup& group : report.groups) {
    Json json;
    json["model"] = group.model;
    json["gpu"] = group.gpu;
    json["backend"] = group.backend;
    json["quant"] = group.quant;
    json["n"] = group.errors.n;
    json["in_sample"] = group.in_sample_rows > 0;
    json["in_sample_rows"] = group.in_sample_rows;
    json["group_in_sample"] = group.group_in_sample;
    json["ttft"] = validation::to_json(group.errors.ttft);
    json["tpot"] = validation::to_json(group.errors.tpot);
    groups.push_back(std::move(json));
  }
  root["groups"] = std::move(groups);
  Json skipped = Json::array();
  for (const SkippedRow& row : report.skipped) {
    Json json;
    json["line"] = row.line;
    json["model"] = row.model;
    json["gpu"] = row.gpu;
    json["backend"] = row.backend;
    json["reason"] = row.reason;
    skipped.push_back(std::move(json));
  }
  root["skipped"] = std::move(skipped);
  Json rows = Json::array();
  for (const ValidatedRow& row : report.predictions) {
    Json json;
    json["line"] = row.line;
    json["ttft_ms"] = json_number(row.predicted_ttft_ms);
    json["tpot_ms"] = json_number(row.predicted_tpot_ms);
    json["measured_ttft_ms"] = json_number(row.measured_ttft_ms, 9);
    json["measured_tpot_ms"] = json_number(row.measured_tpot_ms, 9);
    json["in_sample"] = row.in_sample;
    rows.push_back(std::move(json));
  }
  root["predictions"] = std::move(rows);
  return root;
}

Table to_table(const ValidationReport& report) {
  using enum Column::Align;
  Table table({{"model", kLeft, 9},
               {"gpu", kLeft, 9},
               {"backend", kLeft, 9},
               {"quant", kLeft, 2},
               {"rows", kRight, 5},
               {"TPOT MAPE", kRight, 8},
               {"median", kRight, 4},
               {"p90", kRight, 1},
               {"bias", kRight, 3},
               {"TTFT MAPE", kRight, 8},
               {"median", kRight, 4},
               {"p90", kRight, 1},
               {"bias", kRight, 3},
               {"in sample", kRight, 2}});
  const auto add = [&](std::string model, std::string gpu, std::string backend, std::string quant,
                       const RunErrors& e, std::string seen) {
    using validation::percent;
    table.add_row({std::move(model), std::move(gpu), std::move(backend), std::move(quant),
                   std::to_string(e.n), percent(e.tpot.mape), percent(e.tpot.median),
                   percent(e.tpot.p90), percent(e.tpot.bias), percent(e.ttft.mape),
                   percent(e.ttft.median), percent(e.ttft.p90), percent(e.ttft.bias),
                   std::move(seen)});
  };
  for (const ValidatedGroup& group : report.groups) {
    add(group.model, group.gpu, group.backend, group.quant, group.errors,
        std::to_string(group.in_sample_rows));
  }
  int seen = 0;
  for (const ValidatedGroup& group : report.groups) seen += group.in_sample_rows;
  add("overall", "", "", "", report.overall, std::to_string(seen));
  return table;
}

}  // namespace tensorpath
