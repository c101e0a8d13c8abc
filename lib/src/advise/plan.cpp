#include "explain.h"
#include "search.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace advise {

Plan to_plan(const Question& question, const Evaluated& evaluated, const Calibration& calibration) {
  const Workload& workload = *question.workload;
  Plan plan;
  plan.candidate = evaluated.candidate;
  plan.replicas = evaluated.replicas;
  plan.prefill_replicas = evaluated.prefill_replicas;
  plan.gpu_count = evaluated.gpu_count;
  plan.memory = evaluated.memory;
  plan.at_load = evaluated.at_load;
  plan.offered_rps = evaluated.offered_rps;
  plan.max_rate_at_slo = evaluated.capacity_rps;
  plan.quality = evaluated.quality;
  plan.near_miss = evaluated.near_miss;
  plan.scores = evaluated.scores;
  const double osl = question.demand.shape.osl_mean;
  // What is past saturation is not served.
  const double served_rps =
      plan.at_load.saturated
          ? std::min(plan.offered_rps, plan.at_load.request_rps * std::max(1, plan.replicas))
          : plan.offered_rps;
  plan.output_tok_s = served_rps * osl;
  plan.output_tok_s_at_capacity = plan.max_rate_at_slo * osl;
  plan.offered_concurrency = plan.candidate.disaggregated
                                 ? plan.at_load.in_flight
                                 : plan.at_load.in_flight * std::max(1, plan.replicas);
  plan.tok_s_user = plan.at_load.tpot_ms.p50 > 0 ? 1000 / plan.at_load.tpot_ms.p50 : 0;
  plan.goodput_rps = served_rps * goodput_share(workload.slo, plan.at_load);
  plan.accuracy = accuracy(plan.candidate.layout, calibration);
  // No disaggregated deployment was in the fit: first principles, whatever the step model is.
  if (plan.candidate.disaggregated) {
    plan.accuracy.provenance = weakest(plan.accuracy.provenance, Provenance::kModeled);
  }
  // The first token of a drained batch waits for the drain, whose time follows from throughput.
  if (question.demand.batch_count > 0) {
    plan.accuracy.ttft_lo = plan.accuracy.tpot_lo;
    plan.accuracy.ttft_hi = plan.accuracy.tpot_hi;
  }
  if (evaluated.measured != nullptr) {
    plan.measured_profile = evaluated.measured->name;
    plan.accuracy = Accuracy{};
    plan.accuracy.provenance = evaluated.measured->provenance;
    plan.accuracy.level = 0;  // a measurement is used as it is: no band of ours around it
    plan.accuracy.basis = "profile " + evaluated.measured->name;
  }
  plan.cost = cost_of(evaluated.rate, plan, workload, question.options->today);
  find_bottleneck(plan, workload, calibration);
  plan.over_provisioned = over_provisioned(plan, workload);
  return plan;
}

}  // namespace advise

std::string_view to_string(Rejection rejection) {
  switch (rejection) {
    case Rejection::kUnsupported:
      return "unsupported";
    case Rejection::kQualityFloor:
      return "below the quality floor";
    case Rejection::kDoesNotFit:
      return "does not fit";
    case Rejection::kNoPrice:
      return "no price";
    case Rejection::kOverBudget:
      return "over budget";
    case Rejection::kSloTooTight:
    case Rejection::kCount:
      break;
  }
  return "SLO too tight";
}

std::string short_name(const Candidate& candidate) {
  const Layout& layout = candidate.layout;
  std::string text =
      fmt::format("{} on {}, {} {}/{} tp{}", layout.model->name, layout.gpu->name,
                  layout.engine->name, layout.weight->name, layout.kv->name, layout.tp);
  if (layout.pp > 1) text += fmt::format(" pp{}", layout.pp);
  if (layout.ep > 1) text += fmt::format(" ep{}", layout.ep);
  if (layout.attn_dp > 1) text += fmt::format(" dp{}", layout.attn_dp);
  if (candidate.spec.method != "none") text += " " + candidate.spec.method;
  if (candidate.disaggregated) text += " disaggregated";
  return text;
}

std::string short_name(const Plan& plan) {
  return fmt::format("{} ({} GPU{})", short_name(plan.candidate), plan.gpu_count,
                     plan.gpu_count == 1 ? "" : "s");
}

}  // namespace tensorpath
