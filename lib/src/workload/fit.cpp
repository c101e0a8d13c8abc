// Lengths and the context they must fit: fills upper clips and max_context_tokens, and shrinks what
// a preset filled in (never what the file says) to the context that there is.
#include "document.h"
#include "read.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace tensorpath::workload_file {
namespace {

// Contexts are given in steps of this by habit; a rounder number reads better in a launch command.
constexpr double kContextStep = 1024;

// The context of the model that takes least; 0 when no model is known.
double smallest_model_context(const Catalog& catalog, const Workload& workload) {
  double smallest = 0;
  for (const std::string& name : workload.models) {
    const Model* model = catalog.find_model(name);
    if (model == nullptr || model->max_context_tokens <= 0) continue;
    const double context = model->max_context_tokens;
    smallest = smallest == 0 ? context : std::min(smallest, context);
  }
  return smallest;
}

void clip(LengthDist& dist, double max) {
  max = std::max(1.0, std::floor(max));
  if (dist.kind == LengthDist::Kind::kFixed) dist.value = std::min(dist.value, max);
  if (dist.kind == LengthDist::Kind::kTrace) return;
  dist.max = std::min(dist.max, max);
  dist.min = std::min(dist.min, dist.max);
  dist.p95 = std::min(dist.p95, dist.max);
  dist.p50 = std::min(dist.p50, dist.p95);
}

// A lognormal without an upper clip gets one where one request in a thousand would be longer.
bool close_upper_end(LengthDist& dist) {
  if (dist.kind != LengthDist::Kind::kLognormal || dist.max > 0) return false;
  dist.max = std::max(std::ceil(dist.quantile(0.999)), dist.min);
  return true;
}

bool from_preset(const YamlNode& root, std::string_view path) {
  return where_path(root, path).file.starts_with("preset ");
}

}  // namespace

std::vector<std::string> fit_to_context(const YamlNode& root, const Catalog& catalog,
                                        Workload& workload) {
  std::vector<std::string> filled;
  LengthDist& isl = workload.isl_tokens;
  LengthDist& osl = workload.osl_tokens;
  const bool isl_open = close_upper_end(isl);
  const bool osl_open = close_upper_end(osl);
  const double model_limit = smallest_model_context(catalog, workload);
  const double limit = workload.max_context_tokens > 0 ? workload.max_context_tokens : model_limit;
  const auto too_long = [&] { return limit > 0 && isl.max_value() + osl.max_value() > limit; };
  const auto tell = [&](const char* key, const LengthDist& dist, const char* why) {
    filled.push_back(fmt::format("requests.{} = {} ({})", key, dist.to_string(), why));
  };
  constexpr const char* kFitted = "cut to the context";
  // Answers first, down to half of the context; prompts then take what is left.
  if (too_long() && (osl_open || from_preset(root, "requests.osl_tokens"))) {
    clip(osl, std::max(limit / 2, limit - isl.max_value()));
    tell("osl_tokens", osl, kFitted);
  } else if (osl_open) {
    tell("osl_tokens", osl, "max: the 99.9th percentile");
  }
  const bool isl_may_shrink =
      from_preset(root, "requests.isl_tokens") || (isl_open && isl.p95 < limit - osl.max_value());
  if (too_long() && isl_may_shrink && limit > osl.max_value()) {
    clip(isl, limit - osl.max_value());
    tell("isl_tokens", isl, kFitted);
  } else if (isl_open) {
    tell("isl_tokens", isl, "max: the 99.9th percentile");
  }
  const bool known = isl.max_value() > 0 && osl.max_value() > 0;
  if (workload.max_context_tokens > 0 || !known) return filled;
  const double later_turns =
      (workload.session.turns - 1) * (workload.session.turn_input_tokens + osl.max_value());
  const double longest = isl.max_value() + later_turns + osl.max_value();
  double context = std::ceil(longest / kContextStep) * kContextStep;
  if (model_limit > 0) context = std::min(context, model_limit);
  workload.max_context_tokens = std::max(context, 1.0);
  filled.push_back(fmt::format("requests.max_context_tokens = {} (the longest request{})", context,
                               longest > context ? ", as far as every model takes it" : ""));
  return filled;
}

void drop_preset_tpot(const YamlNode& root, Workload& workload) {
  const double longest = workload.osl_tokens.max_value();
  if (longest <= 0 || longest > 1) return;
  Percentiles& tpot = workload.slo.tpot_ms;
  for (const auto& [key, bound] :
       {std::pair{"slo.tpot_ms.p50", &tpot.p50}, std::pair{"slo.tpot_ms.p95", &tpot.p95},
        std::pair{"slo.tpot_ms.p99", &tpot.p99}}) {
    if (!from_preset(root, key)) continue;
    bound->reset();
    std::erase_if(workload.filled, [start = fmt::format("{} =", key)](const std::string& line) {
      return line.starts_with(start);
    });
  }
}

}  // namespace tensorpath::workload_file
