// What a person relies on in a recommendation: constraints hold, counts add up, order is stable.
#include "advise_fixture.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace tensorpath {
namespace {

using test::choice_of;
using test::screening;
using test::shipped;

const char* const kWorkloads[] = {"support-chat.yaml",       "code-assistant.yaml",
                                  "contract-summaries.yaml", "handbook-rag.yaml",
                                  "nightly-labels.yaml",     "passage-embeddings.yaml",
                                  "research-agent.yaml",     "synthetic-data.yaml"};

TEST_CASE("every plan of the shipped workloads meets the constraints it was asked for") {
  for (const char* name : kWorkloads) {
    const Workload workload = shipped().shipped_workload(name);
    const Recommendation r = shipped().recommend(workload, screening());
    INFO(name);
    for (const Plan& plan : r.plans) {
      INFO(short_name(plan));
      CHECK_FALSE(plan.at_load.saturated);
      CHECK(plan.gpu_count <= workload.hardware.max_gpus);
      if (workload.slo.ttft_ms.p95) CHECK(plan.at_load.ttft_ms.p95 <= *workload.slo.ttft_ms.p95);
      if (workload.slo.tpot_ms.p95) CHECK(plan.at_load.tpot_ms.p95 <= *workload.slo.tpot_ms.p95);
      if (workload.slo.e2e_ms.p95) CHECK(plan.at_load.e2e_ms.p95 <= *workload.slo.e2e_ms.p95);
      if (workload.quality_floor) CHECK(plan.quality >= *workload.quality_floor - 1e-9);
      if (workload.cost.max_usd_per_month) {
        CHECK(plan.cost.usd_per_month <= *workload.cost.max_usd_per_month);
      }
      CHECK(plan.memory.max_request_tokens >= workload.max_context_tokens);
      if (!plan.candidate.disaggregated) {
        CHECK(plan.gpu_count == plan.replicas * plan.gpus_per_replica());
        CHECK(plan.replicas > workload.availability.spare_replicas);
      }
      CHECK(std::isfinite(plan.scores.total));
      CHECK(plan.cost.usd_per_hour > 0);
    }
  }
}

TEST_CASE("each shipped workload has a plan") {
  for (const char* name : kWorkloads) {
    const Recommendation r = shipped().recommend(shipped().shipped_workload(name), screening(3));
    INFO(name << ", rejected: " << (r.rejected.empty() ? "none" : r.rejected.back().example));
    CHECK_FALSE(r.plans.empty());
  }
}

TEST_CASE("each layout is counted once: feasible, a near miss or rejected") {
  const Recommendation r =
      shipped().recommend(shipped().shipped_workload("support-chat.yaml"), screening());
  long rejected = 0;
  for (const RejectedGroup& group : r.rejected) {
    CHECK(group.count > 0);
    CHECK_FALSE(group.example.empty());
    rejected += group.count;
  }
  CHECK(rejected + r.feasible + r.over_budget_feasible == r.considered);
}

TEST_CASE("plans are ranked by score and are distinct choices") {
  const Recommendation r =
      shipped().recommend(shipped().shipped_workload("code-assistant.yaml"), screening());
  std::map<std::string, int> seen;
  for (std::size_t i = 0; i < r.plans.size(); ++i) {
    if (i > 0) CHECK(r.plans[i - 1].scores.total >= r.plans[i].scores.total);
    CHECK(++seen[choice_of(r.plans[i])] == 1);
  }
}

TEST_CASE("adding a GPU to the list never reorders two others") {
  Workload workload = shipped().shipped_workload("contract-summaries.yaml");
  workload.hardware.allow = {"h100_sxm", "h200_sxm", "a100_80gb_sxm"};
  const Recommendation few = shipped().recommend(workload, screening());
  workload.hardware.allow.emplace_back("mi300x");
  workload.hardware.allow.emplace_back("b200_sxm");
  const Recommendation many = shipped().recommend(workload, screening());
  std::vector<std::string> kept;
  for (const Plan& plan : many.plans) {
    const std::string& gpu = plan.candidate.layout.gpu->name;
    if (plan.candidate.disaggregated || gpu == "mi300x" || gpu == "b200_sxm") continue;
    kept.push_back(choice_of(plan));
  }
  std::vector<std::string> before;
  for (const Plan& plan : few.plans) {
    if (!plan.candidate.disaggregated) before.push_back(choice_of(plan));
  }
  REQUIRE(before.size() > 3);
  CHECK(before == kept);
}

TEST_CASE("a preference decides between near equals and overrides nothing") {
  const Workload workload = shipped().shipped_workload("code-assistant.yaml");
  const Recommendation plain = shipped().recommend(workload, screening());
  REQUIRE(plain.plans.size() > 1);
  for (const Plan& liked : plain.plans) {
    AdviseOptions options = screening();
    options.prefer_gpus = {liked.candidate.layout.gpu->name};
    const Recommendation nudged = shipped().recommend(workload, options);
    const double lead = plain.plans.front().scores.total - liked.scores.total;
    if (lead > 0.2) {
      INFO("preferring " << liked.candidate.layout.gpu->name);
      const std::string before = plain.plans.front().candidate.layout.gpu->name;
      const std::string& after = nudged.plans.front().candidate.layout.gpu->name;
      const bool kept = after == before || after == liked.candidate.layout.gpu->name;
      CHECK(kept);
    }
  }
}

TEST_CASE("up to twice the budget is a near miss, beyond it a rejection") {
  Workload workload = shipped().shipped_workload("code-assistant.yaml");
  workload.cost.max_usd_per_month = 1e9;
  Recommendation tight = shipped().recommend(workload, screening());
  // Down to under the cheapest plan, in steps that cannot jump over its half.
  while (!tight.plans.empty()) {
    workload.cost.max_usd_per_month = *workload.cost.max_usd_per_month * 0.6;
    tight = shipped().recommend(workload, screening());
  }
  REQUIRE_FALSE(tight.near_misses.empty());
  for (const Plan& plan : tight.near_misses) {
    CHECK(plan.cost.usd_per_month > *workload.cost.max_usd_per_month);
    CHECK(plan.cost.usd_per_month <= 2 * *workload.cost.max_usd_per_month);
  }
}

TEST_CASE("owned hardware without a rate is asked what load it carries") {
  const Workload workload = shipped().shipped_workload("handbook-rag.yaml");
  const Recommendation r = shipped().recommend(workload, screening());
  REQUIRE_FALSE(r.plans.empty());
  for (const Plan& plan : r.plans) {
    INFO(short_name(plan));
    CHECK(plan.max_rate_at_slo > 0);
    CHECK(plan.gpu_count <= 8);
    CHECK(plan.cost.owned);
  }
}

TEST_CASE("the same workload gives the same bytes") {
  const Workload workload = shipped().shipped_workload("support-chat.yaml");
  const std::string first = to_text(to_json(shipped().recommend(workload)));
  test::Shipped other;
  CHECK(to_text(to_json(other.recommend(workload))) == first);
}

TEST_CASE("priorities pull where they say") {
  Workload workload = shipped().shipped_workload("code-assistant.yaml");
  const auto best = [&](Priority priority) {
    workload.priority = priority;
    return shipped().recommend(workload, screening()).plans.front();
  };
  const Plan fast = best(Priority::kLatency);
  const Plan cheap = best(Priority::kCost);
  CHECK(cheap.cost.usd_per_month <= fast.cost.usd_per_month);
  CHECK(fast.at_load.tpot_ms.p95 <= cheap.at_load.tpot_ms.p95);
}

TEST_CASE("--why-not answers for the winner, for what lost and for what has no path") {
  AdviseOptions options = screening(1);
  options.why_not = {"h100_sxm:llama_cpp:nvfp4", "a100_80gb_sxm:vllm:bf16"};
  const Workload workload = shipped().shipped_workload("contract-summaries.yaml");
  const Recommendation first = shipped().recommend(workload, screening(1));
  const Layout& best = first.plans.front().candidate.layout;
  options.why_not.push_back(best.gpu->name + ":" + best.engine->name + ":" + best.weight->name);
  const Recommendation r = shipped().recommend(workload, options);
  REQUIRE(r.why_not.size() == 3);
  CHECK(r.why_not[0].answer.find("no path") != std::string::npos);
  CHECK_FALSE(r.why_not[1].answer.empty());
  CHECK(r.why_not[2].answer == "it is the winner");
  options.why_not = {"h1000:vllm:fp8"};
  const auto unknown = shipped().advisor.recommend(workload, options);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().to_string().find("h100") != std::string::npos);
}

TEST_CASE("an output floor above what the rate asks for fits no plan, and says so") {
  Workload workload = shipped().shipped_workload("support-chat.yaml");
  workload.slo.min_output_tok_s = 2 * workload.arrivals.rate_rps * workload.osl_tokens.mean();
  const Recommendation r = shipped().recommend(workload);
  CHECK(r.plans.empty());
  bool named = false;
  for (const Relaxation& x : r.relaxations) named = named || x.what == "slo.min_output_tok_s";
  CHECK(named);
}

TEST_CASE("a region without prices takes offers of any region, and says so") {
  Workload workload = shipped().shipped_workload("code-assistant.yaml");
  workload.cost.region = "atlantis";
  const Recommendation r = shipped().recommend(workload, screening(1));
  bool said = false;
  for (const std::string& text : r.assumptions) {
    said = said || text.find("atlantis") != std::string::npos;
  }
  CHECK(said);
}

TEST_CASE("an estimate of a plan's point gives the plan's numbers") {
  const Workload workload = shipped().shipped_workload("support-chat.yaml");
  const Recommendation r = shipped().recommend(workload, screening(5));
  for (const Plan& plan : r.plans) {
    const PlannedPoint point{plan.candidate, plan.replicas, plan.prefill_replicas};
    AdviseOptions options;
    options.today = "2026-08-21";
    const Plan again = test::value_or_throw(shipped().advisor.estimate(workload, point, options));
    INFO(short_name(plan));
    CHECK(again.gpu_count == plan.gpu_count);
    CHECK(again.at_load.tpot_ms.mean == Approx(plan.at_load.tpot_ms.mean));
    CHECK(again.at_load.ttft_ms.p95 == Approx(plan.at_load.ttft_ms.p95));
    CHECK(again.cost.usd_per_month == Approx(plan.cost.usd_per_month));
  }
}

TEST_CASE("layouts that no engine runs are refused with the reason") {
  const Workload workload = shipped().shipped_workload("support-chat.yaml");
  const Plan plan = shipped().recommend(workload, screening(1)).plans.front();
  const auto refused = [&](auto&& change) {
    PlannedPoint point{plan.candidate, 1, 0};
    change(point.candidate.layout);
    const auto result = shipped().advisor.estimate(workload, point, AdviseOptions{});
    return !result && result.error().exit_code == ExitCode::kAnswerIsNo;
  };
  CHECK(refused([](Layout& l) { l.tp = 3; }));
  CHECK(refused([](Layout& l) { l.tp = 16; }));
  CHECK(refused([](Layout& l) {
    l.ep = 2;
    l.tp = 2;
  }));
  CHECK(refused([](Layout& l) { l.attn_dp = 2; }));
}

TEST_CASE("a saturated point serves no more than it can") {
  const Workload workload = shipped().workload(
      "type: chat\nmodels: [llama-3.1-8b]\narrivals: {kind: poisson, rate_rps: 500}\n"
      "hardware: {allow: [h100_sxm]}\n");
  const Plan plan =
      shipped()
          .recommend(
              shipped().workload("type: chat\nmodels: [llama-3.1-8b]\narrivals: {kind: poisson, "
                                 "rate_rps: 1}\nhardware: {allow: [h100_sxm]}\n"),
              screening(1))
          .plans.front();
  const Plan flooded = test::value_or_throw(
      shipped().advisor.estimate(workload, PlannedPoint{plan.candidate, 1, 0}, AdviseOptions{}));
  CHECK(flooded.at_load.saturated);
  CHECK(flooded.goodput_rps == 0);
  CHECK(flooded.output_tok_s < 500 * workload.osl_tokens.mean() * 0.5);
}

}  // namespace
}  // namespace tensorpath
