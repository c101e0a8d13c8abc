// The denominator guard: what may be said of two figures, and what not.
// Uses: 1) `compare` flags or refuses what two plans, profiles or measurements do not share; 2) a
// ratio gets the name it has earned ("speedup" is the strongest and rarest); 3) a printed claim is
// held against its own arithmetic. The flags for readers: tensorpath-economics(7).
//
// A property that one side does not state is not equal: it raises the flag, and the text says who
// is silent. A figure that a side does not carry at all (no tok/s/GPU, no power) spoils nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/base/units.h>
#include <tensorpath/economics.h>

namespace tensorpath {

// Loads, lengths and interactivities this near are the same point: the tolerance by which a
// measured profile stands for a plan's point. Relative to the larger of the two.
inline constexpr double kSamePointTolerance = 0.05;
// TTFT holds the queue, so it swings more between runs of one point than TPOT does. A judgement.
inline constexpr double kSameTtftTolerance = 0.25;
// One point of quality. An exam of 1,319 questions (GSM8K) passed at 0.95 tells two models apart to
// a standard error of sqrt(2 * 0.95 * 0.05 / 1319) = 0.0085.
inline constexpr double kSameQualityTolerance = 0.01;
// Points of prefix-cache hit rate: each removes its share of prefill, so as near as lengths are.
inline constexpr double kSameHitRateTolerance = 0.05;
// Slack of Little's law. It is exact for time averages, but tok/s/user is published as a median or
// as the inverse of a mean TPOT, which lie some percent apart.
inline constexpr double kLittlesLawSlack = 0.10;
// A decimal slip (ms for s, k for M) is at least a factor of ten. Below it lie real differences: an
// untuned roofline is off by less than that.
inline constexpr double kOrderOfMagnitude = 10.0;

enum class TokenBasis : std::uint8_t { kUnknown, kOutput, kTotal };  // total: prompt and output
enum class GpuBasis : std::uint8_t { kUnknown, kAll, kDecodeOnly };  // what tok/s/GPU divides by
enum class CacheState : std::uint8_t { kUnknown, kCold, kWarm };     // prefix cache at the start
enum class Statistic : std::uint8_t { kUnknown, kMean, kP50, kP95, kP99 };
enum class RangeState : std::uint8_t { kUnknown, kMeasured, kExtrapolated };
[[nodiscard]] std::string_view to_string(TokenBasis basis);     // unknown | output | total
[[nodiscard]] std::string_view to_string(GpuBasis basis);       // unknown | all | decode_only
[[nodiscard]] std::string_view to_string(CacheState state);     // unknown | cold | warm
[[nodiscard]] std::string_view to_string(Statistic statistic);  // unknown | mean | p50 | p95 | p99

// One plan, profile or measurement as the guard sees it. Empty text and nullopt: not stated.
struct Comparable {
  std::string name;  // how texts call it: "plan 1", "profiles/a.json"
  std::string model;
  std::string tokenizer;  // Model::tokenizer: equal names count equal tokens
  std::string gpu;
  int n_gpus = 0;  // of the deployment; 0: not stated
  GpuBasis gpu_basis = GpuBasis::kUnknown;
  std::optional<int> decode_gpus;                // kDecodeOnly: how many tok_s_gpu divides by
  std::string weight_format, kv_format;          // canonical names
  std::optional<double> isl_tokens, osl_tokens;  // means
  std::optional<double> concurrency;             // requests in flight over the whole deployment
  std::optional<double> rate_rps;                // or requests per second, of the whole deployment
  std::optional<double> ttft_ms;
  std::optional<double> tok_s_user;
  std::optional<double> tok_s_gpu;
  TokenBasis token_basis = TokenBasis::kUnknown;
  std::optional<double> kw_per_gpu;
  PowerBasis power_basis = PowerBasis::kUnknown;
  std::optional<double> quality;  // share of the 16-bit model's, or an exam's score
  std::string engine, engine_version;
  CacheState cache = CacheState::kUnknown;
  std::optional<double> prefix_hit_rate;
  Statistic timing = Statistic::kUnknown;  // of ttft_ms and tok_s_user
  Provenance provenance = Provenance::kAssumed;
  RangeState range = RangeState::kUnknown;  // of what was measured for it; see beyond_range
};

// When each is raised. [R] refuses: no ratio of the quantities it spoils is printed. [F] flags: the
// ratio is printed under a lesser name.
enum class FlagCode : std::uint8_t {
  // [F] tok/s/user differ by > 5 %, or TTFT by > 25 %, or tok/s/user is not stated by one of two
  // that
  // carry a tok/s/GPU. Spoils throughput, cost and energy, which all trade against latency.
  kNotIsoLatency,
  // [R] both carry a power figure and their bases differ, or one does not name its basis. Spoils
  // energy.
  kMixedPowerBasis,
  // [R] both carry tok/s/GPU and one counts output, the other total tokens, or one does not say.
  // Spoils throughput, cost and energy.
  kMixedTokenBasis,
  // [R] both carry tok/s/GPU, one divides by all GPUs and the other by the decode GPUs; [F] when
  // one
  // does not say. Spoils throughput, cost and energy.
  kMixedGpuBasis,
  // [R] one side's own tok/s/GPU x GPUs exceeds concurrency x tok/s/user (x (ISL+OSL)/OSL for total
  // tokens) by > 10 %: it counts something else than it says. Not checked where one of the figures
  // is
  // not stated. Spoils throughput, cost and energy.
  kDenominatorMismatch,
  // [F] the tokenizers differ, or one is not stated and the models differ. Spoils everything that
  // counts tokens; TTFT stays.
  kDifferentTokenizer,
  // [F] one side lies outside what was measured for it. Spoils everything.
  kExtrapolated,
  // [R] a figure is off by a factor of ten or more from what its own inputs give (check_claim;
  // Little's
  // law exceeded tenfold). Spoils everything.
  kClaimOffByOrders,
  kDifferentModel,    // [F] the models differ or one is not stated. Spoils everything.
  kDifferentFormat,   // [F] weight or KV formats differ or one is not stated. Everything.
  kDifferentLengths,  // [F] mean ISL or OSL differ by > 5 %, or one is not stated. Everything.
  // [F] quality differs by > 0.01; or one is not stated and model or format differ. Everything.
  kDifferentQuality,
  kDifferentEngineVersion,  // [F] engine or version differ or one is not stated. Everything.
  // [F] one starts cold and the other warm, or their prefix hit rates lie > 5 points apart, or one
  // states neither. Everything.
  kDifferentCacheState,
  // [F] the statistic of the times differs or one is not stated. Spoils TTFT and tok/s/user.
  kDifferentTiming,
  // [F] requests in flight (else requests/s) of the deployments differ by > 5 %, or their numbers
  // of
  // GPUs differ, or one is not stated. Spoils TTFT and tok/s/user, which less load or more GPUs
  // buy.
  kDifferentLoad,
};
// NOT_ISO_LATENCY, ...
[[nodiscard]] std::string_view to_string(FlagCode code);

enum class Severity : std::uint8_t { kFlag, kRefuse };
[[nodiscard]] std::string_view to_string(Severity severity);  // flag | refuse

struct Flag {
  FlagCode code = FlagCode::kNotIsoLatency;
  Severity severity = Severity::kFlag;
  std::string text;  // one sentence with the two values; no trailing full stop
};

// All that the two do not share, in the order of FlagCode, each code at most once per side or pair.
// Symmetric but for the order of names in the texts.
[[nodiscard]] std::vector<Flag> guard(const Comparable& before, const Comparable& after);
// What one side says against itself: DENOMINATOR_MISMATCH, CLAIM_OFF_BY_ORDERS, EXTRAPOLATED.
[[nodiscard]] std::vector<Flag> guard_alone(const Comparable& figure);

// EXTRAPOLATED when `value` lies outside [lo, hi] widened by kSamePointTolerance. `what` names it
// with its unit: "concurrency".
[[nodiscard]] std::optional<Flag> beyond_range(std::string_view what, double value, double lo,
                                               double hi);
// CLAIM_OFF_BY_ORDERS when the two are a factor of ten or more apart, or one is zero, negative or
// not finite and the other is not. The text names the slip that the factor looks like.
[[nodiscard]] std::optional<Flag> check_claim(std::string_view what, double claimed,
                                              double computed);

// What a ratio is a ratio of. Cost and energy are per token of the token_basis of tok_s_gpu.
enum class Quantity : std::uint8_t { kTokSGpu, kTokSUser, kTtft, kUsdPerMtok, kKwhPerMtok };
[[nodiscard]] bool spoils(FlagCode code, Quantity quantity);

// How many times better `after` is than `before`: after/before for rates, before/after for times,
// costs and energy.
struct Ratio {
  std::optional<double>
      value;         // absent when refused, or when a figure is not above zero and finite
  std::string name;  // what it may be called; for refusals why there is none
  std::vector<FlagCode> because;
};
// The name, from the strongest to the weakest:
// - "speedup" ("slowdown" under 1): a rate or a time, nothing spoils it, both sides measured or
//   imported. For cost and energy "cost reduction" ("cost increase"), "energy reduction" (...).
// - "predicted ...": nothing spoils it, a side is calibrated or modeled; "assumed ...": is assumed.
// - "ratio of rates, not a speedup: NOT_ISO_LATENCY, ...": flags spoil it.
// - "no ratio: MIXED_TOKEN_BASIS": refused.
[[nodiscard]] Ratio ratio_of(Quantity quantity, double before, double after, Provenance weakest_of,
                             const std::vector<Flag>& flags);
// "5.79x (ratio of rates, not a speedup: NOT_ISO_LATENCY)", or the refusal.
[[nodiscard]] std::string render(const Ratio& ratio);

// {"code": "NOT_ISO_LATENCY", "severity": "flag", "text": "..."}
[[nodiscard]] Json to_json(const Flag& flag);
// {"value": 5.79, "name": "...", "because": ["..."]}; value null when there is none.
[[nodiscard]] Json to_json(const Ratio& ratio);

}  // namespace tensorpath
