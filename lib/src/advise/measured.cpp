#include "measured.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

// Whether any profile could stand for some point of the candidate: its three names are enough to
// leave the rest of the search untouched.
bool may_match(const ProfileStore& store, const Layout& layout) {
  return std::any_of(store.profiles().begin(), store.profiles().end(), [&](const Profile& p) {
    return p.point.model == layout.model->name && p.point.gpu == layout.gpu->name &&
           p.point.engine == layout.engine->name;
  });
}

// The measured mean and percentiles; a percentile that was not measured keeps the predicted shape
// around the measured mean.
void replace(const ProfileStat& measured, LatencyStat& stat) {
  if (!measured.any()) return;
  const double scale = measured.mean && stat.mean > 0 ? *measured.mean / stat.mean : 1;
  stat.mean = measured.mean.value_or(stat.mean);
  stat.p50 = measured.p50.value_or(stat.p50 * scale);
  stat.p95 = measured.p95.value_or(stat.p95 * scale);
}

// E2E follows from its parts, mean by mean; its spread stays the predicted one.
void replace_e2e(double osl, Prediction& at) {
  const double mean = at.ttft_ms.mean + std::max(0.0, osl - 1) * at.tpot_ms.mean;
  const double scale = at.e2e_ms.mean > 0 ? mean / at.e2e_ms.mean : 1;
  at.e2e_ms = {mean, at.e2e_ms.p50 * scale, at.e2e_ms.p95 * scale};
}

void take(const Question& question, const Profile& profile, Evaluated& evaluated) {
  evaluated.measured = &profile;
  Prediction& at = evaluated.at_load;
  replace(profile.ttft_ms, at.ttft_ms);
  replace(profile.tpot_ms, at.tpot_ms);
  const double osl = question.demand.shape.osl_mean;
  replace_e2e(osl, at);
  if (profile.output_tok_s && !question.demand.open && osl > 0) {
    evaluated.offered_rps = *profile.output_tok_s / osl;
    at.output_tok_s = *profile.output_tok_s / std::max(1, evaluated.replicas);
    at.request_rps = at.output_tok_s / osl;
    evaluated.capacity_rps = std::max(evaluated.capacity_rps, evaluated.offered_rps);
  }
}

}  // namespace

ProfilePoint point_of(const Question& question, const Evaluated& evaluated) {
  const Workload& workload = *question.workload;
  const Candidate& candidate = evaluated.candidate;
  const Layout& layout = candidate.layout;
  ProfilePoint point;
  point.model = layout.model->name;
  point.gpu = layout.gpu->name;
  point.n_gpus = evaluated.gpu_count;
  point.replicas = evaluated.replicas;
  point.engine = layout.engine->name;
  point.engine_version = layout.engine->release;
  point.weight_format = layout.weight->name;
  point.kv_format = layout.kv->name;
  point.tp = layout.tp;
  point.pp = layout.pp;
  point.ep = layout.ep;
  point.attn_dp = layout.attn_dp;
  point.max_batch = candidate.max_batch;
  point.spec = candidate.spec.method;
  point.disagg = candidate.disaggregated;
  point.prefix_hit_rate = question.demand.shape.prefix_hit_rate;
  point.arrivals = workload.arrivals;
  point.isl_tokens = workload.isl_tokens;
  point.osl_tokens = workload.osl_tokens;
  return point;
}

const Profile* use_profile(const Question& question, Evaluated& evaluated) {
  const ProfileStore* store = question.profiles;
  if (store == nullptr || !may_match(*store, evaluated.candidate.layout)) return nullptr;
  const Profile* profile = store->match(point_of(question, evaluated));
  if (profile != nullptr) take(question, *profile, evaluated);
  return profile;
}

void use_profiles(const Question& question, SearchResult& result) {
  const auto contradicted = [&](Evaluated& evaluated) {
    const Profile* profile = use_profile(question, evaluated);
    if (profile == nullptr) return false;
    const bool holds = missed_slo(question.workload->slo, evaluated.at_load).empty();
    if (holds && settle(question, evaluated).feasible && !evaluated.near_miss) return false;
    const Rejection reason = holds ? Rejection::kOverBudget : Rejection::kSloTooTight;
    if (result.tally.add(reason, 1)) {
      result.tally.example(reason) =
          fmt::format("{}: measured in profile {}", short_name(evaluated.candidate), profile->name);
    }
    return true;
  };
  result.plans.erase(std::remove_if(result.plans.begin(), result.plans.end(), contradicted),
                     result.plans.end());
}

}  // namespace tensorpath::advise
