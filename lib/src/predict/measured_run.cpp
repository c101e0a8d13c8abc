// The closed loop as a sequence of waves. Wave k's requests arrive spread over a width D_k: the
// first at once; after that the prefill's own spread and the output lengths' variance widen it,
//   D_k^2 = S^2 + k w^2,  S = n p (time to prefill everybody), w = spread of lengths x TPOT,
// until requests are as good as independent (D_k = one cycle). In a wave the prefill of n requests
// of p each over D_k is a queue of load rho = n p / D_k; its mean wait is M/D/1's with the
// singularity rounded off, as n requests cannot queue without end:
//   W = p rho / 2 / sqrt((1 - rho)^2 + 2 / n).
// Where lengths are equal nothing widens: requests stay bunched, and an engine that prefills first
// sees the whole burst again in every wave.
#include "measured_run.h"

#include "serving.h"

#include <cmath>

namespace tensorpath::perf {
namespace {

// Fixed point of the share of time a request decodes: three rounds settle it within 1%.
constexpr int kRounds = 3;

double queue_wait(const StepModel& model, const MeasuredRun& run, double in_flight,
                  const MixCost& cost, double tpot, double cycle) {
  const double p = cost.marginal_ms;
  const double burst = (in_flight - 1) / 2 * p;
  if (run.osl_spread_tokens <= 0) {
    if (model.prefill_first) return burst;
    return model.bunch_gain * p * std::pow(std::max(0.0, in_flight - 1), model.bunch_power);
  }
  const double all = in_flight * p;
  const double widening = run.osl_spread_tokens * tpot;
  const double rounding = 2 / std::max(1.0, in_flight);
  const int later = std::max(1, static_cast<int>(std::lround(run.waves)) - 1);
  double sum = 0;
  for (int wave = 1; wave <= later; ++wave) {
    const double width =
        std::max(1e-9, std::min(std::sqrt(all * all + wave * widening * widening), cycle));
    const double rho = all / width;
    sum += p * rho / 2 / std::sqrt((1 - rho) * (1 - rho) + rounding);
  }
  const double first = 1 / std::max(1.0, run.waves);
  return (1 - first) * model.queue_gain * sum / later + first * model.burst_gain * burst;
}

}  // namespace

MeasuredMeans predict_run(const StepModel& model, const MeasuredRun& run) {
  const double isl = run.isl_tokens;
  const double osl = std::max(2.0, run.osl_tokens);
  const bool fixed = run.osl_spread_tokens <= 0;
  const bool in_step = fixed && model.prefill_first;  // a wave prefills, then decodes as one
  const double in_flight = std::min(run.concurrency, admission_cap(model, isl, osl, run.max_batch));
  MixQuery query;
  query.kv_per_request = isl + osl / 2;
  query.new_tokens = isl;
  query.budget_tokens = run.max_batched_tokens;
  if (fixed) {
    query.bunch = std::min(1 + model.bunch_share * (in_flight - 1),
                           std::max(1.0, run.max_batched_tokens / isl));
  }
  MeasuredMeans means;
  double decode_share = 0.9;
  for (int round = 0; round < kRounds; ++round) {
    query.decode_requests = std::max(1.0, in_step ? in_flight : in_flight * decode_share);
    const MixCost cost = mix_cost(model, query);
    const double prompts_seen =
        (in_flight - 1) * (in_step ? 0.5 : decode_share * model.interference);
    means.tpot_ms = cost.decode_ms + prompts_seen * cost.marginal_ms / (osl - 1);
    const double decode_total = means.tpot_ms * (osl - 1);
    const double wait =
        queue_wait(model, run, in_flight, cost, means.tpot_ms, decode_total + cost.prompt_ms);
    const double admitted = model.ttft_fixed_ms + model.step_wait * cost.decode_ms +
                            cost.prompt_ms + wait + run.batch_wait_steps * cost.decode_ms;
    // Past the admission cap a request waits for others to leave.
    const double overflow =
        std::max(0.0, run.concurrency / in_flight - 1) * (decode_total + cost.prompt_ms);
    // A front end that streams slower than the engine produces holds everybody up.
    const double streamed = in_flight * osl * model.frontend_ms_per_token;
    const double backlog = std::max(0.0, streamed - decode_total - admitted - overflow);
    means.ttft_ms = admitted + overflow + backlog;
    decode_share = std::clamp(decode_total / (decode_total + admitted), 0.2, 1.0);
  }
  return means;
}

}  // namespace tensorpath::perf
