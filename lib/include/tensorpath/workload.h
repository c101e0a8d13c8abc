// What the user wants: the workload spec (tensorpath-workload(5)).
// A file needs `type` and a model; a preset per type fills the rest, and Workload::filled lists
// what was filled. Lengths are tokens, times are in the unit of the name, money is US dollars.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/catalog.h>

namespace tensorpath {

// A distribution of request lengths, in tokens.
struct LengthDist {
  enum class Kind { kFixed, kUniform, kLognormal, kTrace };

  Kind kind = Kind::kFixed;
  double value = 0;            // kFixed
  double p50 = 0, p95 = 0;     // kLognormal, before clipping
  double min = 0, max = 0;     // kUniform; kLognormal clips to it
  std::string trace_path;      // kTrace: one length per line
  std::vector<double> sample;  // kTrace: sorted

  [[nodiscard]] double mean() const;
  [[nodiscard]] double mean_capped(double cap) const;  // E[min(length, cap)]
  [[nodiscard]] double variance() const;
  [[nodiscard]] double quantile(double p) const;  // p in [0,1]
  [[nodiscard]] double max_value() const;
  [[nodiscard]] std::string to_string() const;  // "lognormal p50 1200 p95 6000"
};

struct Arrivals {
  enum class Kind { kClosed, kPoisson, kGamma, kAllAtOnce, kTrace };

  Kind kind = Kind::kPoisson;
  double concurrency = 0;  // kClosed: requests in flight over the whole deployment
  double rate_rps = 0;  // open kinds: requests of all turns per second; 0 with owned hardware asks
                        // for the load it carries
  double cv = 1;        // kGamma: coefficient of variation of the gaps
  double count = 0;     // kAllAtOnce
  std::string trace_path;  // kTrace: arrival seconds, one per line
  [[nodiscard]] bool open() const { return kind != Kind::kClosed && kind != Kind::kAllAtOnce; }
};

// Share of the prompt that other requests already computed.
struct Prefix {
  double stable_tokens = 0;        // the same for everybody
  double semi_stable_tokens = 0;   // the same within a session
  std::optional<double> hit_rate;  // share of prompt tokens; absent: derived from the above
};

struct SessionShape {
  int turns = 1;
  double turn_input_tokens = 0;  // what each later turn adds to the history
  double think_s = 0;
  double tool_cpu_s = 0;  // CPU tools between turns: no GPU speeds it up
};

struct Task {
  double success_rate = 1;
  int max_attempts = 1;
};

struct Percentiles {  // absent: no bound
  std::optional<double> p50, p95, p99;
  [[nodiscard]] bool any() const { return p50 || p95 || p99; }
};

struct Goodput {
  std::optional<double> ttft_ms, tpot_ms, e2e_ms;
  double min_share = 0.95;
};

struct Slo {
  Percentiles ttft_ms, tpot_ms, e2e_ms;
  std::optional<double> min_tok_s_user;    // per request: 1000 / TPOT p50
  std::optional<double> min_output_tok_s;  // of the whole deployment
  std::optional<Goodput> goodput;
};

struct OwnedGpus {
  std::string gpu;  // canonical
  int count = 0;
  double usd_per_gpu_hour = 0;
};

struct Hardware {
  std::vector<std::string> allow;  // canonical names; empty is all
  std::vector<OwnedGpus> owned;
  int max_gpus = 64;
};

struct CostSpec {
  std::string region = "us-east";
  std::string commitment = "on_demand";
  std::optional<double> max_usd_per_month;
  std::map<std::string, double> override_usd_per_gpu_hour;  // by canonical GPU
  double usd_per_kwh = 0.10;
  double pue = 1.2;
};

struct Availability {
  int spare_replicas = 0;
  double max_utilization = 0.85;
};

enum class Priority { kLatency, kThroughput, kCost, kBalanced };
[[nodiscard]] std::string_view to_string(Priority priority);

struct Workload {
  std::string name;
  std::string type;  // chat | codegen | summarization | batch | embedding | rag | agent | offline
  std::vector<std::string> models;  // canonical names, at least one
  std::string tokens_of;            // canonical name or empty: each model's own
  LengthDist isl_tokens, osl_tokens;
  double max_context_tokens = 0;
  Arrivals arrivals;
  Prefix prefix;
  SessionShape session;
  Task task;
  Slo slo;
  Hardware hardware;
  CostSpec cost;
  Availability availability;
  std::optional<double> quality_floor;
  Priority priority = Priority::kBalanced;

  std::string source;               // the file it was read from
  std::vector<std::string> filled;  // "arrivals.rate_rps = 6 (preset chat)"

  // Share of prompt tokens that a warm prefix cache serves: prefix.hit_rate, or, with L the first
  // prompt, O the answer, u = session.turn_input_tokens, T = session.turns and S = stable_tokens,
  //   (E[min(L, S)] + sum over t = 2..T of (P_t - u)) / (sum over t = 1..T of P_t),
  //   P_t = E[L] + (t - 1) (u + E[O]):
  // the first turn finds what everybody shares, a later one all of the history but what it adds.
  // Semi-stable tokens are part of the first prompt, so the history counts them from turn 2 on.
  [[nodiscard]] double prefix_hit_rate() const;
  // Mean prompt length over all turns, the history included.
  [[nodiscard]] double mean_prompt_tokens() const;
};

// The rows of a type's preset and the defaults of every type, for `help` and the man page:
// key, value in the file's syntax, and the reason for it.
struct PresetRow {
  std::string key, value, reason;
};
[[nodiscard]] std::vector<PresetRow> preset_rows(std::string_view type);

// Reads a workload file ("-" is stdin). Understands YAML of tensorpath.workload/v1 and the original
// TensorPath JSON request (model_id, workload_type, optimization_priority, constraints). Unknown
// models and GPUs are looked up in the catalog. All mistakes are reported at once.
[[nodiscard]] Expected<Workload> read_workload(const std::string& path, Catalog& catalog);
[[nodiscard]] Expected<Workload> parse_workload(std::string_view text, const std::string& file_name,
                                                Catalog& catalog);

[[nodiscard]] const std::vector<std::string>& workload_types();
// The workload with everything filled in, in the keys of the file format.
[[nodiscard]] Json to_json(const Workload& workload);

}  // namespace tensorpath
