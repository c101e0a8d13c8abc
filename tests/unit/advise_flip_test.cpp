// Flip points and relaxations are promises about other runs: these tests run them.
#include "advise_fixture.h"

#include <cmath>

namespace tensorpath {
namespace {

using test::choice_of;
using test::screening;
using test::shipped;

// The workload with the knob a flip point or a relaxation names set to `value`.
Workload with(Workload w, const std::string& what, double value) {
  const std::string price = "usd_per_gpu_hour of ";
  if (what.rfind(price, 0) == 0) {
    const std::string gpu = what.substr(price.size());
    bool owned = false;
    for (OwnedGpus& o : w.hardware.owned) {
      if (o.gpu != gpu) continue;
      o.usd_per_gpu_hour = value;
      owned = true;
    }
    if (!owned) w.cost.override_usd_per_gpu_hour[gpu] = value;
  } else if (what == "arrivals.rate_rps") {
    w.arrivals.rate_rps = value;
  } else if (what == "slo.ttft_ms.p95") {
    w.slo.ttft_ms.p95 = value;
  } else if (what == "slo.tpot_ms.p95") {
    w.slo.tpot_ms.p95 = value;
  } else if (what == "slo.e2e_ms.p95") {
    w.slo.e2e_ms.p95 = value;
  } else if (what == "cost.max_usd_per_month") {
    w.cost.max_usd_per_month = value;
  } else if (what == "hardware.max_gpus") {
    w.hardware.max_gpus = static_cast<int>(value + 0.5);
  } else if (what == "requests.max_context_tokens") {
    w.max_context_tokens = value;
  } else if (what == "quality_floor") {
    w.quality_floor = value;
  } else if (what.rfind("cost.commitment", 0) == 0) {
    w.cost.commitment = "on_demand";
  } else if (what == "hardware.allow") {
    w.hardware.allow.clear();
    w.hardware.owned.clear();
  } else {
    FAIL("the test does not know the knob " << what);
  }
  return w;
}

TEST_CASE("each flip point changes the winner within 1%") {
  int flips = 0;
  for (const char* name : {"support-chat.yaml", "code-assistant.yaml", "contract-summaries.yaml",
                           "nightly-labels.yaml"}) {
    const Workload workload = shipped().shipped_workload(name);
    const Recommendation r = shipped().recommend(workload);
    REQUIRE_FALSE(r.plans.empty());
    const std::string winner = choice_of(r.plans.front());
    for (const FlipPoint& flip : r.flips) {
      INFO(name << ": " << flip.what << " at " << flip.flips_at);
      const bool upward = flip.flips_at > flip.now;
      const double before = flip.flips_at * (upward ? 0.99 : 1.01);
      const double after = flip.flips_at * (upward ? 1.01 : 0.99);
      const auto near = shipped().recommend(with(workload, flip.what, before), screening(1));
      const auto past = shipped().recommend(with(workload, flip.what, after), screening(1));
      REQUIRE_FALSE(near.plans.empty());
      REQUIRE_FALSE(past.plans.empty());
      CHECK(choice_of(near.plans.front()) == winner);
      CHECK(choice_of(past.plans.front()) != winner);
      ++flips;
    }
  }
  CHECK(flips > 0);
}

TEST_CASE("when nothing fits, each relaxation named makes something fit") {
  Workload workload = shipped().shipped_workload("code-assistant.yaml");
  workload.slo.ttft_ms = {};
  workload.slo.ttft_ms.p95 = 5;  // under the time of one prefill step of a 32B model
  workload.slo.min_tok_s_user.reset();
  const Recommendation r = shipped().recommend(workload);
  CHECK(r.plans.empty());
  REQUIRE_FALSE(r.relaxations.empty());
  bool names_ttft = false;
  for (const Relaxation& relaxation : r.relaxations) {
    INFO(relaxation.what << " " << relaxation.needed);
    names_ttft = names_ttft || relaxation.what == "slo.ttft_ms.p95";
    const auto relaxed =
        shipped().recommend(with(workload, relaxation.what, relaxation.needed), screening(1));
    CHECK_FALSE(relaxed.plans.empty());
  }
  CHECK(names_ttft);
}

}  // namespace
}  // namespace tensorpath
