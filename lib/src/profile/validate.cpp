#include "predict/op_fit.h"
#include "validate_fit.h"
#include "validate_harness.h"
#include "validate_report.h"
#include "validate_rows.h"

#include <map>
#include <set>
#include <tuple>

#include <tensorpath/validate.h>

namespace tensorpath {
namespace validation {
namespace {

// The rows that can be predicted, their groups and the layouts they share.
struct Joined {
  FitProblem problem;
  std::vector<ValidatedRow> rows;
  std::vector<ValidatedGroup> groups;
  std::vector<std::set<std::string>> quants;      // by group
  std::vector<std::vector<std::string>> digests;  // by group
  std::vector<SkippedRow> skipped;
};

using LayoutKey = std::tuple<const Gpu*, const Model*, const Engine*, const Format*,
                             const KvFormat*, int, int, int, int, double>;

class Joiner {
 public:
  Joiner(Catalog& catalog, const Calibration& calibration, const Harnesses& harnesses)
      : catalog_(catalog), calibration_(calibration), harnesses_(harnesses) {}

  void add(const MeasuredRow& row) {
    JoinedRow joined = join(row, catalog_);
    Layout& layout = joined.layout;
    if (joined.reason.empty()) {
      layout.kv = catalog_.find_kv_format(harnesses_.kv_format(layout));
      if (layout.kv == nullptr) joined.reason = "its KV format is not in the catalog";
    }
    if (joined.reason.empty()) joined.reason = impossible(row, layout);
    if (!joined.reason.empty()) {
      out_.skipped.push_back({row.line, row.model, row.gpu, row.backend, joined.reason});
      return;
    }
    const Harness& harness = harnesses_.of(row);
    FitRow fit_row;
    fit_row.run = run_of(row, layout, harness);
    fit_row.slow_host = harness.slow_host;
    fit_row.input = input_of(layout, fit_row.run);
    if (out_.problem.inputs[fit_row.input].memory.kv_capacity_tokens <= 0) {
      out_.skipped.push_back(
          {row.line, row.model, row.gpu, row.backend, "the weights leave no room for a KV cache"});
      return;
    }
    fit_row.ttft_ms = row.ttft_ms;
    fit_row.tpot_ms = row.tpot_ms;
    fit_row.group = group_of(row, layout);
    out_.problem.rows.push_back(fit_row);
    const auto group = static_cast<std::size_t>(fit_row.group);
    const std::string digest =
        row_digest(row, layout.model->name, layout.gpu->name, layout.engine->name);
    out_.digests[group].push_back(digest);
    ValidatedRow validated;
    validated.line = row.line;
    validated.measured_ttft_ms = row.ttft_ms;
    validated.measured_tpot_ms = row.tpot_ms;
    validated.in_sample = calibration_.data().seen_rows.count(digest) > 0;
    validated.group = fit_row.group;
    out_.groups[group].in_sample_rows += validated.in_sample ? 1 : 0;
    out_.rows.push_back(validated);
  }

  Joined take() {
    for (std::size_t g = 0; g < out_.groups.size(); ++g) {
      for (const std::string& quant : out_.quants[g]) {
        if (!out_.groups[g].quant.empty()) out_.groups[g].quant += '+';
        out_.groups[g].quant += quant;
      }
    }
    out_.problem.group_count = static_cast<int>(out_.groups.size());
    return std::move(out_);
  }

 private:
  std::size_t input_of(const Layout& layout, const perf::MeasuredRun& run) {
    const LayoutKey key{
        layout.gpu, layout.model, layout.engine, layout.weight,  layout.kv,
        layout.tp,  layout.pp,    layout.ep,     layout.attn_dp, run.max_batched_tokens};
    const auto [entry, is_new] = inputs_.emplace(key, out_.problem.inputs.size());
    if (is_new) {
      out_.problem.inputs.push_back(
          perf::prepare(layout, calibration_.data(), static_cast<int>(run.max_batched_tokens)));
    }
    return entry->second;
  }

  int group_of(const MeasuredRow& row, const Layout& layout) {
    const auto key = std::make_tuple(layout.model->name, layout.gpu->name, layout.engine->name);
    const auto [entry, is_new] = groups_.emplace(key, static_cast<int>(out_.groups.size()));
    if (is_new) {
      ValidatedGroup group;
      group.model = layout.model->name;
      group.gpu = layout.gpu->name;
      group.engine = layout.engine->name;
      group.backend = row.backend;
      group.group_in_sample = calibration_.data().saw_group(group.model, group.gpu, group.engine);
      out_.groups.push_back(std::move(group));
      out_.quants.emplace_back();
      out_.digests.emplace_back();
    }
    out_.quants[static_cast<std::size_t>(entry->second)].insert(row.quant);
    return entry->second;
  }

  Catalog& catalog_;
  const Calibration& calibration_;
  const Harnesses& harnesses_;
  std::map<LayoutKey, std::size_t> inputs_;
  std::map<std::tuple<std::string, std::string, std::string>, int> groups_;
  Joined out_;
};

std::vector<ValidatedRow> with_predictions(const std::vector<perf::MeasuredMeans>& means,
                                           std::vector<ValidatedRow> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].predicted_ttft_ms = means[i].ttft_ms;
    rows[i].predicted_tpot_ms = means[i].tpot_ms;
  }
  return rows;
}

// Fits to the file, predicts each row without its group, and writes the calibration.
void calibrate_on(const Joined& joined, const perf::CalibrationData& data,
                  ValidationReport& report) {
  for (ValidatedRow& row : report.predictions) row.in_sample = false;
  std::vector<std::string> group_keys, engine_keys;
  for (const FitRow& row : joined.problem.rows) {
    group_keys.push_back(std::to_string(row.group));
    engine_keys.push_back(joined.problem.inputs[row.input].layout.engine->name);
  }
  const perf::ServingParameters full = fit(joined.problem, {});
  const auto fitted = with_predictions(predict_rows(joined.problem, full), report.predictions);
  report.fitted = errors_of(fitted);
  HeldOut held_out;
  held_out.groups = with_predictions(leave_out(joined.problem, group_keys), report.predictions);
  held_out.engines = with_predictions(leave_out(joined.problem, engine_keys), report.predictions);
  held_out.gpus = with_predictions(leave_gpu_out(joined.problem, data), report.predictions);
  report.predictions = held_out.groups;
  report.left_out_gpus = errors_of(held_out.gpus);
  report.left_out_engines = errors_of(held_out.engines);
  for (ValidatedGroup& group : report.groups) {
    group.in_sample_rows = 0;
    group.group_in_sample = false;
  }
  report.overall = errors_of(report.predictions);
  report.calibration = calibration_text(report, full, held_out, joined.digests);
}

}  // namespace
}  // namespace validation

Expected<ValidationReport> validate(const std::string& path, Catalog& catalog,
                                    const Calibration& calibration,
                                    const std::vector<std::string>& data_directories,
                                    bool calibrate) {
  using namespace validation;
  auto harnesses = Harnesses::load(data_directories);
  if (!harnesses) return tl::make_unexpected(harnesses.error());
  auto rows = read_rows(path);
  if (!rows) return tl::make_unexpected(rows.error());
  Joiner joiner(catalog, calibration, *harnesses);
  for (const MeasuredRow& row : *rows) joiner.add(row);
  Joined joined = joiner.take();
  ValidationReport report;
  report.measured = path;
  report.calibrated = calibrate;
  report.rows = static_cast<int>(rows->size());
  report.groups = std::move(joined.groups);
  report.predictions = std::move(joined.rows);
  report.skipped = std::move(joined.skipped);
  if (calibrate) {
    if (joined.problem.group_count < 2) {
      return fail(ExitCode::kUsage,
                  "--calibrate leaves groups out of the fit and needs at least two of them",
                  "a group is one (model, GPU, engine)");
    }
    calibrate_on(joined, calibration.data(), report);
  } else {
    report.predictions = with_predictions(
        predict_rows(joined.problem, calibration.data().parameters), report.predictions);
    report.overall = errors_of(report.predictions);
  }
  report.not_in_sample =
      errors_of(report.predictions, [](const ValidatedRow& row) { return !row.in_sample; });
  for (std::size_t g = 0; g < report.groups.size(); ++g) {
    report.groups[g].errors = errors_of(report.predictions, [&](const ValidatedRow& row) {
      return row.group == static_cast<int>(g);
    });
  }
  return report;
}

Expected<std::string> fit_operators(const std::string& directory, const Catalog& catalog) {
  auto surfaces = perf::fit_ops(directory, catalog);
  if (!surfaces) return tl::make_unexpected(surfaces.error());
  Json root;
  root["schema"] = "tensorpath.calibration-ops/v1";
  root["command"] = "tensorpath validate --fit-ops DIR --out ops.yaml";
  const Json fitted = perf::to_json(*surfaces);
  for (const auto& [key, value] : fitted.items()) root[key] = value;
  return "# Operator efficiencies per GPU, operator and data type, reduced from measured tables.\n"
         "# Written by the command below; errors are |predicted / measured - 1|.\n" +
         to_yaml_text(root);
}

}  // namespace tensorpath
