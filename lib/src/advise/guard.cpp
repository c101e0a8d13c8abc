// The rules: which flags two figures raise, and which a figure raises against itself.
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <tensorpath/guard.h>

namespace tensorpath {
namespace {

struct Side {
  const Comparable& figure;
  std::string name;
};

struct Pair {
  Side a, b;
};

Pair named(const Comparable& before, const Comparable& after) {
  return {{before, before.name.empty() ? "the first" : before.name},
          {after, after.name.empty() ? "the second" : after.name}};
}

bool further_apart(double a, double b, double tolerance) {
  // Rounding never decides: a difference of exactly the tolerance is inside.
  constexpr double kRounding = 1e-9;
  return std::fabs(a - b) > (tolerance + kRounding) * std::max(std::fabs(a), std::fabs(b));
}

std::string shown(const std::string& value) { return value.empty() ? "not stated" : value; }
std::string shown(const std::optional<double>& value) {
  return value ? human_number(*value) : "not stated";
}

std::string both(const Pair& pair, std::string_view what, const std::string& a,
                 const std::string& b) {
  return fmt::format("{}: {} in {}, {} in {}", what, a, pair.a.name, b, pair.b.name);
}

bool carry_rate(const Pair& pair) { return pair.a.figure.tok_s_gpu && pair.b.figure.tok_s_gpu; }

using Flags = std::vector<Flag>;

void add(Flags& flags, FlagCode code, Severity severity, std::string text) {
  flags.push_back({code, severity, std::move(text)});
}

void check_latency(const Pair& pair, Flags& flags) {
  const Comparable& a = pair.a.figure;
  const Comparable& b = pair.b.figure;
  if (a.tok_s_user && b.tok_s_user) {
    if (further_apart(*a.tok_s_user, *b.tok_s_user, kSamePointTolerance)) {
      return add(flags, FlagCode::kNotIsoLatency, Severity::kFlag,
                 both(pair, "tok/s/user", shown(a.tok_s_user), shown(b.tok_s_user)));
    }
  } else if (carry_rate(pair)) {
    return add(flags, FlagCode::kNotIsoLatency, Severity::kFlag,
               both(pair, "tok/s/user", shown(a.tok_s_user), shown(b.tok_s_user)));
  }
  if (a.ttft_ms && b.ttft_ms && further_apart(*a.ttft_ms, *b.ttft_ms, kSameTtftTolerance)) {
    add(flags, FlagCode::kNotIsoLatency, Severity::kFlag,
        both(pair, "TTFT in ms", shown(a.ttft_ms), shown(b.ttft_ms)));
  }
}

void check_bases(const Pair& pair, Flags& flags) {
  const Comparable& a = pair.a.figure;
  const Comparable& b = pair.b.figure;
  if (a.kw_per_gpu && b.kw_per_gpu &&
      (a.power_basis != b.power_basis || a.power_basis == PowerBasis::kUnknown)) {
    add(flags, FlagCode::kMixedPowerBasis, Severity::kRefuse,
        both(pair, "power counts", std::string(to_string(a.power_basis)),
             std::string(to_string(b.power_basis))));
  }
  if (!carry_rate(pair)) return;
  if (a.token_basis != b.token_basis || a.token_basis == TokenBasis::kUnknown) {
    add(flags, FlagCode::kMixedTokenBasis, Severity::kRefuse,
        both(pair, "tok/s/GPU counts tokens", std::string(to_string(a.token_basis)),
             std::string(to_string(b.token_basis))));
  }
  const bool silent = a.gpu_basis == GpuBasis::kUnknown || b.gpu_basis == GpuBasis::kUnknown;
  if (silent || a.gpu_basis != b.gpu_basis) {
    add(flags, FlagCode::kMixedGpuBasis, silent ? Severity::kFlag : Severity::kRefuse,
        both(pair, "tok/s/GPU divides by GPUs", std::string(to_string(a.gpu_basis)),
             std::string(to_string(b.gpu_basis))));
  }
}

bool same_text(const std::string& a, const std::string& b) { return !a.empty() && a == b; }

bool same_format(const Comparable& a, const Comparable& b) {
  return same_text(a.weight_format, b.weight_format) && same_text(a.kv_format, b.kv_format);
}

void check_what_is_served(const Pair& pair, Flags& flags) {
  const Comparable& a = pair.a.figure;
  const Comparable& b = pair.b.figure;
  const bool same_model = same_text(a.model, b.model);
  const bool silent = a.tokenizer.empty() || b.tokenizer.empty();
  if (silent ? !same_model : a.tokenizer != b.tokenizer) {
    add(flags, FlagCode::kDifferentTokenizer, Severity::kFlag,
        both(pair, "tokenizer", shown(a.tokenizer), shown(b.tokenizer)));
  }
  if (!same_model) {
    add(flags, FlagCode::kDifferentModel, Severity::kFlag,
        both(pair, "model", shown(a.model), shown(b.model)));
  }
  if (!same_format(a, b)) {
    add(flags, FlagCode::kDifferentFormat, Severity::kFlag,
        both(pair, "weights/KV", shown(a.weight_format) + "/" + shown(a.kv_format),
             shown(b.weight_format) + "/" + shown(b.kv_format)));
  }
  const bool quality_known = a.quality && b.quality;
  constexpr double kRounding = 1e-9;
  if (quality_known ? std::fabs(*a.quality - *b.quality) > kSameQualityTolerance + kRounding
                    : !(same_model && same_format(a, b))) {
    add(flags, FlagCode::kDifferentQuality, Severity::kFlag,
        both(pair, "quality", shown(a.quality), shown(b.quality)));
  }
}

bool same_point(const std::optional<double>& a, const std::optional<double>& b) {
  return a && b && !further_apart(*a, *b, kSamePointTolerance);
}

void check_lengths_and_load(const Pair& pair, Flags& flags) {
  const Comparable& a = pair.a.figure;
  const Comparable& b = pair.b.figure;
  if (!same_point(a.isl_tokens, b.isl_tokens) || !same_point(a.osl_tokens, b.osl_tokens)) {
    add(flags, FlagCode::kDifferentLengths, Severity::kFlag,
        both(pair, "mean ISL/OSL", shown(a.isl_tokens) + "/" + shown(a.osl_tokens),
             shown(b.isl_tokens) + "/" + shown(b.osl_tokens)));
  }
  const bool by_rate = !(a.concurrency && b.concurrency) && a.rate_rps && b.rate_rps;
  const std::optional<double>& load_a = by_rate ? a.rate_rps : a.concurrency;
  const std::optional<double>& load_b = by_rate ? b.rate_rps : b.concurrency;
  if (!same_point(load_a, load_b)) {
    add(flags, FlagCode::kDifferentLoad, Severity::kFlag,
        both(pair, by_rate ? "requests/s" : "requests in flight", shown(load_a), shown(load_b)));
  } else if (a.n_gpus != b.n_gpus || a.n_gpus <= 0) {
    const auto gpus = [](int n) { return n > 0 ? std::to_string(n) : std::string("not stated"); };
    add(flags, FlagCode::kDifferentLoad, Severity::kFlag,
        both(pair, "GPUs for the same load", gpus(a.n_gpus), gpus(b.n_gpus)));
  }
}

bool same_cache(const Comparable& a, const Comparable& b) {
  const bool rates = a.prefix_hit_rate && b.prefix_hit_rate;
  const bool states = a.cache != CacheState::kUnknown && b.cache != CacheState::kUnknown;
  constexpr double kRounding = 1e-9;
  if (rates &&
      std::fabs(*a.prefix_hit_rate - *b.prefix_hit_rate) > kSameHitRateTolerance + kRounding) {
    return false;
  }
  if (states && a.cache != b.cache) return false;
  return rates || states;
}

std::string shown_cache(const Comparable& figure) {
  return fmt::format("{}, hit rate {}", to_string(figure.cache), shown(figure.prefix_hit_rate));
}

void check_how_it_ran(const Pair& pair, Flags& flags) {
  const Comparable& a = pair.a.figure;
  const Comparable& b = pair.b.figure;
  if (!same_text(a.engine, b.engine) || !same_text(a.engine_version, b.engine_version)) {
    const auto engine = [](const Comparable& figure) {
      return figure.engine.empty() && figure.engine_version.empty()
                 ? std::string("not stated")
                 : fmt::format("{} {}", figure.engine.empty() ? "unnamed" : figure.engine,
                               figure.engine_version.empty() ? "(version not stated)"
                                                             : figure.engine_version);
    };
    add(flags, FlagCode::kDifferentEngineVersion, Severity::kFlag,
        both(pair, "engine", engine(a), engine(b)));
  }
  if (!same_cache(a, b)) {
    add(flags, FlagCode::kDifferentCacheState, Severity::kFlag,
        both(pair, "prefix cache", shown_cache(a), shown_cache(b)));
  }
  if (a.timing != b.timing || a.timing == Statistic::kUnknown) {
    add(flags, FlagCode::kDifferentTiming, Severity::kFlag,
        both(pair, "times are", std::string(to_string(a.timing)),
             std::string(to_string(b.timing))));
  }
}

// The GPUs that tok_s_gpu divides by; nullopt when that is not stated.
std::optional<int> denominator_gpus(const Comparable& figure) {
  if (figure.gpu_basis == GpuBasis::kDecodeOnly) return figure.decode_gpus;
  if (figure.n_gpus > 0) return figure.n_gpus;
  return std::nullopt;
}

// Total tokens per output token; nullopt when the lengths are not stated.
std::optional<double> total_per_output(const Comparable& figure) {
  if (!figure.isl_tokens || !figure.osl_tokens || !(*figure.osl_tokens > 0)) return std::nullopt;
  return (*figure.isl_tokens + *figure.osl_tokens) / *figure.osl_tokens;
}

void check_littles_law(const Comparable& figure, const std::string& name, Flags& flags) {
  const std::optional<int> gpus = denominator_gpus(figure);
  if (!gpus || !figure.concurrency || !figure.tok_s_user || !figure.tok_s_gpu) return;
  const std::optional<double> ratio = total_per_output(figure);
  const bool total = figure.token_basis == TokenBasis::kTotal;
  if (total && !ratio) return;
  const double bound = littles_law_output_tok_s(*figure.concurrency, *figure.tok_s_user);
  const double allowed = total ? bound * *ratio : bound;
  const double claimed = *figure.tok_s_gpu * *gpus;
  if (!(claimed > allowed * (1 + kLittlesLawSlack))) return;
  std::string text = fmt::format(
      "{}: {} tok/s/GPU on {} GPUs is {} tok/s, but {} requests in flight at {} tok/s/user bound "
      "it "
      "by {}",
      name, human_number(*figure.tok_s_gpu), *gpus, human_number(claimed),
      human_number(*figure.concurrency), human_number(*figure.tok_s_user), human_number(allowed));
  if (!total && ratio && claimed <= bound * *ratio * (1 + kLittlesLawSlack)) {
    text += "; it would fit as total tokens";
  }
  add(flags, FlagCode::kDenominatorMismatch, Severity::kRefuse, std::move(text));
  if (claimed >= allowed * kOrderOfMagnitude) {
    add(flags, FlagCode::kClaimOffByOrders, Severity::kRefuse,
        fmt::format("{}: {} tok/s is {} times what its requests in flight can receive", name,
                    human_number(claimed), human_number(claimed / allowed)));
  }
}

void check_alone(const Comparable& figure, const std::string& name, Flags& flags) {
  check_littles_law(figure, name, flags);
  if (figure.range == RangeState::kExtrapolated) {
    add(flags, FlagCode::kExtrapolated, Severity::kFlag,
        fmt::format("{} lies outside what was measured for it", name));
  }
}

void sort_by_code(Flags& flags) {
  std::stable_sort(flags.begin(), flags.end(),
                   [](const Flag& a, const Flag& b) { return a.code < b.code; });
}

}  // namespace

std::vector<Flag> guard(const Comparable& before, const Comparable& after) {
  const Pair pair = named(before, after);
  Flags flags;
  check_latency(pair, flags);
  check_bases(pair, flags);
  check_alone(before, pair.a.name, flags);
  check_alone(after, pair.b.name, flags);
  check_what_is_served(pair, flags);
  check_lengths_and_load(pair, flags);
  check_how_it_ran(pair, flags);
  sort_by_code(flags);
  return flags;
}

std::vector<Flag> guard_alone(const Comparable& figure) {
  Flags flags;
  check_alone(figure, figure.name.empty() ? "it" : figure.name, flags);
  sort_by_code(flags);
  return flags;
}

std::optional<Flag> beyond_range(std::string_view what, double value, double lo, double hi) {
  if (value >= lo * (1 - kSamePointTolerance) && value <= hi * (1 + kSamePointTolerance)) {
    return std::nullopt;
  }
  const std::string measured =
      lo == hi ? human_number(lo) : human_number(lo) + " to " + human_number(hi);
  return Flag{FlagCode::kExtrapolated, Severity::kFlag,
              fmt::format("{} is {}; measured was {}", what, human_number(value), measured)};
}

namespace {

// What a factor near one of these usually is. Near is within a tenth: the claim itself is rounded.
std::string likely_slip(double factor) {
  struct Slip {
    double factor;
    const char* text;
  };
  for (const Slip& slip :
       {Slip{10, "one decimal place"}, Slip{60, "minutes for seconds"},
        Slip{1e3, "a thousand: ms for s, or a lost k"}, Slip{3600, "hours for seconds"},
        Slip{1e6, "a million: us for s, or a lost M"},
        Slip{1e9, "a billion: ns for s, or a lost G"}}) {
    if (std::fabs(factor / slip.factor - 1) <= 0.1) {
      return fmt::format("; looks like {}", slip.text);
    }
  }
  return {};
}

}  // namespace

std::optional<Flag> check_claim(std::string_view what, double claimed, double computed) {
  const auto usable = [](double value) { return std::isfinite(value) && value > 0; };
  std::string text = fmt::format("{}: claimed {}, its inputs give {}", what, human_number(claimed),
                                 human_number(computed));
  if (!usable(claimed) || !usable(computed)) {
    if (claimed == computed) return std::nullopt;
    return Flag{FlagCode::kClaimOffByOrders, Severity::kRefuse, std::move(text)};
  }
  const double factor = std::max(claimed / computed, computed / claimed);
  constexpr double kRounding =
      1e-9;  // 5.0 s against 0.5 s is ten times, whatever the last bit says
  if (factor < kOrderOfMagnitude * (1 - kRounding)) return std::nullopt;
  text += fmt::format(", {} times {}{}", human_number(factor), claimed > computed ? "less" : "more",
                      likely_slip(factor));
  return Flag{FlagCode::kClaimOffByOrders, Severity::kRefuse, std::move(text)};
}

}  // namespace tensorpath
