// One plan of a plan document, checked: every field has its type, range and meaning.
// Uses: 1) the facts that an engine's mapping reads, 2) the pages and manifests.
#pragma once

#include <optional>
#include <string>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/catalog.h>
#include <tensorpath/workload.h>

namespace tensorpath::deploy {

// Replicas that run alike: the whole deployment, or its prefill or decode half.
struct Pool {
  const Gpu* gpu = nullptr;
  int replicas = 1;
  int gpus_per_replica = 1;
  int tp = 1;  // of attention
  int pp = 1;
  int ep = 1;
  int attn_dp = 1;
  int max_batch = 1;           // requests in flight on one replica, all attention-DP ranks together
  int max_batched_tokens = 1;  // tokens of one step of a replica, likewise

  [[nodiscard]] int group() const { return tp * attn_dp; }  // what engines call the TP group
  [[nodiscard]] int nodes() const;
};

struct Speculative {
  std::string method = "none";  // none | mtp | eagle3 | ngram
  int draft_tokens = 0;
  std::string draft_repo;  // empty: the plan names none
};

// The load to measure at, in tokens and requests per second of the whole deployment.
struct BenchLoad {
  double isl_mean = 1024, isl_cv = 0;
  double osl_mean = 256, osl_cv = 0;
  double prefix_tokens = 0;  // the same at the head of every prompt
  double rate_rps = 0;       // 0: closed loop
  double concurrency = 0;    // of the closed loop, or expected
  double arrival_cv = 1;
  bool lengths_known = true;  // false: a trace, whose lengths are not in the plan
  std::optional<double> goodput_ttft_ms, goodput_tpot_ms, goodput_e2e_ms;
};

struct PlanPoint {
  int rank = 1;
  std::string workload_name;
  std::string model_name;        // as the plan has it
  const Model* model = nullptr;  // null: not in the catalog
  const Engine* engine = nullptr;
  std::string engine_release;
  const Format* format = nullptr;  // null: not in the catalog
  std::string weight_format;       // canonical where the catalog knows it
  std::string kv_format;
  Pool serve;                   // aggregated; disaggregated: the decode half
  std::optional<Pool> prefill;  // disaggregated only
  std::string kv_transfer;      // "nixl"; empty when aggregated
  int gpu_count = 0;
  int max_context_tokens = 0;
  bool chunked_prefill = true;
  bool prefix_cache = true;
  Speculative spec;
  std::string checkpoint_repo;  // empty: quantise it yourself
  std::string checkpoint_how;   // the plan's own words on that
  bool gated = false;
  double kv_capacity_tokens = 0;
  BenchLoad load;
  Json metrics;  // as in the document, for the page
  Json cost;

  [[nodiscard]] bool disaggregated() const { return prefill.has_value(); }
};

// The plan with that rank. Errors name the key and what was expected.
[[nodiscard]] Expected<PlanPoint> read_plan_point(const Json& document, int rank,
                                                  const Catalog& catalog);

// A name for files, containers and Kubernetes objects: lower case, [a-z0-9-], at most 40 long, so
// that suffixes still fit in Kubernetes' 63.
[[nodiscard]] std::string object_name(std::string_view text);

}  // namespace tensorpath::deploy
