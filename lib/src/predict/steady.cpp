// The steady state of continuous batching in closed form.
//
// Decoding. With B requests decoding, a step takes d(B). Others' prompts add their marginal time p
// to everybody's steps: with prompts arriving at rate l, a share r = l p of all time goes to them,
//   TPOT = d(B) / a / (1 - r),   a = tokens a step yields (speculation),
// and B follows from Little's law, B = l (OSL - 1) TPOT. A closed loop fixes the requests in flight
// instead: TPOT = d(B) / a + (N - 1) f p / (OSL - 1), f = share of a request's life spent decoding.
//
// First token. TTFT = fixed + wait for the running step + own prompt + prefill queue + admission:
//   prefill queue   r p (ca^2 + ci^2) / 2 / (1 - r)          Kingman, ca arrivals, ci prompt
//   lengths admission       (ca^2 + co^2) / 2 u^(sqrt(2 (c + 1)) - 1) / (1 - u) / mu Sakasegawa
//   1977,
// c = requests admitted at most (batch cap or KV), mu = capacity, u = rate / mu; a closed loop of n
// waits (n / c - 1) cycles. Capacity: mu = 1 / (p + (OSL - 1) d(c) / (a c)).
//
// Percentiles are over requests. The prompt part takes the percentile of ISL; a wait W that meets a
// share u of requests is exponential past zero, its quantile max(0, W / u ln(u / (1 - q))).
// Independent parts combine by their distances from the mean: q = mean + sqrt(sum (q_i -
// mean_i)^2). TPOT varies with the number k of prompts met while decoding: sd = p sqrt(k (1 +
// ci^2)) / (OSL - 1).
#include "serving.h"

#include <cmath>
#include <limits>

#include <tensorpath/predict.h>

namespace tensorpath {
namespace perf {
namespace {

constexpr double kNormal95 = 1.6449;  // quantile of the standard normal
constexpr int kRounds = 4;            // of the closed loop, at most
constexpr int kRootRounds = 24;       // of the open one; five do for dense models
constexpr double kRootPrecision = 1e-3;

struct Load {
  double isl, osl, new_tokens, accepted, verified, draft, cap;
};

MixQuery query_at(const Operating& op, const Load& load, double decoding) {
  MixQuery query;
  query.decode_requests = std::max(1.0, decoding);
  query.kv_per_request = load.isl + load.osl / 2;
  query.new_tokens = load.new_tokens;
  query.cached_tokens = load.isl - load.new_tokens;
  query.budget_tokens = op.chunked_prefill ? op.max_batched_tokens
                                           : std::max<double>(op.max_batched_tokens, load.isl);
  query.tokens_per_request = load.verified;
  return query;
}

MixCost cost_at(const StepModel& model, const Operating& op, const Load& load, double decoding,
                double bunch = 1) {
  MixQuery query = query_at(op, load, decoding);
  query.bunch = bunch;
  MixCost cost = mix_cost(model, query);
  cost.decode_ms *= 1 + load.draft;
  return cost;
}

double tail(double mean_wait, double met_share, double q) {
  if (mean_wait <= 0 || met_share <= 1 - q) return 0;
  return mean_wait / met_share * std::log(met_share / (1 - q));
}

struct State {
  MixCost cost;
  double decoding = 0;  // B
  double tpot = 0;
  double prefill_share = 0;  // r
  double prefill_wait = 0;
  double admission_wait = 0;
  double admission_share = 0;  // of requests that meet a wait for admission
  double rate_ms = 0;          // requests per ms
  double met = 0;              // others' prompts that a request meets while it decodes
};

// Before its own prompt runs: network, tokenising, and the steps until it is scheduled.
double base_ms(const StepModel& model, const MixCost& cost) {
  return model.ttft_fixed_ms + model.step_wait * cost.decode_ms;
}

State closed_state(const StepModel& model, const Operating& op, const Load& load) {
  State s;
  const double in_flight = std::min(op.concurrency, load.cap);
  double decode_share = 0.9;
  // Whatever waits for what, every prompt passes the engine once a cycle; at best as many share a
  // step as its token budget holds.
  const double sharing = std::clamp(op.max_batched_tokens / load.new_tokens, 1.0, in_flight);
  const double least_ms = cost_at(model, op, load, 1, sharing).marginal_ms;
  for (int round = 0; round < kRounds; ++round) {
    s.decoding = std::max(1.0, in_flight * decode_share);
    s.cost = cost_at(model, op, load, s.decoding);
    s.tpot = s.cost.decode_ms / load.accepted + (in_flight - 1) * decode_share *
                                                    model.interference * s.cost.marginal_ms /
                                                    std::max(1.0, load.osl - 1);
    const double decode_total = s.tpot * (load.osl - 1);
    const double alone = base_ms(model, s.cost) + decode_total + s.cost.prompt_ms;
    const double cycle = std::max(alone + s.prefill_wait, in_flight * least_ms);
    s.rate_ms = in_flight / cycle;
    // Of others: a request does not wait for itself.
    s.prefill_share = s.rate_ms * s.cost.marginal_ms * (in_flight - 1) / in_flight;
    s.met = (in_flight - 1) * decode_share;
    const double gap = 1 - s.prefill_share;
    s.prefill_wait = model.queue_gain * s.prefill_share * s.cost.marginal_ms *
                     (1 + op.isl_cv * op.isl_cv) / 2 / std::sqrt(gap * gap + 2 / in_flight);
    s.admission_wait = std::max(0.0, op.concurrency / in_flight - 1) * cycle;
    const double share = std::clamp(decode_total / cycle, 0.05, 1.0);
    const bool settled = std::abs(share - decode_share) < 0.005;
    decode_share = share;
    if (settled) break;
  }
  // What is left of the cycle is the wait for the engine: Little's law holds to the digit.
  s.prefill_wait = std::max(0.0, in_flight / s.rate_ms - base_ms(model, s.cost) -
                                     s.tpot * (load.osl - 1) - s.cost.prompt_ms);
  s.admission_share = op.concurrency > load.cap ? 1 : 0;
  return s;
}

State open_state(const StepModel& model, const Operating& op, const Load& load, const MixCost& full,
                 double capacity_ms) {
  State s;
  s.rate_ms = op.rate_rps / 1e3;
  const double tokens = std::max(0.0, load.osl - 1) / load.accepted;
  // What a prompt adds hardly depends on B: the full batch's serves while B is sought.
  const auto prefill_share = [&](const MixCost& cost) {
    return std::min(0.98, s.rate_ms * cost.marginal_ms * model.interference);
  };
  const double share = prefill_share(full);
  const double per_step =
      s.rate_ms * tokens * (1 + load.draft) * bubble_factor(model) / (1 - share);
  const auto little = [&](double decoding) {
    return per_step * step_parts(model, decode_work(model, query_at(op, load, decoding))).sum();
  };
  // The stable B is where little(B) - B turns from + to -. A mixture of experts makes little()
  // steep at small B (each request wakes further experts) and flat later, so the root is bracketed:
  // its largest value is little(cap) below capacity, and regula falsi (Illinois) narrows it.
  double lo = 0, f_lo = little(0);
  double hi = load.cap, f_hi = little(hi) - hi;
  double b = std::clamp(f_lo, 0.0, load.cap);
  if (f_hi >= 0) {
    b = load.cap;
  } else {
    for (int round = 0; round < kRootRounds; ++round) {
      b = (lo * f_hi - hi * f_lo) / (f_hi - f_lo);
      const double f = little(b) - b;
      if (std::abs(f) <= kRootPrecision * std::max(b, kRootPrecision)) break;
      if (f > 0) {
        lo = b;
        f_lo = f;
        f_hi /= 2;
      } else {
        hi = b;
        f_hi = f;
        f_lo /= 2;
      }
    }
  }
  s.decoding = b;
  s.cost = cost_at(model, op, load, b);
  s.prefill_share = prefill_share(s.cost);
  s.tpot = s.cost.decode_ms / load.accepted / (1 - s.prefill_share);
  s.met = s.rate_ms * (load.osl - 1) * s.tpot;
  const double arrivals2 = op.arrival_cv * op.arrival_cv;
  s.prefill_wait = model.queue_gain * s.prefill_share * s.cost.marginal_ms *
                   (arrivals2 + op.isl_cv * op.isl_cv) / 2 / (1 - s.prefill_share);
  const double u = s.rate_ms * capacity_ms;
  s.admission_share = std::pow(u, std::sqrt(2 * (load.cap + 1)) - 1);
  s.admission_wait =
      (arrivals2 + op.osl_cv * op.osl_cv) / 2 * s.admission_share / (1 - u) * capacity_ms;
  return s;
}

Bottleneck bottleneck_of(const StepModel& model, const Load& load, const State& s, bool kv_bound) {
  if (kv_bound) return Bottleneck::kKvCapacity;
  const StepParts& parts = s.cost.decode;
  const double decoding = std::max(1.0, s.decoding) * load.verified;
  const bool dense_computes = decoding * model.gemm_compute_ms_per_token > model.gemm_weight_ms;
  const double per_ms = (1 - s.prefill_share) / std::max(1e-12, parts.sum());
  const double compute = s.prefill_share + (dense_computes ? per_ms * parts.dense : 0);
  const double hbm = per_ms * (parts.head + parts.experts + parts.decode_attention +
                               (dense_computes ? 0 : parts.dense));
  const double link = per_ms * parts.link;
  const double host = per_ms * (parts.fixed + parts.requests);
  if (compute >= hbm && compute >= link && compute >= host) return Bottleneck::kCompute;
  if (hbm >= link && hbm >= host) return Bottleneck::kHbmBandwidth;
  return link >= host ? Bottleneck::kCollectives : Bottleneck::kScheduler;
}

void fill_latency(const StepModel& model, const Operating& op, const Load& load, const State& s,
                  Prediction& out) {
  const double base = base_ms(model, s.cost);
  out.ttft_ms.mean = base + s.cost.prompt_ms + s.prefill_wait + s.admission_wait;
  const auto ttft_at = [&](double q, double isl_q) {
    const double ratio = load.isl > 0 && isl_q > 0 ? isl_q / load.isl : 1;
    const double prompt = s.cost.prompt_ms * (ratio - 1);
    const double queue = tail(s.prefill_wait, s.prefill_share, q) - s.prefill_wait;
    // A closed loop past its cap waits about evenly; an open queue has an exponential tail.
    const double admission =
        op.concurrency > 0 ? 0 : tail(s.admission_wait, s.admission_share, q) - s.admission_wait;
    const double distance = std::sqrt(prompt * prompt + queue * queue + admission * admission);
    const double sum = prompt + queue + admission;
    return std::max(base, out.ttft_ms.mean + (q > 0.5 ? distance : std::min(0.0, sum)));
  };
  out.ttft_ms.p50 = ttft_at(0.5, op.isl_p50);
  out.ttft_ms.p95 = ttft_at(0.95, op.isl_p95);
  out.tpot_ms.mean = s.tpot;
  const double steps = std::max(1.0, load.osl - 1);
  const double sd = s.cost.marginal_ms * std::sqrt(s.met * (1 + op.isl_cv * op.isl_cv)) / steps;
  out.tpot_ms.p50 = s.tpot;
  out.tpot_ms.p95 = s.tpot + kNormal95 * sd;
  out.e2e_ms.mean = out.ttft_ms.mean + s.tpot * (load.osl - 1);
  const double p50_osl = op.osl_p50 > 0 ? op.osl_p50 : load.osl;
  const double p95_osl = op.osl_p95 > 0 ? op.osl_p95 : load.osl;
  out.e2e_ms.p50 = out.ttft_ms.p50 + s.tpot * std::max(0.0, p50_osl - 1);
  const double by_ttft = out.ttft_ms.p95 - out.ttft_ms.mean;
  const double by_length = s.tpot * (p95_osl - load.osl);
  const double by_tpot = (out.tpot_ms.p95 - s.tpot) * steps;
  out.e2e_ms.p95 =
      out.e2e_ms.mean + std::sqrt(by_ttft * by_ttft + by_length * by_length + by_tpot * by_tpot);
}

void set_infinite(Prediction& out) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  out.ttft_ms = {kInfinite, kInfinite, kInfinite};
  out.e2e_ms = {kInfinite, kInfinite, kInfinite};
}

}  // namespace
}  // namespace perf

Prediction predict(const StepModel& model, const Operating& op) {
  using namespace perf;
  Load load{};
  load.isl = std::max(1.0, op.isl_mean);
  load.osl = std::max(1.0, op.osl_mean);
  load.new_tokens = std::max(1.0, load.isl * (1 - op.prefix_hit_rate));
  load.accepted = std::max(1.0, op.accepted_tokens_per_step);
  load.verified = 1 + op.draft_tokens;
  load.draft = op.draft_cost_share;
  // A step holds no more tokens than its budget, decoded ones included.
  const double budget = std::max(1, op.max_batched_tokens);
  load.cap = std::max(1.0, std::min(admission_cap(model, load.isl, load.osl, op.max_batch),
                                    budget / load.verified));
  Prediction out;
  const MixCost full = cost_at(model, op, load, load.cap);
  const double by_engine_ms =
      full.marginal_ms + (load.osl - 1) * full.decode_ms / (load.accepted * load.cap);
  const double step_tokens = load.new_tokens + (load.osl - 1) * load.verified / load.accepted;
  const double capacity_ms = std::max(by_engine_ms, step_tokens / budget * full.decode_ms);
  out.capacity_rps = capacity_ms > 0 ? 1e3 / capacity_ms : 0;
  const bool closed = op.concurrency > 0;
  out.saturated = !closed && op.rate_rps >= out.capacity_rps;
  State state;
  if (out.saturated) {
    state.cost = full;
    state.decoding = load.cap;
    state.rate_ms = 1 / capacity_ms;
    state.prefill_share = std::min(1.0, state.rate_ms * full.marginal_ms);
    state.tpot =
        full.decode_ms / load.accepted + load.cap * full.marginal_ms / std::max(1.0, load.osl - 1);
  } else {
    state = closed ? closed_state(model, op, load) : open_state(model, op, load, full, capacity_ms);
  }
  fill_latency(model, op, load, state, out);
  out.request_rps = state.rate_ms * 1e3;
  out.output_tok_s = out.request_rps * load.osl;
  const double prompts =
      state.rate_ms * (base_ms(model, state.cost) + state.cost.prompt_ms + state.prefill_wait);
  out.in_flight = state.decoding + prompts;
  if (closed) out.in_flight = std::min(op.concurrency, load.cap);
  out.kv_tokens = out.in_flight * (load.isl + load.osl / 2);
  out.busy_share = closed ? 1 : std::min(1.0, op.rate_rps / std::max(1e-12, out.capacity_rps));
  const bool kv_bound = load.cap < op.max_batch && out.in_flight > 0.9 * load.cap;
  out.bottleneck = bottleneck_of(model, load, state, kv_bound);
  if (out.saturated) set_infinite(out);
  return out;
}

namespace {

class ClosedForm final : public ServingModel {
 public:
  [[nodiscard]] Prediction serve(const StepModel& model,
                                 const Operating& operating) const override {
    return predict(model, operating);
  }
};

}  // namespace

const ServingModel& closed_form() {
  static const ClosedForm model;
  return model;
}

std::string_view to_string(Bottleneck bottleneck) {
  switch (bottleneck) {
    case Bottleneck::kCompute:
      return "compute";
    case Bottleneck::kHbmBandwidth:
      return "hbm_bandwidth";
    case Bottleneck::kKvCapacity:
      return "kv_capacity";
    case Bottleneck::kCollectives:
      return "collectives";
    case Bottleneck::kScheduler:
      return "scheduler";
    case Bottleneck::kCpuTools:
      return "cpu_tools";
  }
  return "unknown";
}

}  // namespace tensorpath
