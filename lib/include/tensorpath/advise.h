// From a workload to ranked, priced, explained plans: enumerate -> filter -> predict -> score ->
// explain. Uses: 1) `recommend`, 2) `compare` of models, 3) `estimate` of one point, 4) the plan
// file that `deploy` reads. All times in ms, rates per second of the whole deployment unless the
// name says otherwise, money in US dollars.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/units.h>
#include <tensorpath/catalog.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/predict.h>
#include <tensorpath/profile.h>
#include <tensorpath/registry/entry.h>
#include <tensorpath/workload.h>

namespace tensorpath {

// How draft tokens are made and what they bring. Acceptance is an assumption until measured.
struct Speculation {
  std::string method = "none";          // none | mtp | eagle3 | ngram
  int draft_tokens = 0;                 // proposed per step and request
  double accepted_tokens_per_step = 1;  // mean tokens a step yields, the bonus token included
  double draft_cost_share = 0;          // of a decode step's time
};

// A replica and the knobs of its engine: one row of the search space, without its replica count.
struct Candidate {
  Layout layout;  // disaggregated: of the decode pool
  bool disaggregated = false;
  Layout prefill_layout;  // disaggregated only
  int max_batch = 0;
  int max_batched_tokens = 0;
  bool chunked_prefill = true;
  Speculation spec;
};

// A candidate with its replica counts: what a plan file pins down.
struct PlannedPoint {
  Candidate candidate;
  int replicas = 1;          // disaggregated: of the decode pool; 0 sizes them for the SLO
  int prefill_replicas = 0;  // disaggregated only
};

enum class Rejection : std::uint8_t {
  kUnsupported,   // that engine release has no path for the format, model or GPU
  kQualityFloor,  // the format keeps less quality than asked
  kDoesNotFit,    // not even one request of max_context_tokens
  kNoPrice,
  kOverBudget,   // more than twice the budget, or more GPUs than allowed
  kSloTooTight,  // no load at which the SLO holds
  kCount,
};
[[nodiscard]] std::string_view to_string(Rejection rejection);

// What a deployment costs. USD; `billed_gpus` is what must be rented (a provider's least number).
struct PlanCost {
  double usd_per_gpu_hour = 0;
  int billed_gpus = 0;
  double usd_per_hour = 0;
  double usd_per_month = 0;
  double usd_per_mtok_output = 0;  // at the offered load
  double usd_per_mtok_total = 0;
  double usd_per_mtok_output_at_capacity = 0;  // at max_rate_at_slo
  double usd_per_mtok_total_at_capacity = 0;
  double usd_per_successful_task = 0;  // retries and rejects add cost, never output
  double kwh_per_successful_task = 0;  // board power of all GPUs times PUE
  std::string price_source;            // "provider, region, commitment, date"
  bool price_is_old = false;           // past 90 days
  bool owned = false;
};

// Five parts and their weighted sum, all in doublings against fixed references
// (tensorpath-recommend(1)).
struct Scores {
  double latency = 0, throughput = 0, cost = 0, quality = 0, simplicity = 0;
  double preference = 0;  // the nudge of --prefer-*
  double total = 0;
};

struct Excess {  // what the plan has beyond the need
  std::string what;
  double have = 0, need = 0;
};

struct Plan {
  Candidate candidate;
  int replicas = 1;          // disaggregated: of the decode pool
  int prefill_replicas = 0;  // disaggregated only
  int gpu_count = 0;         // of the deployment
  MemoryPlan memory;         // of a (decode) replica
  Prediction at_load;        // of one replica; its rates are per replica
  double offered_rps = 0;    // of the deployment
  double offered_concurrency = 0;
  double max_rate_at_slo = 0;  // requests/s of the deployment, spare replicas idle
  double output_tok_s = 0;     // at the offered load
  double output_tok_s_at_capacity = 0;
  double tok_s_user = 0;
  double goodput_rps = 0;
  double quality = 1;
  bool near_miss = false;  // over the budget, up to twice
  Accuracy accuracy;
  PlanCost cost;
  Scores scores;
  std::string bottleneck;
  double amdahl_bound = 1;  // speed-up of a step if the bottleneck vanished
  std::vector<std::string> why;
  std::vector<Excess> over_provisioned;
  std::string measured_profile;  // name of the profile used as it is; empty: predicted

  [[nodiscard]] int gpus_per_replica() const { return candidate.layout.gpus(); }
};

struct RejectedGroup {
  Rejection reason = Rejection::kUnsupported;
  long count = 0;
  std::string example;
};

// A value at which another plan takes over, confirmed by running the search at 1% to each side.
struct FlipPoint {
  std::string what;  // "rate_rps", "usd_per_gpu_hour of l40s", "slo.tpot_ms.p95"
  double now = 0;
  double flips_at = 0;
  std::string winner_after;  // short name of the plan that takes over
};

// A change of one constraint under which something fits; or, where no single one helps, one of the
// changes that must be made together.
struct Relaxation {
  std::string what;  // "slo.ttft_ms.p95"
  double now = 0;
  double needed = 0;
  std::string plan;  // short name of what then fits
  bool together = false;
};

struct ParetoPoint {
  double tok_s_user = 0;
  double tok_s_gpu = 0;
  double usd_per_mtok_output = 0;
  std::string plan;                  // short name
  bool on_throughput_front = false;  // tok/s/user against tok/s/GPU
  bool on_cost_front = false;        // tok/s/user against $ per million output tokens
};

struct WhyNot {
  std::string asked;  // "h100_sxm:vllm:fp8"
  std::string answer;
};

// A promoted kernel for an operator that the bottleneck of a plan is in. It is told beside the
// plan: none of the plan's numbers has it in.
struct KernelOpportunity {
  std::string kernel;
  std::string op;
  std::string dtype;
  std::vector<std::string> parts;  // of the step, as operator_breakdown names them
  double share_of_step = 0;        // of those parts together
  registry::EvidenceLevel evidence_level = registry::EvidenceLevel::kOp;
  registry::Performance performance;  // of the kernel, as its entry has it; without the cases
};

struct Recommendation {
  Workload workload;
  std::vector<Plan> plans;        // ranked; at most AdviseOptions::top
  std::vector<Plan> near_misses;  // over the budget, up to twice; at most `top`
  long considered = 0;            // layouts enumerated
  long feasible = 0;              // layouts that meet every constraint
  long over_budget_feasible = 0;  // layouts that are near misses
  std::vector<RejectedGroup> rejected;
  std::vector<ParetoPoint> pareto;
  std::vector<FlipPoint> flips;
  std::vector<Relaxation> relaxations;  // only when nothing fits
  bool relaxations_tried = false;       // they were looked for: none means that none helps
  std::vector<WhyNot> why_not;
  std::vector<std::string> assumptions;
  std::vector<KernelOpportunity> kernels;  // of the first plan, when a registry was looked into
};

struct AdviseOptions {
  int top = 5;
  std::vector<std::string> prefer_gpus;     // canonical
  std::vector<std::string> prefer_engines;  // canonical
  std::vector<std::string> why_not;         // GPU:ENGINE:FORMAT
  bool screen_only = false;                 // no flip points, no relaxations
  std::string today;                        // YYYY-MM-DD, for the age of prices
};

// Answers workloads over one catalog. Keeps compiled replicas between calls, so that a thousand
// workloads of the same models pay for them once. Not thread-safe: one per thread.
class Advisor {
 public:
  // `profiles` may be null: then nothing measured replaces a prediction.
  Advisor(Catalog& catalog, const Calibration& calibration, const ProfileStore* profiles = nullptr);
  ~Advisor();
  Advisor(const Advisor&) = delete;
  Advisor& operator=(const Advisor&) = delete;

  [[nodiscard]] Expected<Recommendation> recommend(const Workload& workload,
                                                   const AdviseOptions& options);
  // One given point under the workload's load: all numbers, no search.
  [[nodiscard]] Expected<Plan> estimate(const Workload& workload, const PlannedPoint& point,
                                        const AdviseOptions& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "2 x l40s, vllm fp8/fp8, tp1" - how a plan is called in a line of text.
[[nodiscard]] std::string short_name(const Plan& plan);
[[nodiscard]] std::string short_name(const Candidate& candidate);

// tensorpath-plan(5).
[[nodiscard]] Json to_json(const Recommendation& recommendation);
[[nodiscard]] Json to_json(const Plan& plan, int rank, const Workload& workload);

// plans[rank-1] of a plan document (tensorpath-plan(5)). Errors: a rank that is not there, a
// missing or mistyped key, an unknown name.
[[nodiscard]] Expected<PlannedPoint> point_from_json(const Json& document, int rank,
                                                     const Catalog& catalog);
// The engine's knobs at their defaults on that GPU. The layout must be whole.
[[nodiscard]] Candidate candidate_with_defaults(const Layout& layout);
// The operators of the plan's mean engine step, costliest first: steps with a prompt's chunk and
// steps that only decode, in the shares in which they come.
[[nodiscard]] std::vector<OperatorShare> operator_breakdown(const Plan& plan,
                                                            const Workload& workload,
                                                            const Calibration& calibration);

// The kernels of the plan's GPU and number formats for the operators that serve what bounds it, the
// parts with
// the largest share first; of each operator and type the one with the highest ratio.
[[nodiscard]] std::vector<KernelOpportunity> kernel_opportunities(
    const Plan& plan, const Workload& workload, const Calibration& calibration,
    const std::vector<registry::Entry>& entries, const Operators& operators);

enum class Detail { kBrief, kEngineer, kExecutive };
// For people, on a terminal `width` columns wide (0: 100).
[[nodiscard]] std::string render_text(const Recommendation& recommendation, Detail detail,
                                      int width);
// report.md
[[nodiscard]] std::string render_markdown(const Recommendation& recommendation, Detail detail);
// The plans as CSV: one row a plan, the metrics' means and percentiles in columns.
[[nodiscard]] std::string plans_csv(const Recommendation& recommendation);
// The Pareto front as a terminal plot and as an SVG picture.
[[nodiscard]] std::string pareto_plot(const std::vector<ParetoPoint>& points, int width,
                                      int height);
[[nodiscard]] std::string pareto_svg(const std::vector<ParetoPoint>& points,
                                     const std::string& title);

}  // namespace tensorpath
