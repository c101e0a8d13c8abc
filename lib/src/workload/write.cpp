// The workload in the keys of its file format, everything filled in: what reads back as the same.
#include <cmath>

#include <tensorpath/workload.h>

namespace tensorpath {
namespace {

// Digits that bring a double back.
constexpr int kAllDigits = 17;

Json number(double value) { return json_number(value, kAllDigits); }

template <typename Value>
void put(Json& out, const char* key, const std::optional<Value>& value) {
  if (value) out[key] = number(*value);
}

Json to_json(const LengthDist& dist) {
  switch (dist.kind) {
    case LengthDist::Kind::kFixed:
      return number(dist.value);
    case LengthDist::Kind::kUniform:
      return {{"dist", "uniform"}, {"min", number(dist.min)}, {"max", number(dist.max)}};
    case LengthDist::Kind::kLognormal: {
      Json out = {{"dist", "lognormal"},
                  {"p50", number(dist.p50)},
                  {"p95", number(dist.p95)},
                  {"min", number(dist.min)}};
      if (dist.max > 0) out["max"] = number(dist.max);
      return out;
    }
    case LengthDist::Kind::kTrace:
      break;
  }
  return {{"trace", dist.trace_path}};
}

Json to_json(const Arrivals& arrivals) {
  switch (arrivals.kind) {
    case Arrivals::Kind::kClosed:
      return {{"kind", "closed"}, {"concurrency", number(arrivals.concurrency)}};
    case Arrivals::Kind::kAllAtOnce:
      return {{"kind", "all_at_once"}, {"count", number(arrivals.count)}};
    case Arrivals::Kind::kTrace:
      return {{"kind", "trace"}, {"file", arrivals.trace_path}};
    case Arrivals::Kind::kPoisson:
    case Arrivals::Kind::kGamma:
      break;
  }
  const bool gamma = arrivals.kind == Arrivals::Kind::kGamma;
  Json out = {{"kind", gamma ? "gamma" : "poisson"}, {"rate_rps", nullptr}};
  if (arrivals.rate_rps > 0) out["rate_rps"] = number(arrivals.rate_rps);
  if (gamma) out["cv"] = number(arrivals.cv);
  return out;
}

Json to_json(const Percentiles& percentiles) {
  Json out = Json::object();
  put(out, "p50", percentiles.p50);
  put(out, "p95", percentiles.p95);
  put(out, "p99", percentiles.p99);
  return out;
}

Json to_json(const Slo& slo) {
  Json out = Json::object();
  if (slo.ttft_ms.any()) out["ttft_ms"] = to_json(slo.ttft_ms);
  if (slo.tpot_ms.any()) out["tpot_ms"] = to_json(slo.tpot_ms);
  if (slo.e2e_ms.any()) out["e2e_ms"] = to_json(slo.e2e_ms);
  put(out, "min_tok_s_user", slo.min_tok_s_user);
  put(out, "min_output_tok_s", slo.min_output_tok_s);
  if (slo.goodput) {
    Json goodput = Json::object();
    put(goodput, "ttft_ms", slo.goodput->ttft_ms);
    put(goodput, "tpot_ms", slo.goodput->tpot_ms);
    put(goodput, "e2e_ms", slo.goodput->e2e_ms);
    goodput["min_share"] = number(slo.goodput->min_share);
    out["goodput"] = std::move(goodput);
  }
  return out;
}

Json to_json(const Hardware& hardware) {
  Json out = Json::object();
  if (!hardware.allow.empty()) out["allow"] = hardware.allow;
  for (const OwnedGpus& owned : hardware.owned) {
    out["owned"].push_back({{"gpu", owned.gpu},
                            {"count", owned.count},
                            {"usd_per_gpu_hour", number(owned.usd_per_gpu_hour)}});
  }
  out["max_gpus"] = hardware.max_gpus;
  return out;
}

Json to_json(const CostSpec& cost) {
  Json out = {{"region", cost.region}, {"commitment", cost.commitment}};
  put(out, "max_usd_per_month", cost.max_usd_per_month);
  for (const auto& [gpu, usd] : cost.override_usd_per_gpu_hour) {
    out["overrides"].push_back({{"gpu", gpu}, {"usd_per_gpu_hour", number(usd)}});
  }
  out["usd_per_kwh"] = number(cost.usd_per_kwh);
  out["pue"] = number(cost.pue);
  return out;
}

}  // namespace

Json to_json(const Workload& workload) {
  Json out = {{"schema", "tensorpath.workload/v1"},
              {"name", workload.name},
              {"type", workload.type},
              {"models", workload.models}};
  if (!workload.tokens_of.empty()) out["tokens_of"] = workload.tokens_of;
  out["requests"] = {{"isl_tokens", to_json(workload.isl_tokens)},
                     {"osl_tokens", to_json(workload.osl_tokens)},
                     {"max_context_tokens", number(workload.max_context_tokens)}};
  out["arrivals"] = to_json(workload.arrivals);
  out["prefix"] = {{"stable_tokens", number(workload.prefix.stable_tokens)},
                   {"semi_stable_tokens", number(workload.prefix.semi_stable_tokens)},
                   {"hit_rate", nullptr}};
  put(out["prefix"], "hit_rate", workload.prefix.hit_rate);
  out["session"] = {{"turns", workload.session.turns},
                    {"turn_input_tokens", number(workload.session.turn_input_tokens)},
                    {"think_s", number(workload.session.think_s)},
                    {"tool_cpu_s", number(workload.session.tool_cpu_s)}};
  out["task"] = {{"success_rate", number(workload.task.success_rate)},
                 {"max_attempts", workload.task.max_attempts}};
  out["slo"] = to_json(workload.slo);
  out["hardware"] = to_json(workload.hardware);
  out["cost"] = to_json(workload.cost);
  out["availability"] = {{"spare_replicas", workload.availability.spare_replicas},
                         {"max_utilization", number(workload.availability.max_utilization)}};
  if (workload.quality_floor) out["quality_floor"] = number(*workload.quality_floor);
  out["priority"] = std::string(to_string(workload.priority));
  return out;
}

}  // namespace tensorpath
