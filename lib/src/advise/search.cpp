#include "search.h"

#include "disaggregate.h"
#include "measured.h"
#include "refine.h"
#include "score.h"
#include "search_space.h"
#include "sizing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

// Enumerated once at the widest; a workload's max_gpus filters later.
constexpr int kWidestReplica = 16;

Family make_family(const Gpu& gpu, const Model& model, const Engine& engine, const Format& weight,
                   const KvFormat& kv, const std::vector<Layout>& layouts,
                   const Calibration& calibration) {
  Family family{&gpu, &engine, &weight, &kv, quality_of(model, weight, kv), {}, 0, {}};
  family.unsupported = unsupported_reason(gpu, model, engine, weight, kv);
  family.layout_count = static_cast<long>(layouts.size());
  if (!family.unsupported.empty()) return family;
  const SchedulerTier defaults = engine.defaults_on(gpu);
  family.layouts.reserve(layouts.size());
  for (Layout layout : layouts) {
    layout.weight = &weight;
    layout.kv = &kv;
    family.layouts.push_back(
        compile_layout(layout, defaults.max_batch, defaults.max_batched_tokens, calibration));
  }
  return family;
}

bool over_budget(const Workload& workload, double usd_per_month_value, double factor) {
  return workload.cost.max_usd_per_month &&
         usd_per_month_value > *workload.cost.max_usd_per_month * factor;
}

void search_family(const Question& question, const Family& family, SearchResult& result) {
  if (!question.allows(*family.gpu)) return;
  result.considered += family.layout_count;
  if (!family.unsupported.empty()) {
    if (result.tally.add(Rejection::kUnsupported, family.layout_count)) {
      result.tally.example(Rejection::kUnsupported) = family.unsupported;
    }
    return;
  }
  const auto floor = question.workload->quality_floor;
  if (floor && family.quality < *floor - 1e-9) {
    if (result.tally.add(Rejection::kQualityFloor, family.layout_count)) {
      result.tally.example(Rejection::kQualityFloor) =
          fmt::format("{} weights with {} KV keep {:.3g} of the quality, {:.3g} is asked",
                      family.weight->name, family.kv->name, family.quality, *floor);
    }
    return;
  }
  for (const CompiledLayout& compiled : family.layouts) {
    Evaluated evaluated;
    const Verdict verdict =
        evaluate(question, compiled, default_candidate(compiled), family.quality, evaluated);
    if (verdict.feasible) {
      auto& list = evaluated.near_miss ? result.near_misses : result.plans;
      list.push_back(std::move(evaluated));
    } else if (!rescue(question, compiled, family.quality, verdict, result) &&
               result.tally.add(verdict.rejection, 1)) {
      const Layout& l = compiled.layout;
      result.tally.example(verdict.rejection) =
          fmt::format("{}:{}:{} tp{}: {}", l.gpu->name, l.engine->name, l.weight->name, l.tp,
                      describe(verdict, *question.workload));
    }
  }
}

}  // namespace

CompiledLayout compile_layout(const Layout& layout, int max_batch, int max_batched_tokens,
                              const Calibration& calibration) {
  return {layout, compile(layout, calibration), memory_plan(layout, max_batched_tokens, max_batch),
          max_batch, max_batched_tokens};
}

ModelSpace compile_space(const Catalog& catalog, const Model& model,
                         const Calibration& calibration) {
  ModelSpace space{&model, {}};
  for (const Gpu& gpu : catalog.gpus()) {
    for (const Engine& engine : catalog.engines()) {
      const auto layouts = parallel_layouts(gpu, model, engine, kWidestReplica);
      for (const Format& weight : catalog.formats()) {
        for (const KvFormat& kv : catalog.kv_formats()) {
          space.families.push_back(
              make_family(gpu, model, engine, weight, kv, layouts, calibration));
        }
      }
    }
  }
  return space;
}

bool Question::allows(const Gpu& gpu) const {
  return std::find(gpus.begin(), gpus.end(), &gpu) != gpus.end();
}

Question ask(const Workload& workload, const Catalog& catalog, const ProfileStore* profiles,
             const AdviseOptions& options) {
  Question question{&workload,           &catalog, &options, profiles, PriceBook(catalog, workload),
                    demand_of(workload), {}};
  std::vector<std::string> names = workload.hardware.allow;
  // Somebody who names only what they own asks about that.
  if (names.empty()) {
    for (const OwnedGpus& owned : workload.hardware.owned) names.push_back(owned.gpu);
  }
  for (const Gpu& gpu : catalog.gpus()) {
    if (names.empty() || std::find(names.begin(), names.end(), gpu.name) != names.end()) {
      question.gpus.push_back(&gpu);
    }
  }
  return question;
}

bool RejectionTally::add(Rejection reason, long count) {
  Entry& entry = entries[static_cast<std::size_t>(reason)];
  const bool is_new = entry.count == 0 && count > 0;
  entry.count += count;
  return is_new;
}

std::string& RejectionTally::example(Rejection reason) {
  return entries[static_cast<std::size_t>(reason)].example;
}

std::string describe(const Verdict& verdict, const Workload& workload) {
  switch (verdict.detail) {
    case Verdict::Detail::kSlo:
      return std::string(verdict.key);
    case Verdict::Detail::kGpusAllowed:
      return fmt::format("{:.0f} GPUs or more, {:.0f} are allowed", verdict.a, verdict.b);
    case Verdict::Detail::kGpusOwned:
      return fmt::format("{:.0f} GPUs, {:.0f} are owned", verdict.a, verdict.b);
    case Verdict::Detail::kUsdMonth:
      return fmt::format("{} a month or more for {:.0f} GPUs", human_usd(verdict.a), verdict.b);
    case Verdict::Detail::kWeights:
      return fmt::format("weights take {} of {}", human_bytes(verdict.a), human_bytes(verdict.b));
    case Verdict::Detail::kContext:
      return fmt::format("a request of {:.0f} tokens does not fit, {:.0f} do", verdict.a,
                         verdict.b);
    case Verdict::Detail::kNoPrice:
      return fmt::format("no {} price in {}", workload.cost.commitment, workload.cost.region);
    case Verdict::Detail::kNone:
      break;
  }
  return std::string(to_string(verdict.rejection));
}

Candidate default_candidate(const CompiledLayout& compiled) {
  return candidate_with_defaults(compiled.layout);
}

Verdict settle(const Question& question, Evaluated& evaluated) {
  const Workload& workload = *question.workload;
  const Gpu& gpu = *evaluated.candidate.layout.gpu;
  if (evaluated.gpu_count > workload.hardware.max_gpus) {
    return {false,
            Rejection::kOverBudget,
            Verdict::Detail::kGpusAllowed,
            static_cast<double>(evaluated.gpu_count),
            static_cast<double>(workload.hardware.max_gpus),
            {}};
  }
  const auto rate = question.prices.rate(gpu, evaluated.gpu_count);
  if (!rate) return {false, Rejection::kNoPrice, Verdict::Detail::kNoPrice, 0, 0, {}};
  evaluated.rate = *rate;
  const double usd_month = rate->usd_per_hour * kHoursPerMonth;
  if (over_budget(workload, usd_month, 2)) {
    return {false,
            Rejection::kOverBudget,
            Verdict::Detail::kUsdMonth,
            usd_month,
            static_cast<double>(evaluated.gpu_count),
            {}};
  }
  evaluated.near_miss = over_budget(workload, usd_month, 1);
  const double isl = question.demand.shape.isl_mean;
  const double osl = question.demand.shape.osl_mean;
  const double tokens_s = evaluated.offered_rps * (isl + osl);
  const double scored_osl = osl > 1 ? osl : isl + osl;
  ScoreInput input;
  input.candidate = &evaluated.candidate;
  input.at_load = &evaluated.at_load;
  input.osl_mean = osl;
  input.tok_s_gpu_at_capacity =
      evaluated.capacity_rps * scored_osl / std::max(1, evaluated.gpu_count);
  input.usd_per_mtok_total = rate->usd_per_hour / (tokens_s * 3600 / 1e6);
  input.quality = evaluated.quality;
  input.replicas = evaluated.replicas + evaluated.prefill_replicas;
  evaluated.scores = score(input, workload, *question.options);
  return accepted();
}

Verdict evaluate(const Question& question, const CompiledLayout& compiled,
                 const Candidate& candidate, double quality, Evaluated& out) {
  const Layout& layout = candidate.layout;
  if (layout.gpus() > question.workload->hardware.max_gpus) {
    return {false,
            Rejection::kOverBudget,
            Verdict::Detail::kGpusAllowed,
            static_cast<double>(layout.gpus()),
            static_cast<double>(question.workload->hardware.max_gpus),
            {}};
  }
  const bool defaults = candidate.max_batch == compiled.default_max_batch &&
                        candidate.max_batched_tokens == compiled.default_max_batched_tokens;
  out.memory = defaults ? compiled.memory
                        : memory_plan(layout, candidate.max_batched_tokens, candidate.max_batch);
  const double context = question.demand.max_context_tokens;
  if (out.memory.kv_bytes <= 0) {
    return {false,
            Rejection::kDoesNotFit,
            Verdict::Detail::kWeights,
            out.memory.weight_bytes,
            layout.gpu->hbm_bytes,
            {}};
  }
  if (out.memory.max_request_tokens < context) {
    return {false,   Rejection::kDoesNotFit,        Verdict::Detail::kContext,
            context, out.memory.max_request_tokens, {}};
  }
  if (!question.prices.rate(*layout.gpu, layout.gpus())) {
    return {false, Rejection::kNoPrice, Verdict::Detail::kNoPrice, 0, 0, {}};
  }
  out.candidate = candidate;
  out.compiled = &compiled;
  out.quality = quality;
  if (Verdict verdict = bound_budget(question, out); !verdict.feasible) return verdict;
  if (Verdict verdict = load_at_slo(question, out); !verdict.feasible) return verdict;
  if (Verdict verdict = size_for_demand(question, out); !verdict.feasible) return verdict;
  return settle(question, out);
}

Choice choice_of(const Candidate& candidate) {
  const Layout& l = candidate.layout;
  const bool sixteen_bit = l.weight->name == "bf16" || l.weight->name == "fp16";
  return {l.model, l.gpu, l.engine, sixteen_bit ? nullptr : l.weight};
}

void sort_by_score(std::vector<Evaluated>& evaluated) {
  // Sorting places instead of plans: a plan is hundreds of bytes, and is then moved once.
  std::vector<std::size_t> order(evaluated.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    const Evaluated& a = evaluated[i];
    const Evaluated& b = evaluated[j];
    if (a.scores.total != b.scores.total) return a.scores.total > b.scores.total;
    return a.gpu_count < b.gpu_count;
  });
  // In place, cycle by cycle: place i takes what order[i] names.
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::size_t to = i;
    while (order[to] != i) {
      std::swap(evaluated[to], evaluated[order[to]]);
      to = std::exchange(order[to], to);
    }
    order[to] = to;
  }
}

void search(const Question& question, const std::vector<const ModelSpace*>& spaces,
            SearchResult& result) {
  result.plans.clear();
  result.near_misses.clear();
  result.tally = {};
  result.considered = 0;
  for (const ModelSpace* space : spaces) {
    for (const Family& family : space->families) search_family(question, family, result);
  }
  sort_by_score(result.plans);
  sort_by_score(result.near_misses);
  refine(question, result.plans);
  use_profiles(question, result);
  result.feasible_layouts = static_cast<long>(result.plans.size());
  add_disaggregated(question, result.plans);
  sort_by_score(result.plans);
}

}  // namespace tensorpath::advise
