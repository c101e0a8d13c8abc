// The words: names of codes and bases, and the name that a ratio has earned.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/guard.h>

namespace tensorpath {

std::string_view to_string(TokenBasis basis) {
  constexpr std::array<std::string_view, 3> kNames{"unknown", "output", "total"};
  return kNames[static_cast<std::size_t>(basis)];
}

std::string_view to_string(GpuBasis basis) {
  constexpr std::array<std::string_view, 3> kNames{"unknown", "all", "decode_only"};
  return kNames[static_cast<std::size_t>(basis)];
}

std::string_view to_string(CacheState state) {
  constexpr std::array<std::string_view, 3> kNames{"unknown", "cold", "warm"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_string(Statistic statistic) {
  constexpr std::array<std::string_view, 5> kNames{"unknown", "mean", "p50", "p95", "p99"};
  return kNames[static_cast<std::size_t>(statistic)];
}

std::string_view to_string(FlagCode code) {
  switch (code) {
    case FlagCode::kNotIsoLatency:
      return "NOT_ISO_LATENCY";
    case FlagCode::kMixedPowerBasis:
      return "MIXED_POWER_BASIS";
    case FlagCode::kMixedTokenBasis:
      return "MIXED_TOKEN_BASIS";
    case FlagCode::kMixedGpuBasis:
      return "MIXED_GPU_BASIS";
    case FlagCode::kDenominatorMismatch:
      return "DENOMINATOR_MISMATCH";
    case FlagCode::kDifferentTokenizer:
      return "DIFFERENT_TOKENIZER";
    case FlagCode::kExtrapolated:
      return "EXTRAPOLATED";
    case FlagCode::kClaimOffByOrders:
      return "CLAIM_OFF_BY_ORDERS";
    case FlagCode::kDifferentModel:
      return "DIFFERENT_MODEL";
    case FlagCode::kDifferentFormat:
      return "DIFFERENT_FORMAT";
    case FlagCode::kDifferentLengths:
      return "DIFFERENT_LENGTHS";
    case FlagCode::kDifferentQuality:
      return "DIFFERENT_QUALITY";
    case FlagCode::kDifferentEngineVersion:
      return "DIFFERENT_ENGINE_VERSION";
    case FlagCode::kDifferentCacheState:
      return "DIFFERENT_CACHE_STATE";
    case FlagCode::kDifferentTiming:
      return "DIFFERENT_TIMING";
    case FlagCode::kDifferentLoad:
      break;
  }
  return "DIFFERENT_LOAD";
}

std::string_view to_string(Severity severity) {
  return severity == Severity::kRefuse ? "refuse" : "flag";
}

bool spoils(FlagCode code, Quantity quantity) {
  const bool latency = quantity == Quantity::kTokSUser || quantity == Quantity::kTtft;
  switch (code) {
    case FlagCode::kMixedPowerBasis:
      return quantity == Quantity::kKwhPerMtok;
    case FlagCode::kNotIsoLatency:
    case FlagCode::kMixedTokenBasis:
    case FlagCode::kMixedGpuBasis:
    case FlagCode::kDenominatorMismatch:
      return !latency;
    case FlagCode::kDifferentTokenizer:
      return quantity != Quantity::kTtft;
    case FlagCode::kDifferentTiming:
    case FlagCode::kDifferentLoad:
      return latency;
    case FlagCode::kExtrapolated:
    case FlagCode::kClaimOffByOrders:
    case FlagCode::kDifferentModel:
    case FlagCode::kDifferentFormat:
    case FlagCode::kDifferentLengths:
    case FlagCode::kDifferentQuality:
    case FlagCode::kDifferentEngineVersion:
    case FlagCode::kDifferentCacheState:
      break;
  }
  return true;
}

namespace {

struct Wording {
  std::string_view ratio_of_what;
  std::string_view better;
  std::string_view worse;
};

Wording wording(Quantity quantity) {
  switch (quantity) {
    case Quantity::kTtft:
      return {"ratio of times", "speedup", "slowdown"};
    case Quantity::kUsdPerMtok:
      return {"ratio of costs", "cost reduction", "cost increase"};
    case Quantity::kKwhPerMtok:
      return {"ratio of energies", "energy reduction", "energy increase"};
    case Quantity::kTokSGpu:
    case Quantity::kTokSUser:
      break;
  }
  return {"ratio of rates", "speedup", "slowdown"};
}

std::string_view evidence_prefix(Provenance weakest_of) {
  switch (weakest_of) {
    case Provenance::kMeasured:
    case Provenance::kImported:
      return "";
    case Provenance::kCalibrated:
    case Provenance::kModeled:
      return "predicted ";
    case Provenance::kAssumed:
      break;
  }
  return "assumed ";
}

std::string joined(const std::vector<FlagCode>& codes) {
  std::string text;
  for (const FlagCode code : codes) {
    if (!text.empty()) text += ", ";
    text += to_string(code);
  }
  return text;
}

// The distinct codes among `flags` that spoil the quantity, in the order given.
std::vector<FlagCode> spoiling(const std::vector<Flag>& flags, Quantity quantity,
                               bool refusals_only) {
  std::vector<FlagCode> codes;
  for (const Flag& flag : flags) {
    if (!spoils(flag.code, quantity)) continue;
    if (refusals_only && flag.severity != Severity::kRefuse) continue;
    if (std::find(codes.begin(), codes.end(), flag.code) == codes.end()) {
      codes.push_back(flag.code);
    }
  }
  return codes;
}

}  // namespace

Ratio ratio_of(Quantity quantity, double before, double after, Provenance weakest_of,
               const std::vector<Flag>& flags) {
  Ratio ratio;
  ratio.because = spoiling(flags, quantity, true);
  if (!ratio.because.empty()) {
    ratio.name = "no ratio: " + joined(ratio.because);
    return ratio;
  }
  const auto usable = [](double value) { return std::isfinite(value) && value > 0; };
  if (!usable(before) || !usable(after)) {
    ratio.name = "no ratio: a figure is not above zero and finite";
    return ratio;
  }
  const bool more_is_better = quantity == Quantity::kTokSGpu || quantity == Quantity::kTokSUser;
  const double value = more_is_better ? after / before : before / after;
  if (!usable(value)) {
    ratio.name = "no ratio: the figures are too far apart to divide";
    return ratio;
  }
  ratio.value = value;
  const Wording words = wording(quantity);
  ratio.because = spoiling(flags, quantity, false);
  if (ratio.because.empty()) {
    ratio.name = fmt::format("{}{}", evidence_prefix(weakest_of),
                             *ratio.value >= 1 ? words.better : words.worse);
  } else {
    ratio.name =
        fmt::format("{}, not a {}: {}", words.ratio_of_what, words.better, joined(ratio.because));
  }
  return ratio;
}

std::string render(const Ratio& ratio) {
  if (!ratio.value) return ratio.name;
  return fmt::format("{}x ({})", human_number(*ratio.value), ratio.name);
}

Json to_json(const Flag& flag) {
  Json json = Json::object();
  json["code"] = std::string(to_string(flag.code));
  json["severity"] = std::string(to_string(flag.severity));
  json["text"] = flag.text;
  return json;
}

Json to_json(const Ratio& ratio) {
  Json json = Json::object();
  json["value"] = ratio.value ? json_number(*ratio.value) : Json();
  json["name"] = ratio.name;
  json["because"] = Json::array();
  for (const FlagCode code : ratio.because) json["because"].push_back(std::string(to_string(code)));
  return json;
}

}  // namespace tensorpath
