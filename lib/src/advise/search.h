// The search: every layout of the space sized for the demand, priced, filtered and scored.
// Screening keeps one small value per layout; only the winners become Plans with words.
#pragma once

#include "demand.h"
#include "pricing.h"

#include <array>
#include <compare>
#include <memory>
#include <vector>

#include <tensorpath/advise.h>
#include <tensorpath/profile.h>

namespace tensorpath::advise {

// A layout compiled once per Advisor, with the engine's default knobs for that GPU.
struct CompiledLayout {
  Layout layout;
  StepModel step;
  MemoryPlan memory;
  int default_max_batch = 0;
  int default_max_batched_tokens = 0;
};

// All layouts that share GPU, engine and formats.
struct Family {
  const Gpu* gpu = nullptr;
  const Engine* engine = nullptr;
  const Format* weight = nullptr;
  const KvFormat* kv = nullptr;
  double quality = 1;
  std::string unsupported;  // why there is no path; empty when there is one
  long layout_count = 0;    // enumerated, supported or not
  std::vector<CompiledLayout> layouts;
};

struct ModelSpace {
  const Model* model = nullptr;
  std::vector<Family> families;
};

[[nodiscard]] CompiledLayout compile_layout(const Layout& layout, int max_batch,
                                            int max_batched_tokens, const Calibration& calibration);
[[nodiscard]] ModelSpace compile_space(const Catalog& catalog, const Model& model,
                                       const Calibration& calibration);

// A candidate sized for the demand.
struct Evaluated {
  Candidate candidate;
  const CompiledLayout* compiled = nullptr;          // of the decode pool when disaggregated
  const CompiledLayout* prefill_compiled = nullptr;  // disaggregated only
  MemoryPlan memory;
  double quality = 1;
  int replicas = 0;
  int prefill_replicas = 0;
  int gpu_count = 0;
  Rate rate;
  LoadAtSlo at_slo;         // of one replica; disaggregated: of the deployment
  Prediction at_load;       // of one replica at the offered load; disaggregated: of the deployment
  double offered_rps = 0;   // of the deployment
  double capacity_rps = 0;  // at the SLO, spare replicas idle
  bool near_miss = false;
  Scores scores;
  const Profile* measured = nullptr;  // used in place of the prediction
};

// Why a candidate was turned down, as a template and its numbers: most are only counted, and the
// few that are shown become words in describe().
struct Verdict {
  enum class Detail : std::uint8_t {
    kNone,
    kSlo,          // `key` is missed
    kGpusAllowed,  // a GPUs, b are allowed
    kGpusOwned,    // a GPUs, b are owned
    kUsdMonth,     // a dollars a month for b GPUs
    kWeights,      // a bytes of weights, b of memory
    kContext,      // a tokens are asked, b fit
    kNoPrice,      // none in the region under the commitment
  };

  bool feasible = false;
  Rejection rejection = Rejection::kSloTooTight;
  Detail detail = Detail::kNone;
  double a = 0, b = 0;
  std::string_view key;  // a literal
};
[[nodiscard]] inline Verdict accepted() {
  Verdict verdict;
  verdict.feasible = true;
  return verdict;
}
[[nodiscard]] std::string describe(const Verdict& verdict, const Workload& workload);

// What the search needs to know about one workload; cheap to build, so that a changed workload (a
// flip point, a relaxation) is a new Question over the same compiled space.
struct Question {
  const Workload* workload = nullptr;
  const Catalog* catalog = nullptr;
  const AdviseOptions* options = nullptr;
  const ProfileStore* profiles = nullptr;
  PriceBook prices;
  Demand demand;
  std::vector<const Gpu*> gpus;  // allowed ones

  [[nodiscard]] bool allows(const Gpu& gpu) const;
};
[[nodiscard]] Question ask(const Workload& workload, const Catalog& catalog,
                           const ProfileStore* profiles, const AdviseOptions& options);

[[nodiscard]] Candidate default_candidate(const CompiledLayout& compiled);

// Sizes, prices and scores one candidate. `out` is whole only when the verdict is feasible.
[[nodiscard]] Verdict evaluate(const Question& question, const CompiledLayout& compiled,
                               const Candidate& candidate, double quality, Evaluated& out);

// Prices and scores what is already sized: the part that a price or a budget changes.
[[nodiscard]] Verdict settle(const Question& question, Evaluated& evaluated);

struct RejectionTally {
  struct Entry {
    long count = 0;
    std::string example;
  };
  std::array<Entry, static_cast<std::size_t>(Rejection::kCount)> entries;

  // True when the reason is new: then `example` of the entry wants words.
  [[nodiscard]] bool add(Rejection reason, long count);
  [[nodiscard]] std::string& example(Rejection reason);
};

struct SearchResult {
  std::vector<Evaluated> plans;        // feasible and in budget, best first, one per layout
  std::vector<Evaluated> near_misses;  // over budget, up to twice
  RejectionTally tally;
  long considered = 0;
  long feasible_layouts = 0;  // plans before disaggregated siblings were added
};

// The whole search over the compiled spaces of all models of the workload. `result` is overwritten;
// its memory is used again, which counts when a search of many plans is repeated.
void search(const Question& question, const std::vector<const ModelSpace*>& spaces,
            SearchResult& result);

// Evaluated -> Plan: adds the cost block, the bands, words.
[[nodiscard]] Plan to_plan(const Question& question, const Evaluated& evaluated,
                           const Calibration& calibration);

// Plans that differ in less than this are variants of one choice. bf16 and fp16 are a load-time
// flag apart: `weight` is null for both.
struct Choice {
  const Model* model = nullptr;
  const Gpu* gpu = nullptr;
  const Engine* engine = nullptr;
  const Format* weight = nullptr;

  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees a zero in the default
  auto operator<=>(const Choice&) const = default;
};
[[nodiscard]] Choice choice_of(const Candidate& candidate);

// Best first, with a fixed order among equals so that output never depends on the search order.
void sort_by_score(std::vector<Evaluated>& evaluated);

}  // namespace tensorpath::advise
