#include "refine.h"

#include "search_space.h"

#include <algorithm>
#include <array>
#include <set>

namespace tensorpath::advise {
namespace {

// Powers of two around the defaults of the engines; finer steps move a prediction by less than its
// band is wide.
constexpr std::array<int, 4> kTokenBudgets{2048, 4096, 8192, 16384};
constexpr std::array<int, 6> kBatchCaps{8, 16, 32, 64, 128, 256};

// Every change of one knob from `base`.
std::vector<Candidate> neighbours(const Question& question, const Candidate& base) {
  std::vector<Candidate> out;
  const auto with = [&](auto&& change) {
    Candidate changed = base;
    change(changed);
    out.push_back(changed);
  };
  for (const int budget : kTokenBudgets) {
    // A prompt that is not split must fit one step.
    const bool splits = base.chunked_prefill || budget >= question.demand.max_context_tokens;
    if (budget != base.max_batched_tokens && budget >= base.max_batch && splits) {
      with([&](Candidate& c) { c.max_batched_tokens = budget; });
    }
  }
  // Under an open load the requests in flight follow from the load; a cap only ever queues more.
  if (!question.demand.open) {
    for (const int cap : kBatchCaps) {
      if (cap < base.max_batch) with([&](Candidate& c) { c.max_batch = cap; });
    }
  }
  for (const Speculation& spec : speculations(*base.layout.model, *base.layout.engine)) {
    if (spec.method != base.spec.method) with([&](Candidate& c) { c.spec = spec; });
  }
  return out;
}

// Keeps the best neighbour and goes on from it, once per knob at most.
void climb(const Question& question, Evaluated& best) {
  for (int round = 0; round < 2; ++round) {
    const double before = best.scores.total;
    for (const Candidate& candidate : neighbours(question, best.candidate)) {
      Evaluated tried;
      const Verdict verdict = evaluate(question, *best.compiled, candidate, best.quality, tried);
      // A knob must earn its place: ties keep the engine's default.
      const bool better = verdict.feasible && !(tried.near_miss && !best.near_miss) &&
                          tried.scores.total > best.scores.total + 1e-3;
      if (better) best = std::move(tried);
    }
    if (best.scores.total <= before) return;
  }
}

}  // namespace

void refine(const Question& question, std::vector<Evaluated>& plans) {
  std::set<Choice> tuned;
  for (Evaluated& plan : plans) {
    if (tuned.insert(choice_of(plan.candidate)).second) climb(question, plan);
  }
}

bool rescue(const Question& question, const CompiledLayout& compiled, double quality,
            const Verdict& verdict, SearchResult& result) {
  if (verdict.rejection != Rejection::kSloTooTight) return false;
  for (const Candidate& candidate : neighbours(question, default_candidate(compiled))) {
    Evaluated tried;
    if (!evaluate(question, compiled, candidate, quality, tried).feasible) continue;
    auto& list = tried.near_miss ? result.near_misses : result.plans;
    list.push_back(std::move(tried));
    return true;
  }
  return false;
}

}  // namespace tensorpath::advise
