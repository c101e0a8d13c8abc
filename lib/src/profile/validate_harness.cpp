#include "validate_harness.h"

#include <algorithm>

#include <tensorpath/base/file.h>

namespace tensorpath::validation {
namespace {

constexpr NumberRange kPositive{0, 1e9, true};

HarnessSetting read_setting(const YamlNode& node, const std::string& path,
                            Diagnostics& diagnostics) {
  MapReader reader(node, path, diagnostics);
  HarnessSetting setting;
  reader.require("engine", "a catalog name");
  setting.engine = reader.text("engine").value_or("");
  setting.models = reader.text_list("models");
  setting.isl_tokens = reader.number("isl", kPositive);
  setting.osl_tokens = reader.number("osl", kPositive);
  setting.tp_below = reader.number("tp_below", kPositive);
  setting.max_batched_tokens = reader.number("max_batched_tokens", kPositive);
  setting.batch_wait_steps = reader.number("batch_wait_steps", kPositive);
  setting.max_batch = reader.number("max_batch", kPositive);
  reader.finish();
  return setting;
}

Harness read_harness(const YamlNode& node, const std::string& path, Diagnostics& diagnostics) {
  MapReader reader(node, path, diagnostics);
  Harness harness;
  harness.name = reader.text("name").value_or("");
  if (const YamlNode* when = reader.node("when"); when != nullptr) {
    MapReader conditions(*when, path + ".when", diagnostics);
    harness.length_ratio_below = conditions.number("length_ratio_below", kPositive).value_or(2);
    conditions.finish();
  }
  harness.waves = reader.number("waves", kPositive).value_or(10);
  harness.slow_host = reader.boolean("slow_host").value_or(false);
  if (const YamlNode* settings = reader.node("settings");
      settings != nullptr && settings->is_sequence()) {
    for (std::size_t i = 0; i < settings->items.size(); ++i) {
      harness.settings.push_back(read_setting(
          settings->items[i], path + ".settings[" + std::to_string(i) + "]", diagnostics));
    }
  }
  (void)reader.text("source");
  reader.finish();
  return harness;
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool matches(const HarnessSetting& setting, const MeasuredRow& row, const Layout& layout) {
  if (setting.engine != layout.engine->name) return false;
  if (!setting.models.empty() && !contains(setting.models, layout.model->name)) return false;
  if (setting.isl_tokens && *setting.isl_tokens != row.isl_tokens) return false;
  if (setting.osl_tokens && *setting.osl_tokens != row.osl_tokens) return false;
  return !setting.tp_below || row.tp < *setting.tp_below;
}

}  // namespace

Expected<Harnesses> parse_harnesses(const YamlNode& root) {
  Diagnostics diagnostics;
  Harnesses result;
  MapReader reader(root, "", diagnostics);
  (void)reader.word("schema", {"tensorpath.calibration-harnesses/v1"});
  reader.require("harnesses", "how each source measured");
  const auto each = [&](std::string_view key, auto&& visit) {
    const YamlNode* node = reader.node(key);
    if (node == nullptr || !node->is_sequence()) return;
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      visit(node->items[i], std::string(key) + "[" + std::to_string(i) + "]");
    }
  };
  each("harnesses", [&](const YamlNode& node, const std::string& path) {
    result.harnesses.push_back(read_harness(node, path, diagnostics));
  });
  each("kv_formats", [&](const YamlNode& node, const std::string& path) {
    MapReader rule(node, path, diagnostics);
    KvRule read;
    read.engine = rule.text("engine").value_or("any");
    read.weights = rule.text_list("weights");
    read.kv = rule.text("kv").value_or("bf16");
    rule.finish();
    result.kv_rules.push_back(std::move(read));
  });
  reader.finish();
  if (result.harnesses.empty()) diagnostics.add(root.where, "no harness");
  if (!diagnostics.empty()) return tl::make_unexpected(diagnostics.to_error());
  return result;
}

Expected<Harnesses> Harnesses::load(const std::vector<std::string>& directories) {
  for (const std::string& directory : directories) {
    const std::string path = path_join(directory, "calibration/harnesses.yaml");
    if (!file_exists(path)) continue;
    auto root = read_yaml_file(path);
    if (!root) return tl::make_unexpected(root.error());
    return parse_harnesses(*root);
  }
  return fail(ExitCode::kEnvironment, "no data directory has calibration/harnesses.yaml",
              "point --data at the directory that has it, or reinstall");
}

const Harness& Harnesses::of(const MeasuredRow& row) const {
  for (const Harness& harness : harnesses) {
    if (row.length_ratio < harness.length_ratio_below) return harness;
  }
  return harnesses.back();
}

std::string Harnesses::kv_format(const Layout& layout) const {
  for (const KvRule& rule : kv_rules) {
    const bool engine = rule.engine == "any" || rule.engine == layout.engine->name;
    if (engine && (contains(rule.weights, "any") || contains(rule.weights, layout.weight->name))) {
      return rule.kv;
    }
  }
  return "bf16";
}

perf::MeasuredRun run_of(const MeasuredRow& row, const Layout& layout, const Harness& harness) {
  perf::MeasuredRun run;
  run.concurrency = row.concurrency;
  run.isl_tokens = row.isl_tokens * row.length_ratio;
  run.osl_tokens = row.osl_tokens * row.length_ratio;
  run.osl_spread_tokens = row.osl_tokens * 2 * (1 - row.length_ratio);
  run.waves = harness.waves;
  for (const HarnessSetting& setting : harness.settings) {
    if (!matches(setting, row, layout)) continue;
    run.max_batched_tokens = setting.max_batched_tokens.value_or(run.max_batched_tokens);
    run.batch_wait_steps = setting.batch_wait_steps.value_or(0);
    run.max_batch = setting.max_batch.value_or(run.max_batch);
    break;
  }
  return run;
}

}  // namespace tensorpath::validation
