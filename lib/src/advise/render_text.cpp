#include "render.h"

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace {

constexpr int kDefaultWidth = 100;

void add_lines(std::string& out, const std::string& title, const std::vector<std::string>& lines,
               int width) {
  if (lines.empty()) return;
  out += title + "\n";
  for (const std::string& line : lines) {
    std::string wrapped = wrap_text(line, width - 4, 4);
    wrapped[2] = '-';
    out += wrapped;
    if (out.back() != '\n') out += '\n';
  }
}

std::string load_text(const Workload& w) {
  switch (w.arrivals.kind) {
    case Arrivals::Kind::kClosed:
      return fmt::format("{} in flight", human_number(w.arrivals.concurrency));
    case Arrivals::Kind::kAllAtOnce:
      return fmt::format("{} requests at once", human_number(w.arrivals.count));
    default:
      return w.arrivals.rate_rps > 0
                 ? fmt::format("{} requests/s", human_number(w.arrivals.rate_rps))
                 : "as much as the owned GPUs carry";
  }
}

void add_winner(std::string& out, const Recommendation& r, int width) {
  const Plan& plan = r.plans.front();
  const Accuracy& a = plan.accuracy;
  out += fmt::format("\nBest: {}\n", short_name(plan.candidate));
  std::vector<std::string> lines{advise::gpus_text(plan)};
  lines.push_back("TTFT mean " +
                  advise::banded(plan.at_load.ttft_ms.mean, a.ttft_lo, a.ttft_hi, a) + " ms, p95 " +
                  human_number(plan.at_load.ttft_ms.p95));
  if (r.workload.osl_tokens.mean() > 1) {
    lines.push_back("TPOT mean " +
                    advise::banded(plan.at_load.tpot_ms.mean, a.tpot_lo, a.tpot_hi, a) +
                    " ms, p95 " + human_number(plan.at_load.tpot_ms.p95));
  }
  lines.push_back(fmt::format(
      "{} a month; {} per million output tokens ({} at SLO capacity); {} and {:.2g} kWh per "
      "successful task",
      human_usd(plan.cost.usd_per_month), human_usd(plan.cost.usd_per_mtok_output),
      human_usd(plan.cost.usd_per_mtok_output_at_capacity),
      human_usd(plan.cost.usd_per_successful_task), plan.cost.kwh_per_successful_task));
  lines.push_back(fmt::format("carries {} requests/s within the SLO; KV cache {} tokens a replica",
                              human_number(plan.max_rate_at_slo),
                              human_number(plan.memory.kv_capacity_tokens)));
  add_lines(out, "", lines, width);
}

std::string render_nothing(const Recommendation& r, int width) {
  std::string out = fmt::format("No plan fits {} ({} layouts looked at).\n", r.workload.name,
                                human_number(static_cast<double>(r.considered)));
  out += "\n" + advise::rejection_table(r).to_terminal(width);
  std::vector<std::string> near;
  for (const Plan& plan : r.near_misses) {
    near.push_back(
        fmt::format("{}: {} a month", short_name(plan), human_usd(plan.cost.usd_per_month)));
  }
  add_lines(out, "\nNear misses, over the budget but not twice:", near, width);
  const auto relaxed = advise::relaxation_lines(r);
  const bool together = !r.relaxations.empty() && r.relaxations.front().together;
  add_lines(
      out,
      together ? "\nWhat would fit, changing all of:" : "\nWhat would fit, changing one thing:",
      relaxed, width);
  if (relaxed.empty() && r.relaxations_tried) {
    out += "\nNo change of the constraints makes anything fit.\n";
  }
  return out;
}

void add_engineer(std::string& out, const Recommendation& r, int width) {
  const Plan& plan = r.plans.front();
  add_lines(out, "\nOver-provisioned:", advise::excess_lines(plan), width);
  add_lines(out, "\nAnother plan takes over at:", advise::flip_lines(r), width);
  out += "\n" + advise::rejection_table(r).to_terminal(width);
  if (!r.pareto.empty()) {
    out += "\nPareto front, tok/s per GPU over tok/s per user:\n";
    out += pareto_plot(r.pareto, std::min(width, 78), 14);
  }
  add_lines(out, "\nAssumed:", r.assumptions, width);
}

}  // namespace

std::string render_text(const Recommendation& r, Detail detail, int width) {
  if (width <= 0) width = kDefaultWidth;
  std::string out;
  if (r.plans.empty()) {
    out = render_nothing(r, width);
  } else if (detail == Detail::kExecutive) {
    out = wrap_text(advise::executive_summary(r), width);
    if (out.back() != '\n') out += '\n';
  } else {
    out = wrap_text(
        fmt::format("{} ({}), {}, priority {}: {} of {} layouts meet every constraint.",
                    r.workload.name, r.workload.type, load_text(r.workload),
                    to_string(r.workload.priority), human_number(static_cast<double>(r.feasible)),
                    human_number(static_cast<double>(r.considered))),
        width);
    if (out.back() != '\n') out += '\n';
    out += "\n" + advise::plan_table(r).to_terminal(width);
    out += wrap_text("TTFT and TPOT are p50/p95; repl is replicas x GPUs per replica.", width);
    if (out.back() != '\n') out += '\n';
    add_winner(out, r, width);
    add_lines(out, "\nWhy:", r.plans.front().why, width);
    add_lines(out, fmt::format("\n{}:", advise::kKernelsTitle), advise::kernel_lines(r), width);
    if (detail == Detail::kEngineer) add_engineer(out, r, width);
  }
  std::vector<std::string> answers;
  for (const WhyNot& w : r.why_not) answers.push_back(w.asked + ": " + w.answer);
  add_lines(out, "\nWhy not:", answers, width);
  return out;
}

}  // namespace tensorpath
