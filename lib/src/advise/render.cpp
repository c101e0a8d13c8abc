#include "render.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

std::string layout_text(const Candidate& candidate) {
  const Layout& l = candidate.layout;
  std::string text = fmt::format("tp{}", l.tp);
  if (l.pp > 1) text += fmt::format(" pp{}", l.pp);
  if (l.ep > 1) text += fmt::format(" ep{}", l.ep);
  if (l.attn_dp > 1) text += fmt::format(" dp{}", l.attn_dp);
  if (candidate.disaggregated) text += " P/D";
  if (candidate.spec.method != "none") text += " " + candidate.spec.method;
  return text;
}

std::string replicas_text(const Plan& plan) {
  if (plan.candidate.disaggregated) {
    return fmt::format("{}P+{}D", plan.prefill_replicas, plan.replicas);
  }
  return fmt::format("{}x{}", plan.replicas, plan.gpus_per_replica());
}

std::string p50_p95(const LatencyStat& stat) {
  return human_number(stat.p50) + "/" + human_number(stat.p95);
}

}  // namespace

std::string banded(double value, double lo_ratio, double hi_ratio, const Accuracy& accuracy) {
  if (accuracy.level <= 0) {
    return fmt::format("{} ({})", human_number(value), to_string(accuracy.provenance));
  }
  return fmt::format("{} [{}, {}] ({}, {:.0f}% band)", human_number(value),
                     human_number(value * lo_ratio), human_number(value * hi_ratio),
                     to_string(accuracy.provenance), 100 * accuracy.level);
}

std::string gpus_text(const Plan& plan) {
  const auto plural = [](int n, const char* word) {
    return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
  };
  if (plan.candidate.disaggregated) {
    return fmt::format("{} = {} prefill x {} + {} decode x {}", plural(plan.gpu_count, "GPU"),
                       plan.prefill_replicas, plan.candidate.prefill_layout.gpus(), plan.replicas,
                       plan.gpus_per_replica());
  }
  return fmt::format("{} = {} x {} per replica", plural(plan.gpu_count, "GPU"),
                     plural(plan.replicas, "replica"), plural(plan.gpus_per_replica(), "GPU"));
}

Table plan_table(const Recommendation& r) {
  using Align = Column::Align;
  Table table({{"#", Align::kRight, 9},
               {"model", Align::kLeft, r.workload.models.size() > 1 ? 8 : 1},
               {"GPU", Align::kLeft, 9},
               {"engine", Align::kLeft, 9},
               {"weights", Align::kLeft, 9},
               {"KV", Align::kLeft, 4},
               {"layout", Align::kLeft, 4},
               {"repl", Align::kRight, 5},
               {"TTFT ms", Align::kRight, 7},
               {"TPOT ms", Align::kRight, 8},
               {"tok/s", Align::kRight, 3},
               {"$/month", Align::kRight, 9},
               {"$/Mtok", Align::kRight, 6},
               {"score", Align::kRight, 2}});
  int rank = 0;
  for (const Plan& plan : r.plans) {
    const Layout& l = plan.candidate.layout;
    const bool decodes = r.workload.osl_tokens.mean() > 1;
    table.add_row({std::to_string(++rank), l.model->name, l.gpu->name, l.engine->name,
                   l.weight->name, l.kv->name, layout_text(plan.candidate), replicas_text(plan),
                   p50_p95(plan.at_load.ttft_ms), decodes ? p50_p95(plan.at_load.tpot_ms) : "-",
                   human_number(plan.output_tok_s), human_usd(plan.cost.usd_per_month),
                   human_usd(plan.cost.usd_per_mtok_output),
                   fmt::format("{:.2f}", plan.scores.total)});
  }
  return table;
}

Table rejection_table(const Recommendation& r) {
  Table table({{"rejected", Column::Align::kRight, 3},
               {"because", Column::Align::kLeft, 3},
               {"for example", Column::Align::kLeft, 1}});
  for (const RejectedGroup& group : r.rejected) {
    table.add_row({human_number(static_cast<double>(group.count)),
                   std::string(to_string(group.reason)), group.example});
  }
  return table;
}

std::vector<std::string> flip_lines(const Recommendation& r) {
  std::vector<std::string> lines;
  for (const FlipPoint& flip : r.flips) {
    lines.push_back(fmt::format(
        "{} {} {} (now {}): {}", flip.what, flip.flips_at > flip.now ? "above" : "below",
        human_number(flip.flips_at), human_number(flip.now), flip.winner_after));
  }
  return lines;
}

std::vector<std::string> relaxation_lines(const Recommendation& r) {
  std::vector<std::string> lines;
  for (const Relaxation& x : r.relaxations) {
    lines.push_back(x.now > 0 ? fmt::format("{} {} instead of {}: {}", x.what,
                                            human_number(x.needed), human_number(x.now), x.plan)
                              : fmt::format("without {}: {}", x.what, x.plan));
  }
  return lines;
}

std::vector<std::string> excess_lines(const Plan& plan) {
  std::vector<std::string> lines;
  for (const Excess& e : plan.over_provisioned) {
    const double factor = e.have > e.need ? e.have / e.need : e.need / e.have;
    lines.push_back(fmt::format("{}: {} against {} needed ({:.1f}x)", e.what, human_number(e.have),
                                human_number(e.need), factor));
  }
  return lines;
}

std::vector<std::string> kernel_lines(const Recommendation& r) {
  std::vector<std::string> lines;
  for (const KernelOpportunity& k : r.kernels) {
    const registry::Performance& p = k.performance;
    const std::string measured =
        fmt::format("{} against {}, {}, on {}", registry::ratio_text(p.ratio, p.lower, p.upper),
                    p.baseline, p.timing, r.plans.front().candidate.layout.gpu->name);
    lines.push_back(fmt::format("{} in {}: {} ({}-level evidence; {} {} {:.0f}% of a step): {}",
                                k.op, k.dtype, measured, name_of(k.evidence_level),
                                fmt::join(k.parts, ", "), k.parts.size() == 1 ? "is" : "are",
                                100 * k.share_of_step, k.kernel));
  }
  return lines;
}

std::string executive_summary(const Recommendation& r) {
  const Plan& plan = r.plans.front();
  const Layout& l = plan.candidate.layout;
  std::string text = fmt::format(
      "Serve {} with {} on {} {}{}: {} a month, {} per million output tokens.", l.model->title,
      l.engine->title, plan.gpu_count, l.gpu->title, plan.gpu_count == 1 ? "" : " GPUs",
      human_usd(plan.cost.usd_per_month), human_usd(plan.cost.usd_per_mtok_output));
  text += fmt::format(" 95% of the requests see their first token within {} ms",
                      human_number(plan.at_load.ttft_ms.p95));
  if (r.workload.osl_tokens.mean() > 1) {
    text += fmt::format(" and then a token every {} ms or faster",
                        human_number(plan.at_load.tpot_ms.p95));
  }
  const Accuracy& a = plan.accuracy;
  text += fmt::format("; these are predictions ({}).", to_string(a.provenance));
  if (a.level > 0) {
    text += fmt::format(
        " On systems left out of the fit, {:.0f} of 100 measurements of the mean "
        "token time fell between {:.2f} and {:.2f} times the prediction.",
        100 * a.level, a.tpot_lo, a.tpot_hi);
  }
  if (plan.max_rate_at_slo > plan.offered_rps * 1.05) {
    text += fmt::format(" It carries up to {} requests/s within the SLO, {} are asked.",
                        human_number(plan.max_rate_at_slo), human_number(plan.offered_rps));
  }
  return text;
}

}  // namespace tensorpath::advise
