#include "disaggregate.h"
#include "explain.h"
#include "flip.h"
#include "measured.h"
#include "pareto.h"
#include "search.h"
#include "search_space.h"
#include "sizing.h"
#include "why_not.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {

using advise::Evaluated;
using advise::ModelSpace;
using advise::Question;
using advise::SearchResult;

struct Advisor::State {
  Catalog& catalog;
  const Calibration& calibration;
  const ProfileStore* profiles;
  std::map<const Model*, ModelSpace> spaces;

  const ModelSpace& space(const Model& model) {
    const auto found = spaces.find(&model);
    if (found != spaces.end()) return found->second;
    return spaces.emplace(&model, advise::compile_space(catalog, model, calibration)).first->second;
  }
};

Advisor::Advisor(Catalog& catalog, const Calibration& calibration, const ProfileStore* profiles)
    : state_(new State{catalog, calibration, profiles, {}}) {}
Advisor::~Advisor() = default;

namespace {

// The best plan of each choice: what differs in less is a variant of it, not an alternative.
std::vector<Evaluated> distinct(const std::vector<Evaluated>& sorted, std::size_t most) {
  std::vector<Evaluated> out;
  std::set<advise::Choice> seen;
  for (const Evaluated& evaluated : sorted) {
    if (out.size() >= most) break;
    if (seen.insert(advise::choice_of(evaluated.candidate)).second) out.push_back(evaluated);
  }
  return out;
}

std::vector<Plan> to_plans(const Question& question, const std::vector<Evaluated>& evaluated,
                           const Calibration& calibration) {
  std::vector<Plan> plans;
  const auto most = static_cast<std::size_t>(std::max(1, question.options->top));
  for (const Evaluated& e : distinct(evaluated, most)) {
    plans.push_back(advise::to_plan(question, e, calibration));
  }
  return plans;
}

std::vector<RejectedGroup> rejected_groups(const advise::RejectionTally& tally) {
  std::vector<RejectedGroup> out;
  for (std::size_t i = 0; i < tally.entries.size(); ++i) {
    const auto& entry = tally.entries[i];
    if (entry.count > 0) out.push_back({static_cast<Rejection>(i), entry.count, entry.example});
  }
  return out;
}

}  // namespace

Expected<Recommendation> Advisor::recommend(const Workload& workload,
                                            const AdviseOptions& options) {
  std::vector<const ModelSpace*> spaces;
  for (const std::string& name : workload.models) {
    const auto model = state_->catalog.model(name);
    if (!model) return tl::unexpected(model.error());
    spaces.push_back(&state_->space(**model));
  }
  const Question question = advise::ask(workload, state_->catalog, state_->profiles, options);
  SearchResult found;
  advise::search(question, spaces, found);
  const advise::FullSearch full_search = [&](const Question& q, SearchResult& result) {
    advise::search(q, spaces, result);
  };

  Recommendation out;
  out.workload = workload;
  out.considered = found.considered;
  out.feasible = found.feasible_layouts;
  out.over_budget_feasible = static_cast<long>(found.near_misses.size());
  out.plans = to_plans(question, found.plans, state_->calibration);
  out.near_misses = to_plans(question, found.near_misses, state_->calibration);
  out.rejected = rejected_groups(found.tally);
  out.pareto = advise::pareto_front(question, found.plans);
  advise::explain(out.plans, workload);
  if (!options.screen_only) {
    out.flips = advise::flip_points(question, found, full_search);
    out.relaxations_tried = out.plans.empty();
    if (out.relaxations_tried) out.relaxations = advise::relaxations(question, full_search);
  }
  for (const std::string& asked : options.why_not) {
    auto answer = advise::why_not(question, spaces, found, asked);
    if (!answer) return tl::unexpected(answer.error());
    out.why_not.push_back(std::move(*answer));
  }
  out.assumptions = advise::assumptions_of(workload, out.plans, state_->catalog);
  return out;
}

namespace {

// The workload with nothing that would size or refuse a point: the point is taken as it is.
Workload unconstrained(Workload workload) {
  workload.slo = {};
  workload.cost.max_usd_per_month.reset();
  workload.availability.spare_replicas = 0;
  workload.availability.max_utilization = 1;
  workload.hardware.max_gpus = std::numeric_limits<int>::max();
  workload.quality_floor.reset();
  return workload;
}

// The prediction of a point whose replicas are given; `asked` has the SLO that its capacity is for.
void take_replicas(const Question& question, const Question& asked, const PlannedPoint& point,
                   Evaluated& evaluated) {
  const Candidate& candidate = point.candidate;
  evaluated.replicas = point.replicas;
  evaluated.prefill_replicas = point.prefill_replicas;
  evaluated.gpu_count = point.replicas * candidate.layout.gpus();
  if (candidate.disaggregated) {
    evaluated.gpu_count += point.prefill_replicas * candidate.prefill_layout.gpus();
    evaluated.offered_rps = question.demand.load;
    evaluated.at_load = advise::predict_disaggregated(
        question.demand, candidate, *evaluated.prefill_compiled, *evaluated.compiled,
        point.prefill_replicas, point.replicas, question.demand.load);
    evaluated.capacity_rps = evaluated.at_load.saturated ? 0 : question.demand.load;
    return;
  }
  evaluated.at_load =
      advise::share_of_demand(question, evaluated.compiled->step, candidate, point.replicas);
  if (!question.demand.open) {
    evaluated.offered_rps = evaluated.at_load.request_rps * point.replicas;
  }
  Evaluated under_slo = evaluated;
  const bool holds = advise::load_at_slo(asked, under_slo).feasible;
  evaluated.capacity_rps = holds ? under_slo.at_slo.at.request_rps * point.replicas : 0;
}

std::string point_problem(const Candidate& candidate) {
  const Layout& l = candidate.layout;
  std::string problem = advise::unsupported_reason(*l.gpu, *l.model, *l.engine, *l.weight, *l.kv);
  if (problem.empty()) problem = advise::layout_problem(l);
  if (problem.empty() && candidate.disaggregated) {
    problem = advise::layout_problem(candidate.prefill_layout);
  }
  return problem;
}

}  // namespace

Expected<Plan> Advisor::estimate(const Workload& workload, const PlannedPoint& point,
                                 const AdviseOptions& options) {
  const Candidate& candidate = point.candidate;
  const Layout& layout = candidate.layout;
  if (std::string problem = point_problem(candidate); !problem.empty()) {
    return fail(ExitCode::kAnswerIsNo, std::move(problem));
  }
  const Question asked = advise::ask(workload, state_->catalog, state_->profiles, options);
  if (candidate.disaggregated && (!asked.demand.open || asked.demand.load_is_asked)) {
    return fail(ExitCode::kAnswerIsNo, "a disaggregated point needs a request rate");
  }
  const Workload free = unconstrained(workload);
  const Question question =
      point.replicas > 0 ? advise::ask(free, state_->catalog, state_->profiles, options) : asked;
  const auto compile_point = [&](const Layout& l) {
    return advise::compile_layout(l, candidate.max_batch, candidate.max_batched_tokens,
                                  state_->calibration);
  };
  const auto compiled = compile_point(layout);
  const auto prefill = candidate.disaggregated ? compile_point(candidate.prefill_layout) : compiled;
  Evaluated evaluated;
  const advise::Verdict verdict =
      advise::evaluate(question, compiled, candidate,
                       advise::quality_of(*layout.model, *layout.weight, *layout.kv), evaluated);
  if (!verdict.feasible) {
    return fail(ExitCode::kAnswerIsNo, fmt::format("{}: {}", to_string(verdict.rejection),
                                                   advise::describe(verdict, *question.workload)));
  }
  if (candidate.disaggregated) evaluated.prefill_compiled = &prefill;
  if (point.replicas > 0) take_replicas(question, asked, point, evaluated);
  (void)advise::use_profile(question, evaluated);
  const advise::Verdict settled = advise::settle(question, evaluated);
  if (!settled.feasible) {
    return fail(ExitCode::kAnswerIsNo, advise::describe(settled, *question.workload));
  }
  return advise::to_plan(question, evaluated, state_->calibration);
}

}  // namespace tensorpath
