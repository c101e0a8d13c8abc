// What both serving drivers share: the cost of decoding and prefilling in a mix, and admission.
#pragma once

#include "step_time.h"

#include <tensorpath/predict.h>

namespace tensorpath::perf {

// Requests that may be in flight: the batch cap, and KV for the prompt and the booked output.
inline double admission_cap(const StepModel& model, double isl, double osl, double max_batch) {
  const double tokens = isl + model.reserved_output * osl;
  const double by_kv = tokens > 0 ? model.kv_capacity_tokens / tokens : max_batch;
  return std::max(1.0, std::min(max_batch, by_kv));
}

// One prompt, or `bunch` of them in one step, added to a batch of decoding requests.
struct MixCost {
  double decode_ms = 0;    // a step that only decodes
  double prompt_ms = 0;    // wall time of a prompt's own steps, the decoding beside it included
  double marginal_ms = 0;  // what one prompt adds to the steps of everybody
  StepParts decode;        // what the decode step is made of
};

struct MixQuery {
  double decode_requests = 1;
  double kv_per_request = 0;
  double new_tokens = 0;  // of a prompt, past the prefix cache
  double cached_tokens = 0;
  double budget_tokens = 0;       // tokens a step may prefill
  double bunch = 1;               // prompts that share a step
  double tokens_per_request = 1;  // speculation: verified tokens per decoding request and step
};

// The decoding part of a step. Pipeline stages hold one micro-batch each.
inline StepWork decode_work(const StepModel& model, const MixQuery& query) {
  StepWork work;
  const double decode = std::max(1.0, query.decode_requests / model.pipeline_stages);
  work.decode_requests = decode * query.tokens_per_request;
  work.kv_per_request = query.kv_per_request / query.tokens_per_request;
  return work;
}

// Pipeline stages wait for each other where micro-batches differ in length.
inline double bubble_factor(const StepModel& model) {
  return 1 + model.pipeline_bubble * (model.pipeline_stages - 1);
}

inline MixCost mix_cost(const StepModel& model, const MixQuery& query) {
  MixCost cost;
  StepWork work = decode_work(model, query);
  cost.decode = step_parts(model, work);
  cost.decode_ms = cost.decode.sum();
  const double bubble = bubble_factor(model);
  const double chunks = std::max(1.0, query.new_tokens / std::max(1.0, query.budget_tokens));
  const double chunk = query.new_tokens / chunks;
  const double cached = query.cached_tokens + (query.new_tokens - chunk) / 2;
  set_prompt(work, model, 1, chunk, cached);
  const double alone = step_time(model, work);
  cost.prompt_ms = alone * chunks;
  double added = alone - cost.decode_ms;
  if (query.bunch > 1) {
    set_prompt(work, model, query.bunch, chunk, cached);
    added = (step_time(model, work) - cost.decode_ms) / query.bunch;
  }
  // Other micro-batches' prompts pass through one stage at a time.
  cost.marginal_ms = std::max(0.0, added) * chunks / model.pipeline_stages * bubble;
  cost.decode_ms *= bubble;
  cost.prompt_ms *= bubble;
  return cost;
}

}  // namespace tensorpath::perf
