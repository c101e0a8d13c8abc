// Recommendations and plans as JSON: tensorpath-plan(5) is the contract.
#include "search_space.h"

#include <cmath>

#include <fmt/format.h>

#include <tensorpath/advise.h>
#include <tensorpath/version.h>

namespace tensorpath {
namespace {

Json band_json(double value, double lo_ratio, double hi_ratio, const Accuracy& accuracy,
               const char* of) {
  if (accuracy.level <= 0 || !std::isfinite(value)) return nullptr;
  return Json{{"level", accuracy.level},
              {"lo", json_number(value * lo_ratio)},
              {"hi", json_number(value * hi_ratio)},
              {"of", of}};
}

Json latency_json(const LatencyStat& stat, double lo_ratio, double hi_ratio,
                  const Accuracy& accuracy) {
  return Json{{"mean", json_number(stat.mean)},
              {"p50", json_number(stat.p50)},
              {"p95", json_number(stat.p95)},
              {"provenance", to_string(accuracy.provenance)},
              {"band", band_json(stat.mean, lo_ratio, hi_ratio, accuracy, "mean")}};
}

Json rate_json(double value, const Accuracy& accuracy, Json band) {
  return Json{{"value", json_number(value)},
              {"provenance", to_string(accuracy.provenance)},
              {"band", std::move(band)}};
}

// A rate that the user's arrivals fix has no band of its own; one that the engine's speed fixes has
// TPOT's, upside down.
Json metrics_json(const Plan& plan, const Workload& workload) {
  const Accuracy& a = plan.accuracy;
  const double lo = a.tpot_hi > 0 ? 1 / a.tpot_hi : 0;
  const double hi = a.tpot_lo > 0 ? 1 / a.tpot_lo : 0;
  const bool fixed = workload.arrivals.open() && workload.arrivals.rate_rps > 0;
  const auto banded = [&](double value) {
    return rate_json(value, a, fixed ? Json(nullptr) : band_json(value, lo, hi, a, "mean"));
  };
  const bool decodes = workload.osl_tokens.mean() > 1;
  Json out;
  out["ttft_ms"] = latency_json(plan.at_load.ttft_ms, a.ttft_lo, a.ttft_hi, a);
  out["tpot_ms"] =
      decodes ? latency_json(plan.at_load.tpot_ms, a.tpot_lo, a.tpot_hi, a) : Json(nullptr);
  // E2E is both: its band is the wider of the two, which is TTFT's on every group measured.
  out["e2e_ms"] = latency_json(plan.at_load.e2e_ms, std::min(a.ttft_lo, a.tpot_lo),
                               std::max(a.ttft_hi, a.tpot_hi), a);
  out["output_tok_s"] = banded(plan.output_tok_s);
  out["tok_s_gpu"] = banded(plan.output_tok_s / std::max(1, plan.gpu_count));
  out["tok_s_user"] =
      decodes ? rate_json(plan.tok_s_user, a, band_json(plan.tok_s_user, lo, hi, a, "mean"))
              : Json(nullptr);
  out["goodput_rps"] = banded(plan.goodput_rps);
  return out;
}

Json cost_json(const PlanCost& cost) {
  return Json{
      {"usd_per_hour", json_number(cost.usd_per_hour)},
      {"usd_per_month", json_number(cost.usd_per_month)},
      {"usd_per_mtok_output", json_number(cost.usd_per_mtok_output)},
      {"usd_per_mtok_total", json_number(cost.usd_per_mtok_total)},
      {"usd_per_mtok_output_at_capacity", json_number(cost.usd_per_mtok_output_at_capacity)},
      {"usd_per_mtok_total_at_capacity", json_number(cost.usd_per_mtok_total_at_capacity)},
      {"usd_per_successful_task", json_number(cost.usd_per_successful_task)},
      {"kwh_per_successful_task", json_number(cost.kwh_per_successful_task)},
      {"usd_per_gpu_hour", json_number(cost.usd_per_gpu_hour)},
      {"billed_gpus", cost.billed_gpus},
      {"price_source", cost.price_source},
      {"price_is_old", cost.price_is_old}};
}

Json scores_json(const Scores& s) {
  return Json{{"latency", json_number(s.latency)},
              {"throughput", json_number(s.throughput)},
              {"cost", json_number(s.cost)},
              {"quality", json_number(s.quality)},
              {"simplicity", json_number(s.simplicity)},
              {"preference", json_number(s.preference)},
              {"total", json_number(s.total)}};
}

std::string how_to_quantise(const Format& format) {
  if (format.name == "awq_4" || format.name == "gptq_4" || format.name == "int8") {
    return "quantise with llm-compressor and a calibration set of your own prompts";
  }
  if (format.name.rfind("gguf", 0) == 0) {
    return "convert with convert_hf_to_gguf.py, then llama-quantize";
  }
  if (format.name == "nvfp4") return "quantise with TensorRT Model Optimizer (nvfp4)";
  if (format.name.rfind("fp8", 0) == 0) return "quantise with llm-compressor (FP8_DYNAMIC)";
  return "convert the weights with the engine's loader (dtype " + format.name + ")";
}

Json checkpoint_json(const Layout& layout) {
  const Model& model = *layout.model;
  const Format& format = *layout.weight;
  Json out;
  const Checkpoint* known = advise::find_checkpoint(model, format);
  // 16-bit weights are a cast of the original at load time.
  const bool original = format.name == model.native_format || format.bits_per_param >= 16;
  if (known != nullptr) {
    out = {{"repo", known->repo}, {"format", format.name}, {"gated", known->gated}};
    out["quantise"] = nullptr;
  } else if (original && !model.huggingface.empty()) {
    out = {{"repo", model.huggingface}, {"format", model.native_format}, {"gated", model.gated}};
    out["quantise"] = nullptr;
  } else {
    out = {{"repo", nullptr}, {"format", format.name}, {"gated", model.gated}};
    out["quantise"] = how_to_quantise(format) +
                      (model.huggingface.empty() ? std::string() : ", from " + model.huggingface);
  }
  return out;
}

Json spec_json(const Speculation& spec) {
  if (spec.method == "none") return "none";
  return Json{{"method", spec.method},
              {"draft_tokens", spec.draft_tokens},
              {"accepted_tokens_per_step", spec.accepted_tokens_per_step},
              {"draft_repo", nullptr}};
}

Json pool_json(const Layout& layout, const Candidate& candidate, int replicas) {
  return Json{{"gpu", layout.gpu->name},
              {"replicas", replicas},
              {"gpus_per_replica", layout.gpus()},
              {"tp", layout.tp},
              {"pp", layout.pp},
              {"ep", layout.ep},
              {"attn_dp", layout.attn_dp},
              {"max_batch", candidate.max_batch},
              {"max_batched_tokens", candidate.max_batched_tokens}};
}

void add_layout(Json& out, const Plan& plan, const Workload& workload) {
  const Candidate& c = plan.candidate;
  const Layout& l = c.layout;
  out["model"] = l.model->name;
  out["gpu"] = l.gpu->name;
  out["gpu_count"] = plan.gpu_count;
  out["replicas"] = plan.replicas;
  out["gpus_per_replica"] = l.gpus();
  out["engine"] = l.engine->name;
  out["engine_release"] = l.engine->release;
  out["weight_format"] = l.weight->name;
  out["kv_format"] = l.kv->name;
  out["tp"] = l.tp;
  out["pp"] = l.pp;
  out["ep"] = l.ep;
  out["attn_dp"] = l.attn_dp;
  out["max_batch"] = c.max_batch;
  out["max_batched_tokens"] = c.max_batched_tokens;
  out["max_context_tokens"] = static_cast<long>(workload.max_context_tokens);
  out["chunked_prefill"] = c.chunked_prefill;
  out["prefix_cache"] = l.engine->prefix_cache;
  out["spec"] = spec_json(c.spec);
  out["orchestrator"] = c.disaggregated ? "dynamo" : "none";
  out["prefill"] =
      c.disaggregated ? pool_json(c.prefill_layout, c, plan.prefill_replicas) : Json(nullptr);
  out["decode"] = c.disaggregated ? pool_json(l, c, plan.replicas) : Json(nullptr);
  out["kv_transfer"] = c.disaggregated ? Json("nixl") : Json(nullptr);
  out["checkpoint"] = checkpoint_json(l);
}

Json pareto_json(const std::vector<ParetoPoint>& points) {
  Json out = Json::array();
  for (const ParetoPoint& p : points) {
    out.push_back({{"tok_s_user", json_number(p.tok_s_user)},
                   {"tok_s_gpu", json_number(p.tok_s_gpu)},
                   {"usd_per_mtok_output", json_number(p.usd_per_mtok_output)},
                   {"on_throughput_front", p.on_throughput_front},
                   {"on_cost_front", p.on_cost_front},
                   {"plan", p.plan}});
  }
  return out;
}

template <typename List, typename ToJson>
Json array_of(const List& list, ToJson&& one) {
  Json out = Json::array();
  for (const auto& item : list) out.push_back(one(item));
  return out;
}

Json plans_json(const std::vector<Plan>& plans, const Workload& workload) {
  Json out = Json::array();
  int rank = 0;
  for (const Plan& plan : plans) out.push_back(to_json(plan, ++rank, workload));
  return out;
}

Json opportunity_json(const KernelOpportunity& k) {
  const registry::Performance& p = k.performance;
  return Json{{"kernel", k.kernel},
              {"op", k.op},
              {"dtype", k.dtype},
              {"parts", k.parts},
              {"share_of_step", json_number(k.share_of_step, 4)},
              {"evidence_level", name_of(k.evidence_level)},
              {"timing", p.timing},
              {"baseline", p.baseline},
              {"ratio", json_number(p.ratio)},
              {"lower", json_number(p.lower)},
              {"upper", json_number(p.upper)},
              {"in_the_numbers", false}};
}

}  // namespace

Json to_json(const Plan& plan, int rank, const Workload& workload) {
  Json out;
  out["rank"] = rank;
  add_layout(out, plan, workload);
  out["kv_capacity_tokens"] = static_cast<long>(plan.memory.kv_capacity_tokens);
  out["max_rate_at_slo"] = json_number(plan.max_rate_at_slo);
  out["offered_rps"] = json_number(plan.offered_rps);
  out["lengths"] = {{"isl_tokens_mean", json_number(workload.mean_prompt_tokens())},
                    {"osl_tokens_mean", json_number(workload.osl_tokens.mean())},
                    {"prefix_hit_rate", json_number(workload.prefix_hit_rate())}};
  out["expected_concurrency"] = json_number(plan.offered_concurrency, 4);
  out["metrics"] = metrics_json(plan, workload);
  out["accuracy"] = {{"basis", plan.accuracy.basis},
                     {"provenance", to_string(plan.accuracy.provenance)}};
  out["cost"] = cost_json(plan.cost);
  out["quality"] = json_number(plan.quality);
  out["scores"] = scores_json(plan.scores);
  out["bottleneck"] = plan.bottleneck;
  out["amdahl_bound"] = json_number(plan.amdahl_bound, 4);
  out["memory"] = {{"weight_bytes", json_number(plan.memory.weight_bytes, 9)},
                   {"reserve_bytes", json_number(plan.memory.reserve_bytes, 9)},
                   {"kv_bytes", json_number(plan.memory.kv_bytes, 9)},
                   {"kv_bytes_per_token", json_number(plan.memory.kv_bytes_per_token, 9)}};
  out["near_miss"] = plan.near_miss;
  out["measured_profile"] =
      plan.measured_profile.empty() ? Json(nullptr) : Json(plan.measured_profile);
  out["over_provisioned"] = array_of(plan.over_provisioned, [](const Excess& e) {
    return Json{
        {"what", e.what}, {"have", json_number(e.have, 4)}, {"need", json_number(e.need, 4)}};
  });
  out["why"] = plan.why;
  return out;
}

Json to_json(const Recommendation& r) {
  Json out;
  out["schema"] = "tensorpath.plan/v1";
  out["tool"] = {{"name", "tensorpath"}, {"version", kVersion}};
  out["workload"] = to_json(r.workload);
  out["plans"] = plans_json(r.plans, r.workload);
  out["near_misses"] = plans_json(r.near_misses, r.workload);
  out["assumptions"] = r.assumptions;
  out["pareto"] = pareto_json(r.pareto);
  out["rejected"] = array_of(r.rejected, [](const RejectedGroup& g) {
    return Json{{"reason", to_string(g.reason)}, {"count", g.count}, {"example", g.example}};
  });
  out["considered"] = r.considered;
  out["feasible"] = r.feasible;
  out["near_miss_layouts"] = r.over_budget_feasible;
  out["flips"] = array_of(r.flips, [](const FlipPoint& f) {
    return Json{{"what", f.what},
                {"now", json_number(f.now)},
                {"flips_at", json_number(f.flips_at)},
                {"winner_after", f.winner_after}};
  });
  out["relaxations"] = array_of(r.relaxations, [](const Relaxation& x) {
    return Json{{"what", x.what},
                {"now", json_number(x.now)},
                {"needed", json_number(x.needed)},
                {"together", x.together},
                {"plan", x.plan}};
  });
  out["why_not"] = array_of(r.why_not, [](const WhyNot& w) {
    return Json{{"asked", w.asked}, {"answer", w.answer}};
  });
  if (!r.kernels.empty()) out["verified_kernels"] = array_of(r.kernels, opportunity_json);
  return out;
}

}  // namespace tensorpath
