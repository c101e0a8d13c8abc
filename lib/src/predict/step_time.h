// One engine step in a few multiplications, inline because screening evaluates it millions of
// times. Uses: 1) step_ms, 2) the closed forms of steady.cpp and measured.cpp, 3) breakdown, term
// by term.
#pragma once

#include <algorithm>
#include <cmath>

#include <tensorpath/predict.h>

namespace tensorpath::perf {

// (a^q + b^q)^(1/q) for q in {1, 2, 4, 8}.
inline double fast_norm(double a, double b, int q) {
  if (q == 1) return a + b;
  const double a2 = a * a, b2 = b * b;
  if (q == 2) return std::sqrt(a2 + b2);
  const double a4 = a2 * a2, b4 = b2 * b2;
  if (q == 4) return std::sqrt(std::sqrt(a4 + b4));
  return std::sqrt(std::sqrt(std::sqrt(a4 * a4 + b4 * b4)));
}

// The work of a step, per replica; pairs are query-key pairs of the prompts.
struct StepWork {
  double prefill_tokens = 0;
  double prefill_requests = 0;
  double pairs = 0;
  double window_pairs = 0;
  double decode_requests = 0;
  double kv_per_request = 0;
};

struct StepParts {  // ms
  double dense = 0, head = 0, experts = 0, decode_attention = 0, prefill_attention = 0;
  double link = 0, fixed = 0, requests = 0;

  [[nodiscard]] double sum() const {
    return dense + head + experts + decode_attention + prefill_attention + link + fixed + requests;
  }
};

// Distinct experts that `tokens` hit: gamma-Poisson popularity of shape s (see StepModel).
inline double experts_hit(const StepModel& model, double tokens) {
  const double load = tokens * model.experts_per_token / model.experts;
  const double hit =
      model.experts *
      (1 - std::exp(-model.routing_shape * std::log(1 + load / model.routing_shape)));
  // One token already hits k experts.
  return std::max(hit, std::min(tokens, 1.0) * model.experts_per_token);
}

inline StepParts step_parts(const StepModel& model, const StepWork& work) {
  const double ranks = model.attention_ranks;
  // A prompt is computed by one attention rank; several spread over them.
  const double prompt_ranks = std::clamp(work.prefill_requests, 1.0, ranks);
  const double decode = work.decode_requests / ranks;
  const double tokens = decode + work.prefill_tokens / prompt_ranks;
  const double all_tokens = work.decode_requests + work.prefill_tokens;
  const double rows = decode + work.prefill_requests / prompt_ranks;
  StepParts parts;
  parts.dense =
      fast_norm(tokens * model.gemm_compute_ms_per_token,
                model.gemm_weight_ms + tokens * model.gemm_io_ms_per_token, model.gemm_norm);
  parts.head = fast_norm(rows * model.head_compute_ms_per_row, model.head_weight_ms, 4);
  if (model.experts > 0) {
    const double hit = experts_hit(model, all_tokens);
    const double expert_rows =
        all_tokens * model.experts_per_token + hit * model.moe_rows_per_expert;
    parts.experts = fast_norm(expert_rows * model.moe_compute_ms_per_row,
                              hit * model.moe_weight_ms_per_expert, model.moe_norm) +
                    tokens * model.moe_io_ms_per_token;
  }
  parts.decode_attention =
      decode * (work.kv_per_request * model.kv_ms_per_token +
                std::min(work.kv_per_request, model.window_tokens) * model.kv_window_ms_per_token);
  parts.prefill_attention =
      (work.pairs * model.pair_ms + work.window_pairs * model.pair_window_ms) / prompt_ranks;
  parts.link = tokens * model.link_ms_per_token + all_tokens * model.link_ms_per_replica_token;
  parts.fixed = model.fixed_ms;
  parts.requests = work.decode_requests * model.request_ms;
  return parts;
}

// Steps with more tokens than the engine captured in graphs are launched kernel by kernel.
inline bool launched_eagerly(const StepModel& model, const StepWork& work) {
  return work.prefill_tokens > 0 && work.prefill_tokens + work.decode_requests > model.graph_tokens;
}

inline double step_time(const StepModel& model, const StepWork& work) {
  const double ms = step_parts(model, work).sum();
  return launched_eagerly(model, work) ? std::max(ms, model.eager_floor_ms) : ms;
}

// A prompt of `tokens` new tokens after `cached` ones: how many query-key pairs, and how many of
// them a window leaves.
inline void set_prompt(StepWork& work, const StepModel& model, double requests, double tokens,
                       double cached) {
  work.prefill_requests = requests;
  work.prefill_tokens = requests * tokens;
  work.pairs = requests * tokens * (cached + tokens / 2);
  work.window_pairs = requests * tokens * std::min(cached + tokens / 2, model.window_tokens);
}

}  // namespace tensorpath::perf
