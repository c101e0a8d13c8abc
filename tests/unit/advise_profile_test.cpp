// A measured profile that matches a plan in every key stands for the prediction.
#include "advise_fixture.h"

#include <filesystem>

#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/profile.h>

namespace tensorpath {
namespace {

using test::screening;
using test::shipped;

class ProfileDirectory {
 public:
  ProfileDirectory() {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_ / "profiles");
  }
  ~ProfileDirectory() { std::filesystem::remove_all(path_); }
  ProfileDirectory(const ProfileDirectory&) = delete;
  ProfileDirectory& operator=(const ProfileDirectory&) = delete;

  ProfileStore store(const Json& profile) {
    if (!write_file_atomic((path_ / "profiles/one.json").string(), to_text(profile))) std::abort();
    return test::value_or_throw(ProfileStore::load({path_.string()}));
  }

 private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("tensorpath_profiles_{}", getpid());
};

Workload closed_workload() {
  return shipped().workload(
      "type: chat\nmodels: [llama-3.1-8b]\n"
      "requests: {isl_tokens: 1024, osl_tokens: 256, max_context_tokens: 4096}\n"
      "arrivals: {kind: closed, concurrency: 16}\n"
      "prefix: {hit_rate: 0}\nsession: {turns: 1}\n"
      "slo: {ttft_ms: {p95: 5000}}\n"
      "hardware: {allow: [h100_sxm], max_gpus: 1}\n");
}

Json profile_of(const Plan& plan, const Workload& workload) {
  const Layout& l = plan.candidate.layout;
  // A little better than predicted, so that the plan keeps its place.
  const double ttft = 0.9 * plan.at_load.ttft_ms.mean;
  const double tpot = 0.9 * plan.at_load.tpot_ms.mean;
  return Json{{"schema", "tensorpath.profile/v1"},
              {"provenance", "measured"},
              {"source", {{"tool", "a test"}, {"date", "2026-08-21"}}},
              {"model", l.model->name},
              {"gpu", l.gpu->name},
              {"n_gpus", plan.gpu_count},
              {"replicas", plan.replicas},
              {"engine", l.engine->name},
              {"engine_version", l.engine->release},
              {"weight_format", l.weight->name},
              {"kv_format", l.kv->name},
              {"tp", l.tp},
              {"pp", l.pp},
              {"ep", l.ep},
              {"attn_dp", l.attn_dp},
              {"max_batch", plan.candidate.max_batch},
              {"spec", "none"},
              {"disagg", false},
              {"prefix_hit_rate", 0},
              {"arrivals", {{"kind", "closed"}, {"concurrency", workload.arrivals.concurrency}}},
              {"isl_tokens", 1024},
              {"osl_tokens", 256},
              {"ttft_ms", {{"mean", ttft}, {"p95", 0.9 * plan.at_load.ttft_ms.p95}}},
              {"tpot_ms", {{"mean", tpot}, {"p95", 0.9 * plan.at_load.tpot_ms.p95}}},
              {"output_tok_s", 1000 * 16 * 256 / (ttft + 255 * tpot)},  // Little's law
              {"errors", 0}};
}

const Plan* find(const Recommendation& r, const Plan& wanted) {
  for (const Plan& plan : r.plans) {
    if (short_name(plan) == short_name(wanted) &&
        plan.candidate.max_batch == wanted.candidate.max_batch) {
      return &plan;
    }
  }
  return nullptr;
}

TEST_CASE("a profile of a plan's very point replaces the prediction and is named") {
  const Workload workload = closed_workload();
  const Recommendation predicted = shipped().recommend(workload, screening());
  REQUIRE_FALSE(predicted.plans.empty());
  const Plan& target = predicted.plans.front();
  REQUIRE(target.measured_profile.empty());

  ProfileDirectory directory;
  const ProfileStore store = directory.store(profile_of(target, workload));
  Advisor advisor(shipped().catalog, shipped().calibration, &store);
  const Recommendation measured = test::value_or_throw(advisor.recommend(workload, screening()));
  const Plan* plan = find(measured, target);
  REQUIRE(plan != nullptr);
  CHECK(plan->measured_profile == "one");
  CHECK(plan->accuracy.provenance == Provenance::kMeasured);
  CHECK(plan->at_load.ttft_ms.mean == Approx(0.9 * target.at_load.ttft_ms.mean));
  CHECK(plan->at_load.ttft_ms.p95 == Approx(0.9 * target.at_load.ttft_ms.p95));
  CHECK(plan->at_load.tpot_ms.mean == Approx(0.9 * target.at_load.tpot_ms.mean));
  CHECK(plan->output_tok_s > target.output_tok_s);
  const Json json = to_json(*plan, 1, workload);
  CHECK(json["metrics"]["ttft_ms"]["provenance"] == "measured");
  CHECK(json["metrics"]["ttft_ms"]["band"].is_null());
}

TEST_CASE("a profile that lacks one key or differs in one replaces nothing") {
  const Workload workload = closed_workload();
  const Plan target = shipped().recommend(workload, screening()).plans.front();
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"kv_format", nullptr}, {"tp", 2}, {"isl_tokens", 1200}, {"engine_version", "0.1"}}) {
    Json profile = profile_of(target, workload);
    profile[key] = value;
    if (key == "tp") profile["n_gpus"] = 2;
    ProfileDirectory directory;
    const ProfileStore store = directory.store(profile);
    Advisor advisor(shipped().catalog, shipped().calibration, &store);
    const Recommendation r = test::value_or_throw(advisor.recommend(workload, screening()));
    const Plan* plan = find(r, target);
    INFO(key);
    REQUIRE(plan != nullptr);
    CHECK(plan->measured_profile.empty());
  }
}

TEST_CASE("a measured point that misses the SLO is no plan, however well it was predicted") {
  const Workload workload = closed_workload();
  const Plan target = shipped().recommend(workload, screening()).plans.front();
  Json profile = profile_of(target, workload);
  profile["ttft_ms"] = {{"mean", 4000.0}, {"p95", 9000.0}};
  profile["output_tok_s"] = nullptr;
  ProfileDirectory directory;
  const ProfileStore store = directory.store(profile);
  Advisor advisor(shipped().catalog, shipped().calibration, &store);
  const Recommendation r = test::value_or_throw(advisor.recommend(workload, screening()));
  CHECK(find(r, target) == nullptr);
}

}  // namespace
}  // namespace tensorpath
