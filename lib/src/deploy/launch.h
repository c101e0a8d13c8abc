// A plan and an engine release put together: the commands, settings and names that every written
// file shares, so that serve.sh, Compose and Kubernetes start the same argv in the same folder.
#pragma once

#include "plan_point.h"
#include "release.h"

#include <string>
#include <utility>
#include <vector>

namespace tensorpath::deploy {

// The folder inside containers where configuration and local weights lie, as beside serve.sh.
inline constexpr const char* kContainerFolder = "/deploy";
// Stands in the configuration where the plan names no draft model; serve.sh refuses to start with
// it.
inline constexpr const char* kDraftPlaceholder = "SET-THE-DRAFT-MODEL";

// Which weights the engine is told to load.
struct WeightsReference {
  std::string argument;  // a Hugging Face id, an absolute path, or ./models/NAME
  std::string original;  // the 16-bit weights: tokenizer of the benchmark, base to quantise
  bool on_hub = true;
  bool quantise_first = false;   // argument does not exist until quantise.sh has run
  bool quantise_online = false;  // the engine makes the format while loading
};

// A word of a command line: text, or "$NAME" of the script with a suffix.
struct Word {
  std::string text;
  std::string variable;
  std::string suffix;
};

struct Launch {
  const PlanPoint* point = nullptr;
  ReleaseMapping mapping;
  WeightsReference weights;
  std::string name;         // of containers and Kubernetes objects
  std::string served_name;  // that clients ask for
  std::string image;
  Facts facts;                                    // of the (decode) pool
  std::vector<std::vector<Word>> command;         // of one replica; a row a line
  std::vector<std::vector<Word>> worker_command;  // of the further nodes of a replica; may be empty
  std::vector<Setting> settings;                  // of the configuration file
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> notes;
  std::string config_text;
  double weight_bytes = 0;  // of the whole model; 0: not known

  [[nodiscard]] bool cpu() const { return point->serve.gpu->vendor == "cpu"; }
  [[nodiscard]] int nodes() const { return point->serve.nodes(); }
  // "vllm 0.24.0 on 2 x NVIDIA L40S"
  [[nodiscard]] std::string headline() const;
};

// Refuses what the release cannot run. `point` must outlive the result.
[[nodiscard]] Expected<Launch> prepare(const PlanPoint& point, ReleaseMapping mapping);

// The facts of one pool: "agg", "prefill" or "decode".
[[nodiscard]] Facts pool_facts(const PlanPoint& point, const ReleaseMapping& mapping,
                               const WeightsReference& weights, const Pool& pool,
                               const std::string& role);
// Adds the facts of a benchmark run; closed: the closed loop that `validate` reads.
void add_bench_facts(const PlanPoint& point, bool closed, Facts& facts);

// Rows of words for rules: a flag and its value share a row.
[[nodiscard]] std::vector<std::vector<Word>> rows_of(const std::vector<Setting>& settings);
// The configuration file's text.
[[nodiscard]] Expected<std::string> config_text(const Launch& launch);
// ISL and OSL of the benchmark, and its requests in flight, as whole numbers.
[[nodiscard]] int bench_concurrency(const PlanPoint& point);

}  // namespace tensorpath::deploy
