#include "profile_check.h"

#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace tensorpath::profile_file {
namespace {

// Little's law is exact for time averages; a run of finite length fills up and drains, and means
// over requests are not means over time. Honest runs of 10 rounds lie within some percent.
constexpr double kLittlesLawSlack = 0.10;

SourceLocation place(const YamlNode& document, std::string_view key) {
  const YamlNode* found = document.find(key);
  return found != nullptr ? found->where : document.where;
}

void check_order(const YamlNode& document, std::string_view key, const ProfileStat& stat,
                 Diagnostics& diagnostics) {
  const auto rising = [&](const std::optional<double>& low, const std::optional<double>& high,
                          std::string_view low_name, std::string_view high_name) {
    if (!low || !high || *low <= *high) return;
    diagnostics.add(place(document, key),
                    fmt::format("{0}.{1} is {2} and {0}.{3} is {4}; a higher percentile cannot be "
                                "lower",
                                key, low_name, *low, high_name, *high));
  };
  rising(stat.p50, stat.p95, "p50", "p95");
  rising(stat.p95, stat.p99, "p95", "p99");
  if (!stat.p95) rising(stat.p50, stat.p99, "p50", "p99");
}

// GPUs of a deployment: replicas * pp * tp * attn_dp. Disaggregated ones have two kinds of replica.
void check_layout(const YamlNode& document, const ProfilePoint& point, Diagnostics& diagnostics) {
  const bool disagg = point.disagg.value_or(false);
  if (point.tp && point.attn_dp && point.ep && (*point.tp * *point.attn_dp) % *point.ep != 0) {
    diagnostics.add(place(document, "ep"),
                    fmt::format("ep is {}, expected a divisor of tp * attn_dp = {}", *point.ep,
                                *point.tp * *point.attn_dp));
  }
  if (disagg || !point.n_gpus || !point.replicas || !point.tp || !point.pp || !point.attn_dp) {
    return;
  }
  const double gpus = static_cast<double>(*point.replicas) * *point.tp * *point.pp * *point.attn_dp;
  if (gpus != *point.n_gpus) {
    diagnostics.add(
        place(document, "n_gpus"),
        fmt::format("n_gpus is {}, but replicas * tp * pp * attn_dp is {}", *point.n_gpus, gpus));
  }
}

}  // namespace

void check_profile(const YamlNode& document, const Profile& profile, Diagnostics& diagnostics) {
  check_order(document, "ttft_ms", profile.ttft_ms, diagnostics);
  check_order(document, "tpot_ms", profile.tpot_ms, diagnostics);
  check_layout(document, profile.point, diagnostics);
  const auto& requests = profile.measured_requests;
  if (requests && profile.errors && *profile.errors > *requests) {
    diagnostics.add(place(document, "errors"),
                    fmt::format("{} errors in {} requests", *profile.errors, *requests));
  }
  if (!profile.ttft_ms.any() && !profile.tpot_ms.any() && !profile.output_tok_s) {
    diagnostics.add(document.where, "the profile holds no figure",
                    "give ttft_ms, tpot_ms or output_tok_s");
  }
}

std::vector<std::string> flags_of(const Profile& profile) {
  std::vector<std::string> flags;
  const std::optional<double> implied = implied_concurrency(profile);
  if (!implied) return flags;
  const double stated = profile.point.arrivals->concurrency;
  if (std::fabs(*implied - stated) > kLittlesLawSlack * std::max(*implied, stated)) {
    flags.push_back(
        fmt::format("DENOMINATOR_MISMATCH: by Little's law output_tok_s, ttft_ms and tpot_ms make "
                    "{:.4g} requests in flight, concurrency is {:.4g}",
                    *implied, stated));
  }
  return flags;
}

}  // namespace tensorpath::profile_file

namespace tensorpath {

std::optional<double> implied_concurrency(const Profile& profile) {
  const ProfilePoint& point = profile.point;
  const bool closed = point.arrivals && point.arrivals->kind == Arrivals::Kind::kClosed;
  if (!closed || !point.osl_tokens || !profile.output_tok_s || !profile.ttft_ms.mean ||
      !profile.tpot_ms.mean) {
    return std::nullopt;
  }
  const double osl = point.osl_tokens->mean();
  if (osl < 1) return std::nullopt;
  const double seconds = (*profile.ttft_ms.mean + *profile.tpot_ms.mean * (osl - 1)) / 1000;
  return *profile.output_tok_s / osl * seconds;
}

}  // namespace tensorpath
