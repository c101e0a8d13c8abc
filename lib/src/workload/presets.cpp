#include "presets.h"

#include <map>

// Where the lengths come from: percentiles that others computed from the published traces (min and
// max are round numbers near their ends). A trace that publishes p50 and p99 gives the lognormal's
// p95 as p50 (p99/p50)^(1.645/2.326).
//  Bailian: Alibaba Cloud, qwen-bailian-usagetraces-anon (USENIX ATC 2025), two hours each.
//    A, consumer chat:  43,058 requests, 5.98/s, in 1,046 / 14,359, out 375 / 1,641 (p50 / p99)
//    B, business API:  172,800 requests, in 574 / 6,294, out 39 / 1,006
//    Coder:             43,011 requests, 5.97/s, in 4,540 / 14,406, out 469 / 5,835
//  Mooncake: kvcache-ai FAST'25 trace tool&agent: 23,608 requests, 6.67/s, in 6,346 (p50).
//  TraceLab: University of Washington, coding agents: a round adds 1,045 tokens and answers 249
//  (p50). MLPerf Inference v5.1, 99th percentile, TTFT / TPOT in ms: Llama 3.1 8B conversational
//  2000 / 100;
//    Llama 2 70B interactive 450 / 40; Llama 3.1 405B server 6000 / 175.

namespace tensorpath::workload_file {
namespace {

constexpr std::string_view kWholePrompts = "the lengths above count the history in";
constexpr std::string_view kNoPromise =
    "none is assumed: a cache hit that does not come would under-size the plan";

const std::vector<PresetValue>& no_rows() {
  static const std::vector<PresetValue> rows;
  return rows;
}

const std::vector<PresetValue>& chat() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 1050, p95: 6700, min: 16, max: 16000}",
       "Bailian trace A"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 375, p95: 1070, min: 1, max: 2048}",
       "Bailian trace A"},
      {"arrivals.kind", "poisson", "independent users"},
      {"arrivals.rate_rps", "6", "Bailian trace A, 5.98 a second"},
      {"prefix.stable_tokens", "0", kNoPromise},
      {"session.turns", "1", kWholePrompts},
      {"slo.ttft_ms.p95", "2000", "MLPerf Llama 3.1 8B conversational"},
      {"slo.tpot_ms.p95", "100", "MLPerf Llama 3.1 8B conversational"},
      {"priority", "balanced", "nobody said otherwise"}};
  return rows;
}

const std::vector<PresetValue>& codegen() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 4500, p95: 10300, min: 64, max: 16000}",
       "Bailian trace Coder"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 470, p95: 2800, min: 1, max: 6000}",
       "Bailian trace Coder"},
      {"arrivals.kind", "poisson", "independent users"},
      {"arrivals.rate_rps", "6", "Bailian trace Coder, 5.97 a second"},
      {"prefix.stable_tokens", "0", kNoPromise},
      {"session.turns", "1", kWholePrompts},
      {"slo.ttft_ms.p95", "2000", "MLPerf conversational: the prompts are long"},
      {"slo.tpot_ms.p95", "40", "MLPerf Llama 2 70B interactive: code is awaited, not read along"},
      {"priority", "latency", "a programmer waits"}};
  return rows;
}

const std::vector<PresetValue>& summarization() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 4000, p95: 12000, min: 200, max: 24000}",
       "assumed: documents of 3,000 to 9,000 words at 4/3 tokens a word"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 200, p95: 500, min: 30, max: 1000}",
       "assumed: a paragraph to a page"},
      {"arrivals.kind", "poisson", "independent users"},
      {"arrivals.rate_rps", "2", "assumed"},
      {"prefix.stable_tokens", "0", "every document is another one"},
      {"session.turns", "1", "one document, one summary"},
      {"slo.ttft_ms.p95", "6000", "MLPerf Llama 3.1 405B server, which reads long prompts too"},
      {"slo.tpot_ms.p95", "100", "MLPerf Llama 3.1 8B conversational"},
      {"priority", "balanced", "nobody said otherwise"}};
  return rows;
}

const std::vector<PresetValue>& batch() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 575, p95: 3100, min: 16, max: 8000}",
       "Bailian trace B"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 40, p95: 390, min: 1, max: 1024}",
       "Bailian trace B"},
      {"arrivals.kind", "all_at_once", "a job is a file of requests"},
      {"arrivals.count", "10000", "assumed"},
      {"prefix.stable_tokens", "0", kNoPromise},
      {"session.turns", "1", "requests of a job know nothing of each other"},
      {"priority", "cost", "nobody waits at a screen"}};
  return rows;
}

const std::vector<PresetValue>& embedding() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 256, p95: 512, min: 4, max: 1024}",
       "assumed: chunks of at most 512 tokens, and a few that are not"},
      {"requests.osl_tokens", "1", "the vector comes out of the prefill: nothing is decoded"},
      {"arrivals.kind", "poisson", "independent callers"},
      {"arrivals.rate_rps", "50", "assumed"},
      {"prefix.stable_tokens", "0", "texts share no prefix"},
      {"session.turns", "1", "no dialogue"},
      {"slo.e2e_ms.p95", "300", "assumed: a search box that must feel immediate"},
      {"priority", "throughput", "an index is filled more often than it is asked"}};
  return rows;
}

const std::vector<PresetValue>& rag() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 3000, p95: 6000, min: 600, max: 12000}",
       "assumed: five to ten chunks of 512 tokens, instructions and the question"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 200, p95: 600, min: 1, max: 1024}",
       "assumed: an answer of one to three paragraphs"},
      {"arrivals.kind", "poisson", "independent users"},
      {"arrivals.rate_rps", "5", "assumed"},
      {"prefix.stable_tokens", "400", "assumed: the instructions come first and never change"},
      {"session.turns", "1", "each question fetches other chunks"},
      {"slo.ttft_ms.p95", "2000", "MLPerf Llama 3.1 8B conversational"},
      {"slo.tpot_ms.p95", "100", "MLPerf Llama 3.1 8B conversational"},
      {"priority", "balanced", "nobody said otherwise"}};
  return rows;
}

const std::vector<PresetValue>& agent() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 6300, p95: 12000, min: 2000, max: 20000}",
       "first prompt; Mooncake trace tool&agent, p95 assumed"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 250, p95: 1000, min: 1, max: 2048}",
       "TraceLab, p95 assumed"},
      {"arrivals.kind", "poisson", "independent tasks"},
      {"arrivals.rate_rps", "6", "Mooncake trace tool&agent, 6.67 a second"},
      {"prefix.stable_tokens", "2000", "assumed: instructions and tool descriptions"},
      {"session.turns", "6", "assumed: tool calls until the task is done"},
      {"session.turn_input_tokens", "1000", "TraceLab: a round adds 1,045 tokens"},
      {"session.tool_cpu_s", "2", "assumed: a search, a test or a file read"},
      {"slo.ttft_ms.p95", "2000", "MLPerf Llama 3.1 8B conversational"},
      {"slo.tpot_ms.p95", "40", "MLPerf Llama 2 70B interactive: steps add up"},
      {"priority", "latency", "a task is as slow as the sum of its turns"}};
  return rows;
}

const std::vector<PresetValue>& offline() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "{dist: lognormal, p50: 500, p95: 2000, min: 16, max: 4000}",
       "assumed: a prompt and a passage to work on"},
      {"requests.osl_tokens", "{dist: lognormal, p50: 800, p95: 2500, min: 1, max: 4000}",
       "assumed: generated data runs longer than answers to people"},
      {"arrivals.kind", "all_at_once", "the whole set is there at the start"},
      {"arrivals.count", "100000", "assumed"},
      {"prefix.stable_tokens", "0", kNoPromise},
      {"session.turns", "1", "no dialogue"},
      {"priority", "throughput", "only the end of the job counts"}};
  return rows;
}

}  // namespace

const std::vector<PresetValue>& preset_of(std::string_view type) {
  using Rows = const std::vector<PresetValue>& (*)();
  static const std::map<std::string_view, Rows> kPresets = {
      {"chat", chat},   {"codegen", codegen},     {"summarization", summarization},
      {"batch", batch}, {"embedding", embedding}, {"rag", rag},
      {"agent", agent}, {"offline", offline}};
  const auto found = kPresets.find(type);
  return found == kPresets.end() ? no_rows() : found->second();
}

const std::vector<PresetValue>& defaults() {
  static const std::vector<PresetValue> rows = {
      {"prefix.stable_tokens", "0", kNoPromise},
      {"prefix.semi_stable_tokens", "0", kNoPromise},
      {"session.turns", "1", "every request stands alone"},
      {"session.turn_input_tokens", "0", "no later turns"},
      {"session.think_s", "0", "the next turn follows at once"},
      {"session.tool_cpu_s", "0", "no tools"},
      {"task.success_rate", "1", "every answer is taken as good"},
      {"task.max_attempts", "1", "no retries"},
      {"hardware.max_gpus", "64", "eight nodes of eight: past that a plan is a project"},
      {"cost.region", "us-east", "where most list prices are published"},
      {"cost.commitment", "on_demand", "promises nothing"},
      {"cost.usd_per_kwh", "0.10", "assumed: an industrial tariff"},
      {"cost.pue", "1.2", "assumed: a modern data centre"},
      {"availability.spare_replicas", "0", "no failure is planned for"},
      {"availability.max_utilization", "0.85", "queues explode close to 1"}};
  return rows;
}

const std::vector<PresetValue>& original_request_rows() {
  static const std::vector<PresetValue> rows = {
      {"requests.isl_tokens", "512",
       "its own RTX 4070 profiles have a p95 TTFT of 122 to 195 ms: their prompts were short"},
      {"requests.osl_tokens", "256", "assumed: a paragraph or two"},
      {"arrivals.kind", "closed", "it sized no load: one GPU answers one user"},
      {"arrivals.concurrency", "1", "it sized no load: one GPU answers one user"}};
  return rows;
}

const PresetValue* find_row(const std::vector<PresetValue>& rows, std::string_view key) {
  for (const PresetValue& row : rows) {
    if (row.key == key) return &row;
  }
  return nullptr;
}

}  // namespace tensorpath::workload_file
