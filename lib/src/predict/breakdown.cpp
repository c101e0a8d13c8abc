// One step operator by operator: the same coefficients as the step model, term by term, split
// between prompts and decoding by their tokens.
#include "compile.h"
#include "step_time.h"

#include <tensorpath/predict.h>

namespace tensorpath {
namespace {

using perf::StepParts;
using perf::StepWork;

StepWork work_of(const StepModel& model, const StepLoad& load) {
  StepWork work;
  work.decode_requests = load.decode_requests;
  work.kv_per_request = load.decode_requests > 0 ? load.decode_kv_tokens / load.decode_requests : 0;
  if (load.prefill_tokens > 0) {
    const double requests = std::max(1.0, load.prefill_requests);
    perf::set_prompt(work, model, requests, load.prefill_tokens / requests,
                     load.prefill_context_tokens);
  }
  return work;
}

struct Splitter {
  double prefill_share = 0;  // of the step's tokens
  double total_ms = 0;
  std::vector<OperatorShare> shares;

  void add(std::string name, double calls, double ms, double prefill_part, std::string bound_by) {
    if (ms <= 0) return;
    OperatorShare share;
    share.name = std::move(name);
    share.calls = calls;
    share.prefill_ms = ms * prefill_part;
    share.decode_ms = ms - share.prefill_ms;
    share.share = total_ms > 0 ? ms / total_ms : 0;
    share.bound_by = std::move(bound_by);
    shares.push_back(std::move(share));
  }
};

// Dense projections by their share of parameters: all of them stream at the same efficiency.
void add_dense(const Layout& layout, const StepModel& model, const StepWork& work,
               const StepParts& parts, Splitter& out) {
  const Model& m = *layout.model;
  const double tokens = work.decode_requests + work.prefill_tokens;
  const bool compute = tokens * model.gemm_compute_ms_per_token >
                       model.gemm_weight_ms + tokens * model.gemm_io_ms_per_token;
  const double moe_layers = m.moe.experts > 0 ? m.moe_layers() : 0;
  const double dense_layers = m.layers - moe_layers;
  const double attention = m.attention_params_per_layer() * m.layers;
  const double ffn = dense_layers > 0 ? m.dense_ffn_params_per_layer() * dense_layers : 0;
  const double shared = m.shared_expert_params_per_layer() * moe_layers;
  const double all = attention + ffn + shared;
  const std::string bound = compute ? "compute" : "hbm";
  double out_share = 0.5;
  if (!m.attention.is_mla()) {
    const double q = m.attention.heads, kv = m.attention.kv_heads;
    out_share = q / (2 * q + 2 * kv);
  }
  const auto part = [&](double params) { return parts.dense * params / all; };
  out.add("qkv_proj", m.layers, part(attention * (1 - out_share)), out.prefill_share, bound);
  out.add("out_proj", m.layers, part(attention * out_share), out.prefill_share, bound);
  const double up = m.gated_ffn ? 2.0 / 3 : 0.5;
  out.add("ffn_up", dense_layers, part(ffn * up), out.prefill_share, bound);
  out.add("ffn_down", dense_layers, part(ffn * (1 - up)), out.prefill_share, bound);
  out.add("shared_experts", moe_layers, part(shared), out.prefill_share, bound);
}

}  // namespace

double step_ms(const StepModel& model, const StepLoad& load) {
  return perf::step_time(model, work_of(model, load));
}

std::vector<OperatorShare> breakdown(const Layout& layout, const Calibration& calibration,
                                     const StepLoad& load) {
  const perf::CompileInput input = perf::prepare(layout, calibration.data());
  const StepModel model =
      perf::compile_step(input, calibration.data().parameters, /*slow_host=*/false);
  const StepWork work = work_of(model, load);
  const StepParts parts = perf::step_parts(model, work);
  const double total = perf::step_time(model, work);
  const double tokens = work.decode_requests + work.prefill_tokens;
  Splitter out;
  out.total_ms = total;
  out.prefill_share = tokens > 0 ? work.prefill_tokens / tokens : 0;
  const Model& m = *layout.model;
  add_dense(layout, model, work, parts, out);
  if (model.experts > 0) {
    const double hit = perf::experts_hit(model, tokens);
    const double rows = tokens * model.experts_per_token + hit * model.moe_rows_per_expert;
    const bool compute = rows * model.moe_compute_ms_per_row > hit * model.moe_weight_ms_per_expert;
    out.add("moe_experts", m.moe_layers(), parts.experts, out.prefill_share,
            compute ? "compute" : "hbm");
  }
  out.add("attention_prefill", m.layers, parts.prefill_attention, 1, "compute");
  out.add("attention_decode", m.layers, parts.decode_attention, 0, "hbm");
  const bool head_compute =
      (work.decode_requests + work.prefill_requests) * model.head_compute_ms_per_row >
      model.head_weight_ms;
  out.add("lm_head", 1, parts.head, out.prefill_share, head_compute ? "compute" : "hbm");
  const double collectives =
      (layout.tp > 1 ? 2.0 * m.layers : 0) + (layout.attn_dp > 1 ? m.layers : 0);
  out.add("all_reduce", collectives, parts.link, out.prefill_share, "link");
  out.add("kernel_launches", m.layers, parts.fixed, out.prefill_share, "launch");
  out.add("engine", 1, parts.requests + std::max(0.0, total - parts.sum()),
          work.prefill_tokens > 0 && total > parts.sum() ? 1 : 0, "cpu");
  return out.shares;
}

}  // namespace tensorpath
