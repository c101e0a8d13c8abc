// The facts of a plan that mappings may name. They are listed in tensorpath-deploy(1).
#include "launch.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

double divided_up(std::int64_t value, int parts) {
  const std::int64_t whole = (value + parts - 1) / parts;
  return static_cast<double>(whole);
}

double rounded(double value, double step) { return std::round(value / step) * step; }

// A symmetric uniform range with the same mean and variance: half-width r x mean has variance
// (r x mean)^2 / 3. Past 0.9 the shortest requests would vanish.
double uniform_range(double cv) {
  return std::clamp(rounded(std::sqrt(3.0) * cv, 0.001), 0.0, 0.9);
}

std::string goodput_words(const BenchLoad& load) {
  std::string words;
  const auto add = [&words](const char* name, const std::optional<double>& value) {
    if (value) words += fmt::format("{}{}:{}", words.empty() ? "" : " ", name, *value);
  };
  add("ttft", load.goodput_ttft_ms);
  add("tpot", load.goodput_tpot_ms);
  add("e2el", load.goodput_e2e_ms);
  return words;
}

double expected_e2e_ms(const PlanPoint& point) {
  const auto e2e = point.metrics.is_object() ? point.metrics.find("e2e_ms") : point.metrics.end();
  if (e2e == point.metrics.end() || !e2e->is_object()) return 0;
  const auto mean = e2e->find("mean");
  return mean != e2e->end() && mean->is_number() ? mean->get<double>() : 0;
}

// What is loaded: model, weights, KV cache and draft.
void add_model_facts(const PlanPoint& point, const WeightsReference& weights, const Gpu& gpu,
                     Facts& facts) {
  const bool mla = point.model != nullptr && point.model->attention.is_mla();
  facts.set("model", weights.argument);
  facts.set("model_on_hub", weights.on_hub);
  facts.set("tokenizer", weights.original);
  facts.set("tokenizer_family", point.model == nullptr ? std::string() : point.model->tokenizer);
  facts.set("quantise_online", weights.quantise_online);
  facts.set("weight_format", point.weight_format);
  facts.set("kv_format", point.kv_format);
  facts.set("mla", mla);
  facts.set("blackwell_mla", mla && (gpu.architecture == "sm_100" || gpu.architecture == "sm_103"));
  facts.set("moe", point.model != nullptr && point.model->moe.experts > 0);
  facts.set("gated", point.gated);
  facts.set("kv_transfer", point.kv_transfer);

  facts.set("spec", point.spec.method);
  facts.set("draft_tokens", point.spec.draft_tokens);
  facts.set("draft_tokens_and_one", point.spec.draft_tokens + 1);
  facts.set("draft_repo",
            point.spec.draft_repo.empty() ? kDraftPlaceholder : point.spec.draft_repo);
}

}  // namespace

int bench_concurrency(const PlanPoint& point) {
  const BenchLoad& load = point.load;
  double in_flight = load.concurrency;
  if (in_flight <= 0) in_flight = load.rate_rps * expected_e2e_ms(point) / 1000;  // Little's law
  const double most = static_cast<double>(point.serve.max_batch) * point.serve.replicas;
  if (in_flight <= 0) in_flight = most;
  // No client holds more open; it bounds what an untrusted plan can ask for, too.
  constexpr double kMostInFlight = 1e6;
  return static_cast<int>(
      std::clamp(std::ceil(in_flight), 1.0, std::clamp(most, 1.0, kMostInFlight)));
}

Facts pool_facts(const PlanPoint& point, const ReleaseMapping& mapping,
                 const WeightsReference& weights, const Pool& pool, const std::string& role) {
  Facts facts;
  const Gpu& gpu = *pool.gpu;
  facts.set("vendor", gpu.vendor);
  facts.set("architecture", gpu.architecture);
  facts.set("gpu", gpu.name);
  facts.set("gpus", pool.gpus_per_replica);
  facts.set("nodes", pool.nodes());
  facts.set("replicas", pool.replicas);
  facts.set("role", role);
  facts.set("tp", pool.tp);
  facts.set("pp", pool.pp);
  facts.set("ep", pool.ep);
  facts.set("attn_dp", pool.attn_dp);
  facts.set("group", pool.group());
  facts.set("ep_partial", pool.ep > 1 && pool.ep < pool.group());
  facts.set("beyond_tp_and_pp", pool.ep > 1 || pool.attn_dp > 1);
  facts.set("worker_node", false);

  // A step must hold one token of every running request, and without chunking a whole prompt.
  std::int64_t step_tokens = std::max(pool.max_batched_tokens, pool.max_batch);
  if (!point.chunked_prefill) {
    step_tokens = std::max(step_tokens, std::int64_t{point.max_context_tokens} * pool.attn_dp);
  }
  facts.set("max_batch", pool.max_batch);
  facts.set("rank_batch", divided_up(pool.max_batch, pool.attn_dp));
  facts.set("max_batched_tokens", static_cast<double>(step_tokens));
  facts.set("rank_batched_tokens", divided_up(step_tokens, pool.attn_dp));
  facts.set("max_context_tokens", point.max_context_tokens);
  facts.set("context_total", static_cast<double>(point.max_context_tokens) * pool.max_batch);
  facts.set("memory_fraction", point.engine->defaults_on(gpu).memory_fraction);
  facts.set("chunked_prefill", point.chunked_prefill);
  facts.set("prefix_cache", point.prefix_cache);

  add_model_facts(point, weights, gpu, facts);
  facts.set("port", mapping.port);
  add_table_facts(mapping, facts);
  return facts;
}

void add_bench_facts(const PlanPoint& point, bool closed, Facts& facts) {
  const BenchLoad& load = point.load;
  const int in_flight = bench_concurrency(point);
  const bool closed_loop = closed || load.rate_rps <= 0;
  const double isl_range = closed ? 0 : uniform_range(load.isl_cv);
  const double osl_range = closed ? 0 : uniform_range(load.osl_cv);
  const double common = rounded((isl_range + osl_range) / 2, 0.001);
  const double isl = std::round(load.isl_mean);
  const double osl = std::round(load.osl_mean);
  const double prefix = closed ? 0 : std::round(load.prefix_tokens);
  facts.set("closed_loop", closed_loop);
  facts.set("bench_isl", isl);
  facts.set("bench_osl", osl);
  facts.set("bench_prefix", prefix);
  facts.set("bench_isl_own", std::max(1.0, isl - prefix));
  // The range holds for the tokens after the shared prefix alone, so it grows to keep the variance.
  facts.set("isl_range",
            std::min(0.9, rounded(isl_range * isl / std::max(1.0, isl - prefix), 0.001)));
  facts.set("osl_range", osl_range);
  facts.set("common_range", common);
  facts.set("lengths_vary", isl_range > 0 || osl_range > 0);
  facts.set("range_from_most", rounded((1 - common) / (1 + common), 0.001));
  facts.set("bench_isl_most", std::round(isl * (1 + common)));
  facts.set("bench_osl_most", std::round(osl * (1 + common)));
  facts.set("bench_concurrency", in_flight);
  facts.set("bench_rate", load.rate_rps);
  facts.set("burstiness", rounded(1 / (load.arrival_cv * load.arrival_cv), 0.001));
  facts.set("goodput", goodput_words(load));
  facts.set("bench_context", (isl + osl) * in_flight);
  // Closed loop: 10 x the concurrency after 2 x warm-ups, as the published measurements did.
  // Open: two minutes, at least the 400 requests that a p95 wants (20 / (1 - p)), at most 5,000.
  const double prompts = closed_loop ? std::max(20.0, 10.0 * in_flight)
                                     : std::clamp(std::ceil(120 * load.rate_rps), 400.0, 5000.0);
  facts.set("bench_prompts", prompts);
  facts.set("bench_warmups", std::min(2 * in_flight, 256));
}

}  // namespace tensorpath::deploy
