// Which promoted kernels there are for what bounds a plan. Nothing here changes a plan.
#include "explain.h"

#include <algorithm>
#include <map>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace {

// A part of the step as operators name it: latent attention decodes in its own way.
std::string served_name(const OperatorShare& part, const Model& model) {
  const bool latent = part.name == "attention_decode" && model.attention.is_mla();
  return latent ? part.name + "_mla" : part.name;
}

// Activations are 16-bit, except where the format computes in its own type.
bool is_of_format(std::string_view dtype, const Format& format) {
  if (dtype == "bf16" || dtype == "fp16") return true;
  return !format.weight_only && format.compute != Dtype::kFp32 &&
         dtype.starts_with(to_string(format.compute));
}

struct Bound {
  std::vector<std::string> parts;
  double share = 0;
};

// By operator, the parts of the step that the plan's bottleneck is made of.
std::map<std::string, Bound, std::less<>> bound_operators(const Plan& plan,
                                                          const Workload& workload,
                                                          const Calibration& calibration,
                                                          const Operators& operators) {
  std::map<std::string, Bound, std::less<>> found;
  for (const OperatorShare& part : operator_breakdown(plan, workload, calibration)) {
    if (advise::bottleneck_name(part.bound_by) != plan.bottleneck) continue;
    const std::string served = served_name(part, *plan.candidate.layout.model);
    for (const OperatorSpec& op : operators.all()) {
      if (std::find(op.serves.begin(), op.serves.end(), served) == op.serves.end()) continue;
      Bound& bound = found[op.name];
      bound.parts.push_back(part.name);
      bound.share += part.share;
    }
  }
  return found;
}

bool is_better(const registry::Entry& a, const registry::Entry& b) {
  if (a.performance.ratio != b.performance.ratio) {
    return a.performance.ratio > b.performance.ratio;
  }
  return a.id < b.id;
}

}  // namespace

std::vector<KernelOpportunity> kernel_opportunities(const Plan& plan, const Workload& workload,
                                                    const Calibration& calibration,
                                                    const std::vector<registry::Entry>& entries,
                                                    const Operators& operators) {
  if (entries.empty()) return {};
  const Layout& layout = plan.candidate.layout;
  const auto bound = bound_operators(plan, workload, calibration, operators);
  std::map<std::pair<std::string, std::string>, const registry::Entry*> best;
  for (const registry::Entry& entry : entries) {
    if (entry.gpu != layout.gpu->name || !bound.contains(entry.op)) continue;
    if (!is_of_format(entry.dtype, *layout.weight)) continue;
    const registry::Entry*& kept = best[{entry.op, entry.dtype}];
    if (kept == nullptr || is_better(entry, *kept)) kept = &entry;
  }
  std::vector<KernelOpportunity> out;
  for (const auto& [key, entry] : best) {
    const Bound& parts = bound.find(entry->op)->second;
    out.push_back({entry->id, entry->op, entry->dtype, parts.parts, parts.share,
                   entry->evidence_level, entry->performance});
    out.back().performance.cases.clear();
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.share_of_step > b.share_of_step; });
  return out;
}

}  // namespace tensorpath
