// Contradictions between keys: each message names both places.
#include "document.h"
#include "read.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::workload_file {
namespace {

struct Bound {
  std::string_view percentile;
  double share;
  std::optional<double> ms;
};

std::array<Bound, 3> bounds_of(const Percentiles& p) {
  return {Bound{"p50", 0.50, p.p50}, Bound{"p95", 0.95, p.p95}, Bound{"p99", 0.99, p.p99}};
}

// One pass over a document; `at` names a value with its place, so that a message shows both.
class Checker {
 public:
  Checker(const YamlNode& root, const Workload& workload, Context& context)
      : root_(root), workload_(workload), context_(context) {}

  void check() {
    check_percentile_order("slo.ttft_ms", workload_.slo.ttft_ms);
    check_percentile_order("slo.tpot_ms", workload_.slo.tpot_ms);
    check_percentile_order("slo.e2e_ms", workload_.slo.e2e_ms);
    check_end_after_first_token();
    check_token_speed();
    check_goodput("ttft_ms", workload_.slo.ttft_ms, goodput().ttft_ms);
    check_goodput("tpot_ms", workload_.slo.tpot_ms, goodput().tpot_ms);
    check_goodput("e2e_ms", workload_.slo.e2e_ms, goodput().e2e_ms);
    if (lengths_are_known()) {
      check_single_token_answers();
      check_context();
      check_prefix();
    }
    check_arrivals();
    check_hardware();
  }

 private:
  // Lengths that could not be read were reported and are 0.
  [[nodiscard]] bool lengths_are_known() const {
    return workload_.isl_tokens.max_value() > 0 && workload_.osl_tokens.max_value() > 0;
  }

  [[nodiscard]] const Goodput& goodput() const {
    static const Goodput kNone;
    return workload_.slo.goodput ? *workload_.slo.goodput : kNone;
  }

  [[nodiscard]] SourceLocation where(std::string_view path) const {
    return where_path(root_, path);
  }

  // "slo.ttft_ms.p95 of 800 (chat.yaml:12:18)"
  [[nodiscard]] std::string at(std::string_view path, double value) const {
    return fmt::format("{} of {} ({})", path, value, where(path).to_string());
  }

  void add(std::string_view path, std::string message, std::string hint) {
    context_.problems.add(where(path), std::move(message), std::move(hint));
  }

  void check_percentile_order(const std::string& path, const Percentiles& p) {
    const auto bounds = bounds_of(p);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      for (std::size_t j = i + 1; j < bounds.size(); ++j) {
        if (!bounds[i].ms || !bounds[j].ms || *bounds[i].ms <= *bounds[j].ms) continue;
        const std::string low = fmt::format("{}.{}", path, bounds[i].percentile);
        const std::string high = fmt::format("{}.{}", path, bounds[j].percentile);
        add(low, fmt::format("{} is {}, more than {}", low, *bounds[i].ms, at(high, *bounds[j].ms)),
            fmt::format("a {} is at most the {}", bounds[i].percentile, bounds[j].percentile));
      }
    }
  }

  void check_end_before(const std::string& end_path, std::optional<double> end,
                        const std::string& first_path, std::optional<double> first) {
    if (!end || !first || *end >= *first) return;
    add(end_path, fmt::format("{} is {}, less than {}", end_path, *end, at(first_path, *first)),
        "a request ends after its first token: lower the TTFT bound or raise the E2E bound");
  }

  void check_end_after_first_token() {
    const auto ends = bounds_of(workload_.slo.e2e_ms);
    const auto firsts = bounds_of(workload_.slo.ttft_ms);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      check_end_before(fmt::format("slo.e2e_ms.{}", ends[i].percentile), ends[i].ms,
                       fmt::format("slo.ttft_ms.{}", firsts[i].percentile), firsts[i].ms);
    }
    check_end_before("slo.goodput.e2e_ms", goodput().e2e_ms, "slo.goodput.ttft_ms",
                     goodput().ttft_ms);
  }

  // min_tok_s_user bounds the median TPOT; a second bound on the same number must be the same.
  void check_token_speed() {
    const auto speed = workload_.slo.min_tok_s_user;
    const auto p50 = workload_.slo.tpot_ms.p50;
    // 2%: people round 1000/30 to 33.
    constexpr double kRounding = 0.02;
    if (!speed || !p50 || std::fabs(1000 / *speed - *p50) <= kRounding * *p50) return;
    add("slo.min_tok_s_user",
        fmt::format("slo.min_tok_s_user of {} is a median TPOT of {:.3g} ms, but there is {}",
                    *speed, 1000 / *speed, at("slo.tpot_ms.p50", *p50)),
        "both bound the same number: keep one");
  }

  // "95% of requests within 400 ms" and "p95 of 800 ms" bound the same number twice.
  void check_goodput(const std::string& metric, const Percentiles& p,
                     std::optional<double> threshold) {
    if (!threshold) return;
    const double share = goodput().min_share;
    const std::string good = "slo.goodput." + metric;
    const Goodput& all = goodput();
    const bool alone = (all.ttft_ms ? 1 : 0) + (all.tpot_ms ? 1 : 0) + (all.e2e_ms ? 1 : 0) == 1;
    for (const Bound& bound : bounds_of(p)) {
      if (!bound.ms) continue;
      const std::string path = fmt::format("slo.{}.{}", metric, bound.percentile);
      if (share >= bound.share && *threshold < *bound.ms) {
        add(good,
            fmt::format("{} is {} for {:g}% of requests, tighter than {}", good, *threshold,
                        100 * share, at(path, *bound.ms)),
            "the looser one says nothing: which is meant?");
        return;
      }
      if (alone && share <= bound.share && *threshold > *bound.ms) {
        add(good,
            fmt::format("{} is {} for {:g}% of requests, looser than {}", good, *threshold,
                        100 * share, at(path, *bound.ms)),
            "the looser one says nothing: which is meant?");
        return;
      }
    }
  }

  void check_single_token_answers() {
    if (workload_.osl_tokens.max_value() > 1) return;
    const char* hint = "bound ttft_ms or e2e_ms, or make the answers longer";
    const auto tell = [&](const char* path) {
      add(path,
          fmt::format("{} is bounded, but every answer is one token ({}): there is no TPOT", path,
                      where("requests.osl_tokens").to_string()),
          hint);
    };
    if (workload_.slo.tpot_ms.any()) tell("slo.tpot_ms");
    if (workload_.slo.min_tok_s_user) tell("slo.min_tok_s_user");
    if (goodput().tpot_ms) tell("slo.goodput.tpot_ms");
  }

  void check_context() {
    const double context = workload_.max_context_tokens;
    for (const std::string& name : workload_.models) {
      const Model* model = context_.catalog.find_model(name);
      if (model == nullptr || model->max_context_tokens <= 0) continue;
      if (context <= model->max_context_tokens) continue;
      add("requests.max_context_tokens",
          fmt::format("requests.max_context_tokens is {}, but {} takes at most {}", context, name,
                      model->max_context_tokens),
          "lower it, or take that model out");
    }
    const double prompt = workload_.isl_tokens.max_value();
    const double answer = workload_.osl_tokens.max_value();
    if (context > 0 && prompt + answer > context) {
      add("requests.isl_tokens",
          fmt::format("the longest prompt of {} and the longest answer of {} do not fit into "
                      "requests.max_context_tokens of {} ({})",
                      prompt, answer, context, where("requests.max_context_tokens").to_string()),
          fmt::format("raise requests.max_context_tokens to {} or cut the lengths with max",
                      prompt + answer));
      return;
    }
    const double adds = workload_.session.turn_input_tokens + workload_.osl_tokens.mean();
    const double last = workload_.isl_tokens.mean() + (workload_.session.turns - 1) * adds +
                        workload_.osl_tokens.mean();
    if (context > 0 && last > context) {
      add("session.turns",
          fmt::format(
              "turn {} holds {:.0f} tokens on average, more than requests.max_context_tokens "
              "of {} ({})",
              workload_.session.turns, last, context,
              where("requests.max_context_tokens").to_string()),
          "fewer turns, or a larger max_context_tokens");
    }
  }

  void check_prefix() {
    const Prefix& prefix = workload_.prefix;
    const double shared = prefix.stable_tokens + prefix.semi_stable_tokens;
    const double longest = workload_.isl_tokens.max_value();
    if (shared <= longest) return;
    const bool stable = prefix.stable_tokens > longest;
    add(stable ? "prefix.stable_tokens" : "prefix.semi_stable_tokens",
        fmt::format("{} shared tokens are more than the longest prompt of {} ({})", shared, longest,
                    where("requests.isl_tokens").to_string()),
        "the prefix is a part of requests.isl_tokens");
  }

  void check_arrivals() {
    const Arrivals& arrivals = workload_.arrivals;
    if (!arrivals.open() || arrivals.rate_rps > 0 || !workload_.hardware.owned.empty()) return;
    // A value or a list that could not be read was reported where it stands.
    if (find_path(root_, "arrivals.rate_rps") != nullptr ||
        arrivals.kind == Arrivals::Kind::kTrace || has_owned_hardware(root_)) {
      return;
    }
    add("arrivals", "arrivals.rate_rps is missing",
        "add 'rate_rps: N'; only with hardware.owned it may be left out, to ask for the load that "
        "the hardware carries");
  }

  void check_hardware() {
    const Hardware& hardware = workload_.hardware;
    if (hardware.allow.empty()) return;
    for (const OwnedGpus& owned : hardware.owned) {
      const auto& allow = hardware.allow;
      if (std::find(allow.begin(), allow.end(), owned.gpu) != allow.end()) continue;
      add("hardware.owned",
          fmt::format("hardware.owned has {}, which hardware.allow ({}) leaves out", owned.gpu,
                      where("hardware.allow").to_string()),
          fmt::format("add {} to hardware.allow", owned.gpu));
    }
  }

  const YamlNode& root_;
  const Workload& workload_;
  Context& context_;
};

}  // namespace

void check_workload(const YamlNode& root, const Workload& workload, Context& context) {
  Checker(root, workload, context).check();
}

}  // namespace tensorpath::workload_file
