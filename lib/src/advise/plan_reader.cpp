// A plan point back out of a plan file.
#include <fmt/format.h>

#include <tensorpath/advise.h>

namespace tensorpath {
namespace {

// Reads the keys of one plan; the first mistake stays.
class PlanKeys {
 public:
  PlanKeys(const Json& plan, std::string path) : plan_(plan), path_(std::move(path)) {}

  std::string text(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_string()) return value->get<std::string>();
    mistake(key, "text");
    return {};
  }
  int count(const char* key) {
    const Json* value = find(key);
    if (value != nullptr && value->is_number_integer()) {
      const auto number = value->get<long long>();
      if (number >= 1 && number <= 1'000'000) return static_cast<int>(number);
    }
    mistake(key, "a whole number from 1 to 1000000");
    return 1;
  }
  bool boolean(const char* key, bool absent) {
    const Json* value = find(key);
    return value != nullptr && value->is_boolean() ? value->get<bool>() : absent;
  }
  const Json* find(const char* key) const {
    const auto found = plan_.find(key);
    return found == plan_.end() || found->is_null() ? nullptr : &*found;
  }
  [[nodiscard]] const std::string& mistakes() const { return mistake_; }

 private:
  void mistake(const char* key, const char* expected) {
    if (mistake_.empty()) mistake_ = fmt::format("{}.{} must be {}", path_, key, expected);
  }

  const Json& plan_;
  std::string path_;
  std::string mistake_;
};

Speculation spec_of(const Json* spec) {
  Speculation out;
  if (spec == nullptr || !spec->is_object()) return out;
  out.method = spec->value("method", out.method);
  out.draft_tokens = spec->value("draft_tokens", out.draft_tokens);
  out.accepted_tokens_per_step = spec->value("accepted_tokens_per_step", 1.0);
  return out;
}

// Looks a name up and keeps the first error.
template <typename Found>
const typename std::remove_pointer_t<typename Found::value_type>* take(
    const Found& found, std::optional<Error>& error) {
  if (found) return *found;
  if (!error) error = found.error();
  return nullptr;
}

}  // namespace

Candidate candidate_with_defaults(const Layout& layout) {
  const SchedulerTier defaults = layout.engine->defaults_on(*layout.gpu);
  Candidate candidate;
  candidate.layout = layout;
  candidate.max_batch = defaults.max_batch;
  candidate.max_batched_tokens = defaults.max_batched_tokens;
  candidate.chunked_prefill = layout.engine->chunked_prefill;
  return candidate;
}

Expected<PlannedPoint> point_from_json(const Json& document, int rank, const Catalog& catalog) {
  const auto plans = document.is_object() ? document.find("plans") : document.end();
  if (!document.is_object() || plans == document.end() || !plans->is_array()) {
    return fail(ExitCode::kUsage, "not a plan file: it has no list 'plans'",
                "tensorpath recommend --out DIR writes DIR/plan.json");
  }
  if (rank < 1 || static_cast<std::size_t>(rank) > plans->size()) {
    return fail(ExitCode::kUsage, fmt::format("there is no plan of rank {}", rank),
                fmt::format("the file holds {}", plans->size()));
  }
  const Json& plan = plans->at(static_cast<std::size_t>(rank - 1));
  const std::string path = fmt::format("plans[{}]", rank - 1);
  if (!plan.is_object()) return fail(ExitCode::kUsage, path + " must be an object");
  PlanKeys keys(plan, path);
  std::optional<Error> unknown;
  Layout layout;
  layout.model = catalog.find_model(keys.text("model"));
  layout.gpu = take(catalog.gpu(keys.text("gpu")), unknown);
  layout.engine = take(catalog.engine(keys.text("engine")), unknown);
  layout.weight = take(catalog.format(keys.text("weight_format")), unknown);
  layout.kv = catalog.find_kv_format(keys.text("kv_format"));
  layout.tp = keys.count("tp");
  layout.pp = keys.count("pp");
  layout.ep = keys.count("ep");
  layout.attn_dp = keys.count("attn_dp");
  Candidate candidate;
  candidate.max_batch = keys.count("max_batch");
  candidate.max_batched_tokens = keys.count("max_batched_tokens");
  candidate.chunked_prefill = keys.boolean("chunked_prefill", true);
  if (!keys.mistakes().empty()) return fail(ExitCode::kUsage, keys.mistakes());
  if (unknown) return tl::unexpected(*unknown);
  if (layout.model == nullptr || layout.kv == nullptr) {
    return fail(ExitCode::kUsage, fmt::format("{}: unknown {}", path,
                                              layout.model == nullptr ? "model" : "KV format"));
  }
  candidate.layout = layout;
  candidate.spec = spec_of(keys.find("spec"));
  PlannedPoint point{candidate, keys.count("replicas"), 0};
  if (const Json* prefill = keys.find("prefill"); prefill != nullptr && prefill->is_object()) {
    PlanKeys pool(*prefill, path + ".prefill");
    point.candidate.disaggregated = true;
    point.candidate.prefill_layout = layout;
    point.candidate.prefill_layout.tp = pool.count("tp");
    point.candidate.prefill_layout.pp = pool.count("pp");
    point.candidate.prefill_layout.ep = pool.count("ep");
    point.candidate.prefill_layout.attn_dp = pool.count("attn_dp");
    point.prefill_replicas = pool.count("replicas");
    if (!pool.mistakes().empty()) return fail(ExitCode::kUsage, pool.mistakes());
  }
  if (!keys.mistakes().empty()) return fail(ExitCode::kUsage, keys.mistakes());
  return point;
}

}  // namespace tensorpath
