#include "explain.h"

#include "catalog/names.h"
#include "score.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <tensorpath/economics.h>

namespace tensorpath::advise {
namespace {

// A factor of two is what a doubling score calls one step.
constexpr double kExcessFactor = 2;
// Requests queue for KV blocks well before the last one is taken.
constexpr double kKvFull = 0.9;

// An engine step of the plan's steady state: with a prompt's chunk in it, or decoding only.
StepLoad step_of(const Plan& plan, const Workload& workload, bool with_prefill) {
  const double context = workload.mean_prompt_tokens() + 0.5 * workload.osl_tokens.mean();
  StepLoad load;
  load.decode_requests = std::max(1.0, plan.at_load.in_flight);
  load.decode_kv_tokens = load.decode_requests * context;
  if (workload.osl_tokens.mean() <= 1) load.decode_requests = load.decode_kv_tokens = 0;
  if (!with_prefill) return load;
  const double fresh = workload.mean_prompt_tokens() * (1 - workload.prefix_hit_rate());
  load.prefill_tokens = std::min<double>(fresh, plan.candidate.max_batched_tokens);
  load.prefill_context_tokens = workload.mean_prompt_tokens() * workload.prefix_hit_rate() +
                                0.5 * std::max(0.0, fresh - load.prefill_tokens);
  return load;
}

// Share of the steps that carry prompt tokens: chunks that arrive per second times a step's time.
double prefill_step_share(const Plan& plan, const Workload& workload) {
  if (plan.candidate.disaggregated) return 0;
  if (workload.osl_tokens.mean() <= 1) return 1;
  const double fresh = workload.mean_prompt_tokens() * (1 - workload.prefix_hit_rate());
  const double chunks = std::ceil(fresh / std::max(1, plan.candidate.max_batched_tokens));
  return std::min(1.0, plan.at_load.request_rps * chunks * plan.at_load.tpot_ms.mean / 1000);
}

double total_ms(const OperatorShare& op) { return op.prefill_ms + op.decode_ms; }

std::string signed_part(const char* name, double difference) {
  return fmt::format("{} {:+.2f}", name, difference);
}

// "cost +0.35, latency -0.10": weighted differences, largest first.
std::string difference_text(const Plan& a, const Plan& b, const ScoreWeights& w) {
  std::vector<std::pair<double, const char*>> parts{
      {w.latency * (a.scores.latency - b.scores.latency), "latency"},
      {w.throughput * (a.scores.throughput - b.scores.throughput), "throughput"},
      {w.cost * (a.scores.cost - b.scores.cost), "cost"},
      {w.quality * (a.scores.quality - b.scores.quality), "quality"},
      {w.simplicity * (a.scores.simplicity - b.scores.simplicity), "simplicity"},
      {a.scores.preference - b.scores.preference, "preference"}};
  std::stable_sort(parts.begin(), parts.end(), [](const auto& x, const auto& y) {
    return std::abs(x.first) > std::abs(y.first);
  });
  std::string text;
  for (const auto& [difference, name] : parts) {
    if (std::abs(difference) < 0.005) continue;
    if (!text.empty()) text += ", ";
    text += signed_part(name, difference);
  }
  return text.empty() ? "nothing that counts" : text;
}

void headroom(std::vector<std::string>& why, const char* name, const char* percentile,
              const std::optional<double>& bound, double value) {
  if (!bound || !std::isfinite(value)) return;
  why.push_back(fmt::format("{} {} {} ms against {} ms asked", name, percentile,
                            human_number(value), human_number(*bound)));
}

void superlatives(std::vector<Plan>& plans) {
  const auto best = [&](auto value) {
    return std::min_element(plans.begin(), plans.end(),
                            [&](const Plan& a, const Plan& b) { return value(a) < value(b); });
  };
  best([](const Plan& p) {
    return p.cost.usd_per_month;
  })->why.emplace_back("the cheapest of the plans shown");
  best([](const Plan& p) {
    return p.at_load.e2e_ms.p95;
  })->why.emplace_back("the fastest of the plans shown (E2E p95)");
  best([](const Plan& p) {
    return -p.output_tok_s_at_capacity / p.gpu_count;
  })->why.emplace_back("the most tokens per GPU of the plans shown, at its SLO capacity");
}

}  // namespace

std::string_view bottleneck_name(const std::string& bound_by) {
  if (bound_by == "compute") return to_string(Bottleneck::kCompute);
  if (bound_by == "hbm") return to_string(Bottleneck::kHbmBandwidth);
  if (bound_by == "link") return to_string(Bottleneck::kCollectives);
  return to_string(Bottleneck::kScheduler);
}

void find_bottleneck(Plan& plan, const Workload& workload, const Calibration& calibration) {
  std::map<std::string, double> share_by_bound;
  for (const OperatorShare& op : operator_breakdown(plan, workload, calibration)) {
    share_by_bound[op.bound_by] += op.share;
  }
  double share = 0;
  for (const auto& [bound, part] : share_by_bound) {
    if (part <= share) continue;
    share = part;
    plan.bottleneck = bottleneck_name(bound);
  }
  const double kv = plan.memory.kv_capacity_tokens;
  if (kv > 0 && !plan.candidate.disaggregated && plan.at_load.kv_tokens > kKvFull * kv) {
    plan.bottleneck = to_string(Bottleneck::kKvCapacity);
  }
  plan.amdahl_bound = share < 1 ? 1 / (1 - share) : share;
  // Tools on the CPU: no engine change reaches their part of a turn.
  const double gpu_s = plan.at_load.e2e_ms.mean / 1000;
  if (workload.session.tool_cpu_s > gpu_s) {
    plan.bottleneck = to_string(Bottleneck::kCpuTools);
    const double cpu = workload.session.tool_cpu_s;
    plan.amdahl_bound = (gpu_s + cpu) / gpu_s;
  }
}

std::vector<Excess> over_provisioned(const Plan& plan, const Workload& workload) {
  std::vector<Excess> out;
  if (workload.arrivals.open() && workload.arrivals.rate_rps > 0 &&
      plan.max_rate_at_slo > kExcessFactor * plan.offered_rps) {
    out.push_back({"requests/s at the SLO", plan.max_rate_at_slo, plan.offered_rps});
  }
  const double kv_needed = std::max(plan.at_load.kv_tokens, workload.max_context_tokens);
  if (!plan.candidate.disaggregated && plan.memory.kv_capacity_tokens > 4 * kv_needed) {
    out.push_back({"KV-cache tokens", plan.memory.kv_capacity_tokens, kv_needed});
  }
  const auto spare_latency = [&](const char* name, const std::optional<double>& bound, double p95) {
    if (bound && p95 > 0 && *bound > kExcessFactor * p95) out.push_back({name, p95, *bound});
  };
  spare_latency("TTFT p95 ms", workload.slo.ttft_ms.p95, plan.at_load.ttft_ms.p95);
  spare_latency("TPOT p95 ms", workload.slo.tpot_ms.p95, plan.at_load.tpot_ms.p95);
  return out;
}

void explain(std::vector<Plan>& plans, const Workload& workload) {
  if (plans.empty()) return;
  const ScoreWeights weights = weights_of(workload.priority);
  for (std::size_t i = 0; i < plans.size(); ++i) {
    Plan& plan = plans[i];
    if (plans.size() > 1) {
      const Plan& other = plans[i == 0 ? 1 : 0];
      plan.why.push_back(fmt::format(
          "{} {} by {:.2f} ({})", i == 0 ? "ahead of" : "behind", short_name(other),
          std::abs(plan.scores.total - other.scores.total), difference_text(plan, other, weights)));
    }
    headroom(plan.why, "TTFT", "p95", workload.slo.ttft_ms.p95, plan.at_load.ttft_ms.p95);
    headroom(plan.why, "TPOT", "p95", workload.slo.tpot_ms.p95, plan.at_load.tpot_ms.p95);
    headroom(plan.why, "E2E", "p95", workload.slo.e2e_ms.p95, plan.at_load.e2e_ms.p95);
    if (plan.accuracy.provenance == Provenance::kModeled) {
      plan.why.push_back(fmt::format("modeled: no measurement of {} on {} like this is in the fit",
                                     plan.candidate.layout.engine->name,
                                     plan.candidate.layout.gpu->name));
    }
    if (std::isfinite(plan.amdahl_bound)) {
      plan.why.push_back(fmt::format("bound by {}: without it a step could be {:.2f}x as fast",
                                     plan.bottleneck, plan.amdahl_bound));
    }
  }
  superlatives(plans);
}

std::vector<std::string> assumptions_of(const Workload& workload, const std::vector<Plan>& plans,
                                        const Catalog& catalog) {
  std::vector<std::string> out = workload.filled;
  std::set<std::string> seen;
  const auto once = [&](std::string text) {
    if (seen.insert(text).second) out.push_back(std::move(text));
  };
  for (const Plan& plan : plans) {
    const Layout& layout = plan.candidate.layout;
    once(fmt::format("price of {}: {} a GPU-hour ({}){}", layout.gpu->name,
                     human_usd(plan.cost.usd_per_gpu_hour), plan.cost.price_source,
                     plan.cost.price_is_old ? ", old" : ""));
    if (layout.weight->name != layout.model->native_format) {
      once(fmt::format("quality of {}: {:.2f} ({})", layout.weight->name, layout.weight->quality,
                       to_string(layout.weight->quality_provenance)));
    }
    if (plan.candidate.spec.method != "none") {
      once(fmt::format("speculative decoding ({}): {:.2f} tokens a step accepted",
                       plan.candidate.spec.method, plan.candidate.spec.accepted_tokens_per_step));
    }
    if (plan.candidate.disaggregated) {
      once("disaggregated plans come from an uncalibrated closed form");
    }
  }
  const auto& prices = catalog.prices();
  if (workload.cost.region != "any" &&
      std::none_of(prices.begin(), prices.end(), [&](const Price& p) {
        return catalog::name_key(p.region) == catalog::name_key(workload.cost.region);
      })) {
    once(fmt::format("no price is for the region {}: offers of any region are taken",
                     workload.cost.region));
  }
  const Model* counted_in =
      workload.tokens_of.empty() ? nullptr : catalog.find_model(workload.tokens_of);
  for (const std::string& name : workload.models) {
    const Model* model = catalog.find_model(name);
    if (counted_in && model && model->tokenizer != counted_in->tokenizer) {
      once(
          fmt::format("DIFFERENT_TOKENIZER: lengths are counted in {} tokens and used for {} as "
                      "they are",
                      counted_in->name, model->name));
    }
  }
  return out;
}

}  // namespace tensorpath::advise

namespace tensorpath {

std::vector<OperatorShare> operator_breakdown(const Plan& plan, const Workload& workload,
                                              const Calibration& calibration) {
  const Layout& layout = plan.candidate.layout;
  const double mixed = advise::prefill_step_share(plan, workload);
  auto operators = breakdown(layout, calibration, advise::step_of(plan, workload, true));
  const auto decoding = breakdown(layout, calibration, advise::step_of(plan, workload, false));
  double step_ms = 0;
  for (OperatorShare& op : operators) {
    const auto same = std::find_if(decoding.begin(), decoding.end(),
                                   [&](const OperatorShare& d) { return d.name == op.name; });
    OperatorShare other = same == decoding.end() ? OperatorShare{} : *same;
    // What bounds the operator is what bounds it where most of its time goes.
    if (advise::total_ms(other) * (1 - mixed) > advise::total_ms(op) * mixed) {
      op.bound_by = other.bound_by;
    }
    op.calls = op.calls * mixed + other.calls * (1 - mixed);
    op.prefill_ms = op.prefill_ms * mixed + other.prefill_ms * (1 - mixed);
    op.decode_ms = op.decode_ms * mixed + other.decode_ms * (1 - mixed);
    step_ms += advise::total_ms(op);
  }
  for (OperatorShare& op : operators) op.share = step_ms > 0 ? advise::total_ms(op) / step_ms : 0;
  std::stable_sort(operators.begin(), operators.end(),
                   [](const auto& a, const auto& b) { return a.share > b.share; });
  return operators;
}

}  // namespace tensorpath
