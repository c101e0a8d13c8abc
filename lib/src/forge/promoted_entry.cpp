#include "promoted_entry.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/ops/cases.h>

namespace tensorpath::forge {
namespace {

// Rows further apart than a row are drawn where a tensor may have them; every start is.
std::vector<std::string> layouts_of(const OperatorSpec& op) {
  std::vector<std::string> out = {"contiguous"};
  const auto any = [&](auto flag) {
    const auto has = [&](const TensorSpec& tensor) { return tensor.*flag; };
    return std::any_of(op.inputs.begin(), op.inputs.end(), has) ||
           std::any_of(op.outputs.begin(), op.outputs.end(), has);
  };
  if (any(&TensorSpec::strided)) out.emplace_back("strided");
  if (any(&TensorSpec::element_aligned)) out.emplace_back("offset");
  return out;
}

// The report has compiler, version and flags in one line.
std::string flags_of(const Json& toolchain, const std::string& compiler) {
  auto text = toolchain.get<std::string>();
  if (compiler.empty() || !text.starts_with(compiler + " ")) return text;
  return text.substr(compiler.size() + 1);
}

// A case without a score leaves the whole without one.
std::optional<double> least_sol_score(const Json& cases) {
  std::optional<double> least;
  for (const Json& one : cases) {
    const auto roofline = one.find("roofline");
    if (roofline == one.end() || roofline->at("sol_score").is_null()) return std::nullopt;
    const double score = roofline->at("sol_score").get<double>();
    least = std::min(least.value_or(score), score);
  }
  return least;
}

void set_performance(registry::Entry& entry, const Json& pooled,
                     const std::vector<WeightedShape>& shapes) {
  registry::Performance& out = entry.performance;
  const auto number = [](const Json& object, const char* key) {
    return object.at(key).get<double>();
  };
  const auto p50 = [&](const Json& one, const Json& arm) {
    for (const Json& candidate : one.at("arms")) {
      if (candidate.at("arm") == arm) return number(candidate.at("cold"), "p50_us");
    }
    return 0.0;
  };
  out.ratio = number(pooled.at("ratio"), "value");
  out.lower = number(pooled.at("ratio"), "low");
  out.upper = number(pooled.at("ratio"), "high");
  std::size_t heaviest = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Json& one = pooled.at("cases").at(i);
    const Json& strongest = one.at("strongest_baseline");
    const Json& ratio = one.at("ratio");
    out.cases.push_back({shapes[i].dims, shapes[i].weight, strongest.get<std::string>(),
                         p50(one, strongest), p50(one, "candidate"), number(ratio, "value"),
                         number(ratio, "low"), number(ratio, "high")});
    if (shapes[i].weight > shapes[heaviest].weight) heaviest = i;
  }
  out.baseline = out.cases[heaviest].baseline;
  entry.tuned_shape = shapes[heaviest].dims;
  entry.falls_back_to = fmt::format("the operator's {} baseline", out.baseline);
  out.sol_score = least_sol_score(pooled.at("cases"));
}

}  // namespace

Expected<registry::Entry> promoted_entry(const KernelTask& task, const Json& predicate,
                                         const registry::Toolchain& here, WallTime promoted_at) {
  const Domain& domain = task.domain;
  registry::Entry entry;
  entry.op = task.op->name;
  entry.op_digest = task.op->digest;
  entry.language = language_of(task.device);
  entry.gpu = task.gpu;
  entry.architecture = task.architecture;
  entry.dtype = name_of(domain.dtype);
  entry.attributes = domain.attributes;
  entry.dims = domain.dims;
  entry.layouts = layouts_of(*task.op);
  entry.objective = task.objective;
  entry.toolchain = here;
  entry.toolchain.flags = flags_of(predicate.at("environment").at("toolchain"), here.compiler);
  entry.candidate_digest = predicate.at("candidate").at("digest").get<std::string>();
  entry.run_id = predicate.at("task").at("run_id").get<std::string>();
  entry.attempt = predicate.at("task").at("attempt").get<int>();
  entry.promoted_at = promoted_at;
  const auto shapes = timed_shapes(*task.op, domain);
  if (!shapes) return tl::unexpected(shapes.error());
  set_performance(entry, predicate.at("performance").at("promotion"), *shapes);
  return entry;
}

}  // namespace tensorpath::forge
