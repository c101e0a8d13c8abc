#include "profile_keys.h"

#include <algorithm>

#include <tensorpath/profile.h>

namespace tensorpath {
namespace {

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// A whole number is written as one: 1024, not 1024.0.
Json number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? Json(whole) : Json(value);
}

Json number_or_null(const std::optional<double>& value) {
  return value ? number(*value) : Json(nullptr);
}

Json lengths_json(const std::optional<LengthDist>& lengths) {
  if (!lengths) return nullptr;
  switch (lengths->kind) {
    case LengthDist::Kind::kUniform:
      return {{"dist", "uniform"}, {"min", number(lengths->min)}, {"max", number(lengths->max)}};
    case LengthDist::Kind::kLognormal: {
      Json json = {
          {"dist", "lognormal"}, {"p50", number(lengths->p50)}, {"p95", number(lengths->p95)}};
      if (lengths->min > 0) json["min"] = number(lengths->min);
      if (lengths->max > 0) json["max"] = number(lengths->max);
      return json;
    }
    default:
      return number(lengths->value);
  }
}

Json arrivals_json(const Profile& profile) {
  const std::optional<Arrivals>& arrivals = profile.point.arrivals;
  if (!arrivals) return nullptr;
  Json json = Json::object();
  for (const auto& [word, kind] : profile_file::kArrivalKinds) {
    if (kind == arrivals->kind) json["kind"] = word;
  }
  switch (arrivals->kind) {
    case Arrivals::Kind::kClosed:
      json["concurrency"] = number(arrivals->concurrency);
      break;
    case Arrivals::Kind::kGamma:
      json["rate_rps"] = number(arrivals->rate_rps);
      json["cv"] = number(arrivals->cv);
      break;
    case Arrivals::Kind::kPoisson:
      json["rate_rps"] = number(arrivals->rate_rps);
      break;
    default:
      json["count"] = number(arrivals->count);
  }
  json["warmup"] = or_null(profile.warmup_requests);
  json["requests"] = or_null(profile.measured_requests);
  return json;
}

Json stat_json(const ProfileStat& stat) {
  return {{"mean", number_or_null(stat.mean)},
          {"p50", number_or_null(stat.p50)},
          {"p95", number_or_null(stat.p95)},
          {"p99", number_or_null(stat.p99)}};
}

}  // namespace

Json profile_json(const Profile& profile) {
  const ProfilePoint& point = profile.point;
  return {{"schema", profile_file::kSchema},
          {"provenance", to_string(profile.provenance)},
          {"source",
           {{"tool", profile.source.tool},
            {"sha256", or_null(profile.source.sha256)},
            {"date", or_null(profile.source.date)}}},
          {"model", or_null(point.model)},
          {"gpu", or_null(point.gpu)},
          {"n_gpus", or_null(point.n_gpus)},
          {"replicas", or_null(point.replicas)},
          {"engine", or_null(point.engine)},
          {"engine_version", or_null(point.engine_version)},
          {"weight_format", or_null(point.weight_format)},
          {"kv_format", or_null(point.kv_format)},
          {"tp", or_null(point.tp)},
          {"pp", or_null(point.pp)},
          {"ep", or_null(point.ep)},
          {"attn_dp", or_null(point.attn_dp)},
          {"max_batch", or_null(point.max_batch)},
          {"spec", or_null(point.spec)},
          {"disagg", or_null(point.disagg)},
          {"prefix_hit_rate", number_or_null(point.prefix_hit_rate)},
          {"arrivals", arrivals_json(profile)},
          {"isl_tokens", lengths_json(point.isl_tokens)},
          {"osl_tokens", lengths_json(point.osl_tokens)},
          {"ttft_ms", stat_json(profile.ttft_ms)},
          {"tpot_ms", stat_json(profile.tpot_ms)},
          {"output_tok_s", number_or_null(profile.output_tok_s)},
          {"errors", or_null(profile.errors)}};
}

}  // namespace tensorpath
