#include "disaggregate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace tensorpath::advise {
namespace {

// Prefill layouts tried for a decode layout: the best of its family by their own scores.
constexpr int kPartners = 4;
// A pool is not sized to the last per cent: Poisson bursts need room, whatever the workload allows.
constexpr double kPoolUtilization = 0.9;
// Halvings of a range of eight to 1%, and some.
constexpr int kMostRounds = 64;
constexpr double kZ95 = 1.6448536269514722;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

double pool_utilization(const Demand& demand) {
  return std::min(kPoolUtilization, demand.max_utilization);
}

// Milliseconds to compute a prompt of `tokens`, in chunks of the step's token budget.
double prompt_ms(const CompiledLayout& prefill, const Candidate& candidate, double tokens) {
  const double chunk = std::max(1, candidate.max_batched_tokens);
  double done = 0;
  double ms = 0;
  while (done < tokens) {
    StepLoad load;
    load.prefill_tokens = std::min(chunk, tokens - done);
    load.prefill_context_tokens = done;
    ms += step_ms(prefill.step, load);
    done += load.prefill_tokens;
  }
  return ms;
}

// The KV cache of one prompt over the scale-up or scale-out link, whichever joins the pools.
double transfer_ms(const CompiledLayout& prefill, double tokens) {
  const Layout& layout = prefill.layout;
  const double bytes = tokens * prefill.memory.kv_bytes_per_token * layout.tp * layout.pp;
  const double bytes_s =
      layout.gpu->scale_out_bytes_s > 0 ? layout.gpu->scale_out_bytes_s : layout.gpu->link_bytes_s;
  return bytes_s > 0 ? 1000 * bytes / (bytes_s * layout.gpus()) : 0;
}

double decode_step_ms(const CompiledLayout& decode, const Candidate& candidate, double requests,
                      double context_tokens) {
  StepLoad load;
  load.decode_requests = requests * (1 + candidate.spec.draft_tokens);
  load.decode_kv_tokens = requests * context_tokens;
  return step_ms(decode.step, load) * (1 + candidate.spec.draft_cost_share) /
         candidate.spec.accepted_tokens_per_step;
}

struct DecodePoint {
  double requests = 0;  // in flight on one replica
  double tpot_ms = kInfinity;
  bool saturated = true;
};

// Little's law: requests = rate x OSL x TPOT(requests). The step is concave enough that plain
// iteration from below converges or runs past the cap.
DecodePoint decode_point(const Demand& demand, const Candidate& candidate,
                         const CompiledLayout& decode, double rate_rps) {
  const double context = demand.shape.isl_mean + 0.5 * demand.shape.osl_mean;
  const double cap = pool_utilization(demand) *
                     std::min<double>(candidate.max_batch,
                                      decode.memory.kv_capacity_tokens / std::max(1.0, context));
  double requests = 1;
  for (int i = 0; i < 60; ++i) {
    const double tpot = decode_step_ms(decode, candidate, std::max(1.0, requests), context);
    const double next = rate_rps * demand.shape.osl_mean * tpot / 1000;
    if (next > cap) return {cap, kInfinity, true};
    if (std::abs(next - requests) <= 1e-3 * std::max(1.0, requests)) return {next, tpot, false};
    requests = next;
  }
  return {requests, decode_step_ms(decode, candidate, std::max(1.0, requests), context), false};
}

struct PairSize {
  int prefill = 0;
  int decode = 0;
};

// The least pools that meet the SLO at the demand, grown where the miss is.
bool size_pools(const Question& question, const Candidate& candidate, const CompiledLayout& prefill,
                const CompiledLayout& decode, PairSize& size) {
  const Demand& demand = question.demand;
  const int most = question.workload->hardware.max_gpus;
  size = {1, 1};
  while (size.prefill * prefill.layout.gpus() + size.decode * decode.layout.gpus() <= most) {
    const Prediction at = predict_disaggregated(demand, candidate, prefill, decode, size.prefill,
                                                size.decode, demand.load);
    const std::string_view miss = missed_slo(question.workload->slo, at);
    if (miss.empty()) return true;
    if (!std::isfinite(at.ttft_ms.p95)) {
      ++size.prefill;
    } else if (!std::isfinite(at.tpot_ms.p95)) {
      ++size.decode;
    } else {
      ++(miss.rfind("slo.ttft", 0) == 0 ? size.prefill : size.decode);
    }
  }
  return false;
}

// Highest rate under the SLO, to 1%, from a rate that holds.
double capacity(const Question& question, const Candidate& candidate, const CompiledLayout& prefill,
                const CompiledLayout& decode, PairSize size) {
  double low = question.demand.load;
  double high = low * 8;
  for (int round = 0; round < kMostRounds && high > low * 1.01; ++round) {
    const double middle = std::sqrt(low * high);
    const Prediction at = predict_disaggregated(question.demand, candidate, prefill, decode,
                                                size.prefill, size.decode, middle);
    (missed_slo(question.workload->slo, at).empty() ? low : high) = middle;
  }
  return low;
}

}  // namespace

Verdict evaluate_pair(const Question& question, const Evaluated& seed,
                      const CompiledLayout& prefill, Evaluated& out) {
  out = seed;
  out.prefill_compiled = &prefill;
  out.candidate.disaggregated = true;
  out.candidate.prefill_layout = prefill.layout;
  PairSize size;
  if (!size_pools(question, out.candidate, prefill, *seed.compiled, size)) {
    return {false, Rejection::kSloTooTight, Verdict::Detail::kNone, 0, 0, {}};
  }
  const int spare = question.workload->availability.spare_replicas;
  size.prefill += spare;
  size.decode += spare;
  out.replicas = size.decode;
  out.prefill_replicas = size.prefill;
  out.gpu_count = size.prefill * prefill.layout.gpus() + size.decode * seed.compiled->layout.gpus();
  out.offered_rps = question.demand.load;
  out.at_load = predict_disaggregated(question.demand, out.candidate, prefill, *seed.compiled,
                                      size.prefill, size.decode, question.demand.load);
  out.capacity_rps = capacity(question, out.candidate, prefill, *seed.compiled,
                              {size.prefill - spare, size.decode - spare});
  return settle(question, out);
}

Prediction predict_disaggregated(const Demand& demand, const Candidate& candidate,
                                 const CompiledLayout& prefill, const CompiledLayout& decode,
                                 int prefill_replicas, int decode_replicas, double rate_rps) {
  const Operating& shape = demand.shape;
  const double fresh = 1 - shape.prefix_hit_rate;
  Prediction out;
  // M/G/1 per prefill replica (Kingman): wait = rho/(1-rho) x (ca^2+cs^2)/2 x service; service time
  // is taken as linear in the prompt, so its spread is the prompt's.
  const double service_ms = prompt_ms(prefill, candidate, shape.isl_mean * fresh);
  const double rho = rate_rps / prefill_replicas * service_ms / 1000;
  const double tail_ms = prompt_ms(prefill, candidate, shape.isl_p95 * fresh) - service_ms;
  const double move_ms = transfer_ms(prefill, shape.isl_mean);
  const DecodePoint point = decode_point(demand, candidate, decode, rate_rps / decode_replicas);
  if (rho < pool_utilization(demand) && !point.saturated) {
    const double spread = 0.5 * (shape.arrival_cv * shape.arrival_cv + shape.isl_cv * shape.isl_cv);
    const double wait_ms = rho / (1 - rho) * spread * service_ms;
    // The wait is zero with probability 1 - rho and exponential above: P(W > t) = rho e^(-t rho/W).
    const double wait_p95_ms = rho > 0.05 ? wait_ms / rho * std::log(rho / 0.05) : 0;
    const double wait_p50_ms = rho > 0.5 ? wait_ms / rho * std::log(rho / 0.5) : 0;
    // As everywhere: network, tokenising, and the decode steps until the request has joined.
    const double base_ms =
        prefill.step.ttft_fixed_ms + decode.step.step_wait * point.tpot_ms + move_ms;
    const double mean = base_ms + wait_ms + service_ms;
    const double middle_prompt_ms = prompt_ms(prefill, candidate, shape.isl_p50 * fresh);
    out.ttft_ms = {mean, std::min(mean, base_ms + wait_p50_ms + middle_prompt_ms),
                   mean + std::hypot(std::max(0.0, wait_p95_ms - wait_ms), std::max(0.0, tail_ms))};
  } else {
    out.ttft_ms = {kInfinity, kInfinity, kInfinity};
  }
  if (point.saturated) {
    out.tpot_ms = {kInfinity, kInfinity, kInfinity};
  } else {
    // The batch a token meets varies like a Poisson count around its mean.
    const double context = shape.isl_mean + 0.5 * shape.osl_mean;
    const double busy = point.requests + kZ95 * std::sqrt(point.requests);
    out.tpot_ms = {point.tpot_ms, point.tpot_ms,
                   decode_step_ms(decode, candidate, std::max(1.0, busy), context)};
  }
  out.saturated = point.saturated || rho >= pool_utilization(demand);
  const double gaps = std::max(0.0, shape.osl_mean - 1);
  out.e2e_ms = {out.ttft_ms.mean + gaps * out.tpot_ms.mean,
                out.ttft_ms.p50 + std::max(0.0, shape.osl_p50 - 1) * out.tpot_ms.p50,
                out.ttft_ms.p95 + std::max(0.0, shape.osl_p95 - 1) * out.tpot_ms.p50};
  out.request_rps = rate_rps;
  out.output_tok_s = rate_rps * shape.osl_mean;
  out.in_flight = point.requests * decode_replicas + rho * prefill_replicas;
  out.kv_tokens = point.requests * decode_replicas * (shape.isl_mean + 0.5 * shape.osl_mean);
  out.busy_share = std::max(rho, 1e-6);
  out.capacity_rps =
      pool_utilization(demand) * 1000 / std::max(1e-9, service_ms) * prefill_replicas;
  out.bottleneck = Bottleneck::kHbmBandwidth;
  return out;
}

namespace {

bool same_family(const Layout& a, const Layout& b) {
  return a.model == b.model && a.gpu == b.gpu && a.engine == b.engine && a.weight == b.weight &&
         a.kv == b.kv;
}

// The best pair for `seed`, or nothing feasible within the budget.
std::optional<Evaluated> best_pair(const Question& question, const Evaluated& seed,
                                   const std::vector<Evaluated>& plans) {
  std::optional<Evaluated> best;
  int partners = 0;
  for (const Evaluated& other : plans) {
    if (!same_family(other.candidate.layout, seed.candidate.layout)) continue;
    if (++partners > kPartners) break;
    Evaluated pair;
    if (!evaluate_pair(question, seed, *other.compiled, pair).feasible || pair.near_miss) continue;
    if (!best || pair.scores.total > best->scores.total) best = std::move(pair);
  }
  return best;
}

}  // namespace

void add_disaggregated(const Question& question, std::vector<Evaluated>& plans) {
  if (!question.demand.open || question.demand.load_is_asked) return;
  if (question.demand.shape.osl_mean <= 1) return;  // nothing to decode
  std::vector<Evaluated> found;
  std::set<std::pair<const Model*, const Gpu*>> seeded;
  for (const Evaluated& seed : plans) {
    const Layout& layout = seed.candidate.layout;
    if (!layout.engine->supports_disaggregation) continue;
    if (!seeded.insert({layout.model, layout.gpu}).second) continue;
    if (auto pair = best_pair(question, seed, plans)) found.push_back(std::move(*pair));
  }
  plans.insert(plans.end(), found.begin(), found.end());
}

}  // namespace tensorpath::advise
