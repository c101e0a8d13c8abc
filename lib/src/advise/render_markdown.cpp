#include "render.h"

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace {

void add_list(std::string& out, const std::string& title, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out += "\n## " + title + "\n\n";
  for (const std::string& line : lines) out += "- " + line + "\n";
}

Table accuracy_table(const Recommendation& r) {
  using Align = Column::Align;
  Table table({{"#", Align::kRight},
               {"TTFT mean ms [band]", Align::kLeft},
               {"TPOT mean ms [band]", Align::kLeft},
               {"basis", Align::kLeft}});
  int rank = 0;
  for (const Plan& plan : r.plans) {
    const Accuracy& a = plan.accuracy;
    table.add_row({std::to_string(++rank),
                   advise::banded(plan.at_load.ttft_ms.mean, a.ttft_lo, a.ttft_hi, a),
                   advise::banded(plan.at_load.tpot_ms.mean, a.tpot_lo, a.tpot_hi, a), a.basis});
  }
  return table;
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

}  // namespace

std::string plans_csv(const Recommendation& r) {
  Table table({{"workload"},
               {"rank"},
               {"model"},
               {"gpu"},
               {"gpu_count"},
               {"replicas"},
               {"engine"},
               {"weight_format"},
               {"kv_format"},
               {"tp"},
               {"pp"},
               {"ep"},
               {"attn_dp"},
               {"ttft_ms_mean"},
               {"ttft_ms_p50"},
               {"ttft_ms_p95"},
               {"tpot_ms_mean"},
               {"tpot_ms_p50"},
               {"tpot_ms_p95"},
               {"output_tok_s"},
               {"max_rate_at_slo"},
               {"usd_per_month"},
               {"usd_per_mtok_output"},
               {"score"},
               {"provenance"}});
  int rank = 0;
  for (const Plan& p : r.plans) {
    const Layout& l = p.candidate.layout;
    const LatencyStat& ttft = p.at_load.ttft_ms;
    const LatencyStat& tpot = p.at_load.tpot_ms;
    table.add_row({r.workload.name,
                   std::to_string(++rank),
                   l.model->name,
                   l.gpu->name,
                   std::to_string(p.gpu_count),
                   std::to_string(p.replicas),
                   l.engine->name,
                   l.weight->name,
                   l.kv->name,
                   std::to_string(l.tp),
                   std::to_string(l.pp),
                   std::to_string(l.ep),
                   std::to_string(l.attn_dp),
                   number(ttft.mean),
                   number(ttft.p50),
                   number(ttft.p95),
                   number(tpot.mean),
                   number(tpot.p50),
                   number(tpot.p95),
                   number(p.output_tok_s),
                   number(p.max_rate_at_slo),
                   number(p.cost.usd_per_month),
                   number(p.cost.usd_per_mtok_output),
                   number(p.scores.total),
                   std::string(to_string(p.accuracy.provenance))});
  }
  return table.to_csv();
}

std::string render_markdown(const Recommendation& r, Detail detail) {
  std::string out = fmt::format("# {}\n\n", r.workload.name);
  if (r.plans.empty()) {
    out += "No plan fits.\n";
    std::vector<std::string> near;
    for (const Plan& plan : r.near_misses) {
      near.push_back(short_name(plan) + ": " + human_usd(plan.cost.usd_per_month) + " a month");
    }
    add_list(out, "Near misses (over the budget, up to twice)", near);
    const bool together = !r.relaxations.empty() && r.relaxations.front().together;
    add_list(out,
             together ? "What would fit, changing all of" : "What would fit, changing one thing",
             advise::relaxation_lines(r));
    out += "\n## Rejected\n\n" + advise::rejection_table(r).to_markdown();
    return out;
  }
  out += advise::executive_summary(r) + "\n";
  if (detail == Detail::kExecutive) return out;
  out += "\n## Plans\n\n" + advise::plan_table(r).to_markdown();
  out += "\nGPUs of the first: " + advise::gpus_text(r.plans.front()) + ".\n";
  add_list(out, "Why the first", r.plans.front().why);
  add_list(out, advise::kKernelsTitle, advise::kernel_lines(r));
  out += "\n## How far off this may be\n\n" + accuracy_table(r).to_markdown();
  if (detail == Detail::kBrief) return out;
  add_list(out, "Over-provisioned", advise::excess_lines(r.plans.front()));
  add_list(out, "Another plan takes over at", advise::flip_lines(r));
  if (!r.pareto.empty()) {
    out += "\n## Pareto front\n\n";
    Table front({{"tok/s/user", Column::Align::kRight},
                 {"tok/s/GPU", Column::Align::kRight},
                 {"$/Mtok output", Column::Align::kRight},
                 {"plan", Column::Align::kLeft}});
    for (const ParetoPoint& p : r.pareto) {
      front.add_row({human_number(p.tok_s_user), human_number(p.tok_s_gpu),
                     human_usd(p.usd_per_mtok_output), p.plan});
    }
    out += front.to_markdown();
  }
  out += "\n## Rejected\n\n" + advise::rejection_table(r).to_markdown();
  std::vector<std::string> answers;
  for (const WhyNot& w : r.why_not) answers.push_back(w.asked + ": " + w.answer);
  add_list(out, "Why not", answers);
  add_list(out, "Assumed", r.assumptions);
  return out;
}

}  // namespace tensorpath
