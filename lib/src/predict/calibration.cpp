#include "calibration_data.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include <tensorpath/base/file.h>
#include <tensorpath/predict.h>

namespace tensorpath {
namespace perf {
namespace {

void read_parameter(Param param, const YamlNode& node, Diagnostics& diagnostics,
                    ServingParameters& out) {
  const ParamSpec& entry = spec(param);
  MapReader reader(node, "parameters." + std::string(entry.name), diagnostics);
  const auto p = static_cast<std::size_t>(param);
  constexpr NumberRange kPositive{0, 1e6, true};
  reader.require("value", "the fitted number");
  out.pooled[p] = reader.number("value", kPositive).value_or(entry.prior);
  if (entry.engine_log_sd > 0) {
    for (std::size_t e = 0; e < kFactorEngines.size(); ++e) {
      out.factor[p][e] = reader.number(kFactorEngines[e], kPositive).value_or(1);
    }
  }
  (void)reader.text("meaning");
  reader.finish();
}

void read_parameters(const YamlNode& node, Diagnostics& diagnostics, ServingParameters& out) {
  MapReader reader(node, "parameters", diagnostics);
  for (std::size_t p = 0; p < kParamCount; ++p) {
    const auto param = static_cast<Param>(p);
    const std::string name(spec(param).name);
    reader.require(name, "a fitted parameter");
    if (const YamlNode* child = reader.node(name); child != nullptr) {
      read_parameter(param, *child, diagnostics, out);
    }
  }
  reader.finish();
}

ResidualClass read_residual(const YamlNode& node, const std::string& path,
                            Diagnostics& diagnostics) {
  MapReader reader(node, path, diagnostics);
  constexpr NumberRange kLog{-10, 10};
  ResidualClass residual;
  residual.engine = reader.text("engine").value_or("");
  residual.gpu = reader.text("gpu").value_or("");
  residual.rows = static_cast<int>(reader.integer("rows").value_or(0));
  residual.ttft_lo = reader.number("ttft_log_lo", kLog).value_or(-0.5);
  residual.ttft_hi = reader.number("ttft_log_hi", kLog).value_or(0.5);
  residual.tpot_lo = reader.number("tpot_log_lo", kLog).value_or(-0.3);
  residual.tpot_hi = reader.number("tpot_log_hi", kLog).value_or(0.3);
  reader.finish();
  return residual;
}

SeenGroup read_group(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  MapReader reader(node, path, diagnostics);
  SeenGroup group;
  group.model = reader.text("model").value_or("");
  group.gpu = reader.text("gpu").value_or("");
  group.engine = reader.text("engine").value_or("");
  (void)reader.integer("n");
  std::istringstream digests(reader.text("rows").value_or(""));
  for (std::string digest; digests >> digest;) group.rows.push_back(digest);
  reader.finish();
  return group;
}

}  // namespace

SchedulerFacts CalibrationData::scheduler(const std::string& engine) const {
  for (const SchedulerFacts& facts : schedulers) {
    if (facts.engine == engine) return facts;
  }
  return SchedulerFacts{engine, false, 1, 0};
}

bool CalibrationData::saw_group(const std::string& model, const std::string& gpu,
                                const std::string& engine) const {
  return std::any_of(groups.begin(), groups.end(), [&](const SeenGroup& group) {
    return group.model == model && group.gpu == gpu && group.engine == engine;
  });
}

Status parse_serving(const YamlNode& root, CalibrationData& out) {
  Diagnostics diagnostics;
  MapReader reader(root, "", diagnostics);
  (void)reader.word("schema", {"tensorpath.calibration-serving/v1"});
  (void)reader.text("source");
  (void)reader.text("command");
  (void)reader.node("error");
  reader.require("parameters", "the fitted serving parameters");
  if (const YamlNode* node = reader.node("parameters"); node != nullptr) {
    read_parameters(*node, diagnostics, out.parameters);
  }
  out.level = reader.number("band_level", NumberRange{0.01, 0.99}).value_or(0.8);
  const auto each = [&](std::string_view key, auto&& visit) {
    const YamlNode* node = reader.node(key);
    if (node == nullptr || !node->is_sequence()) return;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      visit(node->items[i], std::string(key) + "[" + std::to_string(i) + "]");
    }
  };
  each("held_out_residuals", [&](const YamlNode& node, const std::string& path) {
    out.residuals.push_back(read_residual(node, path, diagnostics));
  });
  each("groups", [&](const YamlNode& node, const std::string& path) {
    out.groups.push_back(read_group(node, path, diagnostics));
    out.seen_rows.insert(out.groups.back().rows.begin(), out.groups.back().rows.end());
  });
  reader.finish();
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  return {};
}

Status parse_facts(const YamlNode& root, CalibrationData& out) {
  Diagnostics diagnostics;
  MapReader reader(root, "", diagnostics);
  (void)reader.word("schema", {"tensorpath.calibration-facts/v1"});
  reader.require("engines", "how each engine schedules");
  if (const YamlNode* engines = reader.node("engines"); engines != nullptr && engines->is_map()) {
    for (const auto& [name, node] : engines->entries) {
      MapReader entry(node, "engines." + name, diagnostics);
      SchedulerFacts facts;
      facts.engine = name;
      facts.prefill_first = entry.boolean("prefill_first").value_or(false);
      facts.reserved_output = entry.number("reserved_output_share", NumberRange{0, 1}).value_or(1);
      facts.graph_tokens = entry.number("graph_tokens").value_or(0);
      (void)entry.text("source");
      entry.finish();
      out.schedulers.push_back(facts);
    }
  }
  if (const YamlNode* borrow = reader.node("borrow"); borrow != nullptr && borrow->is_map()) {
    for (const auto& [name, node] : borrow->entries) out.surfaces.borrow[name] = node.scalar;
  }
  reader.finish();
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  return {};
}

Json parameters_to_json(const ServingParameters& parameters) {
  Json json = Json::object();
  for (std::size_t p = 0; p < kParamCount; ++p) {
    const ParamSpec& entry = spec(static_cast<Param>(p));
    Json one;
    one["value"] = json_number(parameters.pooled[p], 6);
    if (entry.engine_log_sd > 0) {
      for (std::size_t e = 0; e < kFactorEngines.size(); ++e) {
        one[std::string(kFactorEngines[e])] = json_number(parameters.factor[p][e], 6);
      }
    }
    one["meaning"] = entry.meaning;
    json[std::string(entry.name)] = std::move(one);
  }
  return json;
}

Json residuals_to_json(const CalibrationData& data) {
  Json json = Json::array();
  for (const ResidualClass& residual : data.residuals) {
    Json one;
    if (!residual.engine.empty()) one["engine"] = residual.engine;
    if (!residual.gpu.empty()) one["gpu"] = residual.gpu;
    one["rows"] = residual.rows;
    one["ttft_log_lo"] = json_number(residual.ttft_lo, 4);
    one["ttft_log_hi"] = json_number(residual.ttft_hi, 4);
    one["tpot_log_lo"] = json_number(residual.tpot_lo, 4);
    one["tpot_log_hi"] = json_number(residual.tpot_hi, 4);
    json.push_back(std::move(one));
  }
  return json;
}

Json groups_to_json(const std::vector<SeenGroup>& groups) {
  Json json = Json::array();
  for (const SeenGroup& group : groups) {
    std::string rows;
    for (const std::string& digest : group.rows) {
      if (!rows.empty()) rows += ' ';
      rows += digest;
    }
    Json one;
    one["model"] = group.model;
    one["gpu"] = group.gpu;
    one["engine"] = group.engine;
    one["n"] = group.rows.size();
    one["rows"] = rows;
    json.push_back(std::move(one));
  }
  return json;
}

}  // namespace perf

namespace {

// The first data directory that has the file.
Expected<YamlNode> read_calibration_file(const std::vector<std::string>& directories,
                                         const std::string& name) {
  for (const std::string& directory : directories) {
    const std::string path = path_join(directory, "calibration/" + name);
    if (file_exists(path)) return read_yaml_file(path);
  }
  return fail(ExitCode::kEnvironment, "no data directory has calibration/" + name,
              "point --data at the directory that has it, or reinstall");
}

}  // namespace

Expected<Calibration> Calibration::load(const std::vector<std::string>& data_directories) {
  auto data = std::make_shared<perf::CalibrationData>();
  auto ops = read_calibration_file(data_directories, "ops.yaml");
  if (!ops) return tl::make_unexpected(ops.error());
  auto surfaces = perf::parse_ops(*ops);
  if (!surfaces) return tl::make_unexpected(surfaces.error());
  data->surfaces = std::move(*surfaces);
  auto facts = read_calibration_file(data_directories, "facts.yaml");
  if (!facts) return tl::make_unexpected(facts.error());
  if (auto status = perf::parse_facts(*facts, *data); !status) {
    return tl::make_unexpected(status.error());
  }
  // Without fitted parameters the priors stand, and every prediction is "modeled".
  const bool fitted = std::any_of(
      data_directories.begin(), data_directories.end(), [](const std::string& directory) {
        return file_exists(path_join(directory, "calibration/serving.yaml"));
      });
  if (!fitted) return Calibration(std::move(data));
  auto serving = read_calibration_file(data_directories, "serving.yaml");
  if (!serving) return tl::make_unexpected(serving.error());
  if (auto status = perf::parse_serving(*serving, *data); !status) {
    return tl::make_unexpected(status.error());
  }
  return Calibration(std::move(data));
}

}  // namespace tensorpath
