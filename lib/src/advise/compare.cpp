#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <fmt/format.h>

#include <tensorpath/compare.h>

namespace tensorpath {
namespace {

// --- Reading a side ----------------------------------------------------------------------------

const Json* at(const Json& document, const char* pointer) {
  const Json::json_pointer path(pointer);
  return document.contains(path) ? &document.at(path) : nullptr;
}

std::optional<double> number_at(const Json& document, const char* pointer) {
  const Json* value = at(document, pointer);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double number = value->get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

std::string text_at(const Json& document, const char* pointer) {
  const Json* value = at(document, pointer);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

int count_at(const Json& document, const char* pointer) {
  return static_cast<int>(std::clamp(number_at(document, pointer).value_or(0), 0.0, 1e6));
}

// Mean of a length as a file gives it: a number, or a distribution with mean, value or a range.
std::optional<double> mean_length(const Json& document, const std::string& pointer) {
  if (auto plain = number_at(document, pointer.c_str())) return plain;
  for (const char* key : {"/mean", "/value"}) {
    if (auto mean = number_at(document, (pointer + key).c_str())) return mean;
  }
  const auto min = number_at(document, (pointer + "/min").c_str());
  const auto max = number_at(document, (pointer + "/max").c_str());
  const std::string dist = text_at(document, (pointer + "/dist").c_str());
  if (min && max && dist == "uniform") return 0.5 * (*min + *max);
  return std::nullopt;
}

Provenance provenance_of(const std::string& word) {
  for (const Provenance p : {Provenance::kMeasured, Provenance::kImported, Provenance::kCalibrated,
                             Provenance::kModeled}) {
    if (word == to_string(p)) return p;
  }
  return Provenance::kAssumed;
}

void fill_identity(const Json& plan, const Catalog& catalog, ComparisonSide& side) {
  Comparable& facts = side.facts;
  facts.model = text_at(plan, "/model");
  if (const Model* model = catalog.find_model(facts.model)) facts.tokenizer = model->tokenizer;
  facts.gpu = text_at(plan, "/gpu");
  facts.weight_format = text_at(plan, "/weight_format");
  facts.kv_format = text_at(plan, "/kv_format");
  facts.engine = text_at(plan, "/engine");
  side.ttft_ms_mean = number_at(plan, "/ttft_ms/mean");
}

ComparisonSide side_of_plan(const Json& plan, const Catalog& catalog) {
  ComparisonSide side;
  fill_identity(plan, catalog, side);
  Comparable& facts = side.facts;
  facts.engine_version = text_at(plan, "/engine_release");
  facts.n_gpus = count_at(plan, "/gpu_count");
  facts.gpu_basis = GpuBasis::kAll;
  facts.token_basis = TokenBasis::kOutput;
  facts.timing = Statistic::kMean;
  facts.cache = CacheState::kWarm;  // the steady state is what is predicted
  facts.prefix_hit_rate = number_at(plan, "/lengths/prefix_hit_rate");
  facts.isl_tokens = number_at(plan, "/lengths/isl_tokens_mean");
  facts.osl_tokens = number_at(plan, "/lengths/osl_tokens_mean");
  facts.concurrency = number_at(plan, "/expected_concurrency");
  facts.rate_rps = number_at(plan, "/offered_rps");
  facts.tok_s_user = number_at(plan, "/metrics/tok_s_user/value");
  facts.tok_s_gpu = number_at(plan, "/metrics/tok_s_gpu/value");
  facts.quality = number_at(plan, "/quality");
  facts.provenance = provenance_of(text_at(plan, "/metrics/tpot_ms/provenance"));
  side.layout = fmt::format("{} x {}, tp{}", count_at(plan, "/replicas"),
                            count_at(plan, "/gpus_per_replica"), count_at(plan, "/tp"));
  side.ttft_ms_mean = facts.ttft_ms = number_at(plan, "/metrics/ttft_ms/mean");
  side.ttft_ms_p95 = number_at(plan, "/metrics/ttft_ms/p95");
  side.tpot_ms_mean = number_at(plan, "/metrics/tpot_ms/mean");
  side.tpot_ms_p95 = number_at(plan, "/metrics/tpot_ms/p95");
  side.e2e_ms_p95 = number_at(plan, "/metrics/e2e_ms/p95");
  side.output_tok_s = number_at(plan, "/metrics/output_tok_s/value");
  side.max_rate_at_slo = number_at(plan, "/max_rate_at_slo");
  side.usd_per_month = number_at(plan, "/cost/usd_per_month");
  side.usd_per_mtok_output = number_at(plan, "/cost/usd_per_mtok_output");
  return side;
}

ComparisonSide side_of_profile(const Json& profile, const Catalog& catalog) {
  ComparisonSide side;
  fill_identity(profile, catalog, side);
  Comparable& facts = side.facts;
  facts.engine_version = text_at(profile, "/engine_version");
  facts.n_gpus = count_at(profile, "/n_gpus");
  facts.gpu_basis = GpuBasis::kAll;
  facts.token_basis = TokenBasis::kOutput;
  facts.timing = Statistic::kMean;
  facts.prefix_hit_rate = number_at(profile, "/prefix_hit_rate");
  facts.isl_tokens = mean_length(profile, "/isl_tokens");
  facts.osl_tokens = mean_length(profile, "/osl_tokens");
  facts.concurrency = number_at(profile, "/arrivals/concurrency");
  facts.rate_rps = number_at(profile, "/arrivals/rate_rps");
  facts.provenance = provenance_of(text_at(profile, "/provenance"));
  facts.range = RangeState::kMeasured;
  facts.ttft_ms = side.ttft_ms_mean;
  side.ttft_ms_p95 = number_at(profile, "/ttft_ms/p95");
  side.tpot_ms_mean = number_at(profile, "/tpot_ms/mean");
  side.tpot_ms_p95 = number_at(profile, "/tpot_ms/p95");
  side.output_tok_s = number_at(profile, "/output_tok_s");
  if (side.tpot_ms_mean && *side.tpot_ms_mean > 0) facts.tok_s_user = 1000 / *side.tpot_ms_mean;
  if (side.output_tok_s && facts.n_gpus > 0) {
    facts.tok_s_gpu = *side.output_tok_s / facts.n_gpus;
  }
  if (facts.n_gpus > 0)
    side.layout = fmt::format("{} GPUs, tp{}", facts.n_gpus, count_at(profile, "/tp"));
  return side;
}

// --- Comparing ---------------------------------------------------------------------------------

using Figure = std::function<std::optional<double>(const ComparisonSide&)>;

bool all_state(const std::vector<ComparisonSide>& sides, const Figure& value) {
  return std::all_of(sides.begin(), sides.end(),
                     [&](const ComparisonSide& side) { return value(side).has_value(); });
}

// Empty unless every side states the figure: who is best of those that speak is no comparison.
std::string best_name(const std::vector<ComparisonSide>& sides, const Figure& value, bool least) {
  if (!all_state(sides, value)) return {};
  const ComparisonSide* best = nullptr;
  double best_value = 0;
  for (const ComparisonSide& side : sides) {
    const double v = *value(side);
    if (best == nullptr || (least ? v < best_value : v > best_value)) {
      best = &side;
      best_value = v;
    }
  }
  return best == nullptr ? std::string() : best->facts.name;
}

std::optional<double> quantity_of(const ComparisonSide& side, Quantity quantity) {
  switch (quantity) {
    case Quantity::kTokSGpu:
      return side.facts.tok_s_gpu;
    case Quantity::kTokSUser:
      return side.facts.tok_s_user;
    case Quantity::kTtft:
      return side.ttft_ms_mean;
    case Quantity::kUsdPerMtok:
      return side.usd_per_mtok_output;
    case Quantity::kKwhPerMtok:
      break;
  }
  return std::nullopt;
}

std::string_view quantity_name(Quantity quantity) {
  switch (quantity) {
    case Quantity::kTokSGpu:
      return "tok/s/GPU";
    case Quantity::kTokSUser:
      return "tok/s/user";
    case Quantity::kTtft:
      return "TTFT";
    case Quantity::kUsdPerMtok:
      return "$ per million output tokens";
    case Quantity::kKwhPerMtok:
      break;
  }
  return "kWh per million output tokens";
}

void compare_pair(const ComparisonSide& before, const ComparisonSide& after, Comparison& out,
                  std::set<std::string>& seen) {
  const std::vector<Flag> flags = guard(before.facts, after.facts);
  for (const Flag& flag : flags) {
    if (seen.insert(flag.text).second) out.flags.push_back(flag);
  }
  const Provenance weaker = weakest(before.facts.provenance, after.facts.provenance);
  for (const Quantity quantity :
       {Quantity::kTokSUser, Quantity::kTokSGpu, Quantity::kTtft, Quantity::kUsdPerMtok}) {
    const auto a = quantity_of(before, quantity);
    const auto b = quantity_of(after, quantity);
    if (!a || !b) continue;
    out.ratios.push_back(
        {quantity, before.facts.name, after.facts.name, ratio_of(quantity, *a, *b, weaker, flags)});
  }
}

// A row of the table: name, value of a side, whether less is better, and how to print it.
struct Row {
  const char* name;
  std::optional<double> ComparisonSide::*value;
  bool less_is_better;
  std::string (*print)(double);
};

std::vector<std::string> cells_of(const Row& row, const std::vector<ComparisonSide>& sides) {
  std::optional<double> best;
  const bool comparable = all_state(sides, [&](const auto& side) { return side.*row.value; });
  for (const ComparisonSide& side : sides) {
    const auto& v = side.*row.value;
    if (v && (!best || (row.less_is_better ? *v < *best : *v > *best))) best = v;
  }
  std::vector<std::string> cells{row.name};
  for (const ComparisonSide& side : sides) {
    const auto& v = side.*row.value;
    cells.push_back(!v ? "-" : row.print(*v) + (comparable && *v == *best ? " *" : ""));
  }
  return cells;
}

Json optional_json(const std::optional<double>& value) {
  return value ? json_number(*value) : Json(nullptr);
}

Json side_json(const ComparisonSide& side) {
  const Comparable& f = side.facts;
  return Json{{"name", f.name},
              {"model", f.model},
              {"gpu", f.gpu},
              {"n_gpus", f.n_gpus},
              {"engine", f.engine},
              {"engine_version", f.engine_version},
              {"weight_format", f.weight_format},
              {"kv_format", f.kv_format},
              {"layout", side.layout},
              {"provenance", to_string(f.provenance)},
              {"ttft_ms_mean", optional_json(side.ttft_ms_mean)},
              {"ttft_ms_p95", optional_json(side.ttft_ms_p95)},
              {"tpot_ms_mean", optional_json(side.tpot_ms_mean)},
              {"tpot_ms_p95", optional_json(side.tpot_ms_p95)},
              {"e2e_ms_p95", optional_json(side.e2e_ms_p95)},
              {"output_tok_s", optional_json(side.output_tok_s)},
              {"tok_s_user", optional_json(f.tok_s_user)},
              {"tok_s_gpu", optional_json(f.tok_s_gpu)},
              {"max_rate_at_slo", optional_json(side.max_rate_at_slo)},
              {"usd_per_month", optional_json(side.usd_per_month)},
              {"usd_per_mtok_output", optional_json(side.usd_per_mtok_output)}};
}

}  // namespace

Expected<ComparisonSide> comparison_side(const Json& document, int rank, const std::string& name,
                                         const Catalog& catalog) {
  const std::string schema = document.is_object() ? text_at(document, "/schema") : std::string();
  ComparisonSide side;
  if (schema == "tensorpath.profile/v1") {
    side = side_of_profile(document, catalog);
  } else if (schema == "tensorpath.plan/v1") {
    const Json* plans = at(document, "/plans");
    const auto count = plans != nullptr && plans->is_array() ? plans->size() : 0;
    if (rank < 1 || static_cast<std::size_t>(rank) > count) {
      return fail_at({name, 0, 0}, fmt::format("there is no plan of rank {}", rank),
                     fmt::format("the file holds {} plan{}", count, count == 1 ? "" : "s"));
    }
    side = side_of_plan(plans->at(static_cast<std::size_t>(rank - 1)), catalog);
  } else {
    return fail_at(
        {name, 0, 0},
        schema.empty() ? "neither a plan nor a profile: it names no schema"
                       : fmt::format("neither a plan nor a profile: '{}'", schema),
        "compare takes one workload, or plans (tensorpath recommend --out writes them) and "
        "profiles (tensorpath-profile(5))");
  }
  side.facts.name = name;
  return side;
}

Comparison compare(std::vector<ComparisonSide> sides) {
  Comparison out;
  out.sides = std::move(sides);
  std::set<std::string> seen;
  for (std::size_t i = 1; i < out.sides.size(); ++i) {
    compare_pair(out.sides.front(), out.sides[i], out, seen);
  }
  const bool ends = all_state(out.sides, [](const auto& s) { return s.e2e_ms_p95; });
  out.fastest = best_name(
      out.sides, [&](const auto& s) { return ends ? s.e2e_ms_p95 : s.tpot_ms_mean; }, true);
  out.cheapest = best_name(
      out.sides, [](const auto& s) { return s.usd_per_month; }, true);
  // What a plan could carry, not what it happens to be offered; measurements only have the latter.
  const bool capacities = all_state(out.sides, [](const auto& s) { return s.max_rate_at_slo; });
  out.highest_throughput = best_name(
      out.sides, [&](const auto& s) { return capacities ? s.max_rate_at_slo : s.output_tok_s; },
      false);
  return out;
}

Json to_json(const Comparison& comparison) {
  Json out;
  out["schema"] = "tensorpath.comparison/v1";
  out["sides"] = Json::array();
  for (const ComparisonSide& side : comparison.sides) out["sides"].push_back(side_json(side));
  const auto name_or_null = [](const std::string& name) {
    return name.empty() ? Json(nullptr) : Json(name);
  };
  out["highlights"] = {{"fastest", name_or_null(comparison.fastest)},
                       {"cheapest", name_or_null(comparison.cheapest)},
                       {"highest_throughput", name_or_null(comparison.highest_throughput)}};
  out["ratios"] = Json::array();
  for (const ComparedRatio& r : comparison.ratios) {
    Json one{{"of", quantity_name(r.quantity)}, {"before", r.before}, {"after", r.after}};
    one["ratio"] = to_json(r.ratio);
    out["ratios"].push_back(std::move(one));
  }
  out["flags"] = Json::array();
  for (const Flag& flag : comparison.flags) out["flags"].push_back(to_json(flag));
  return out;
}

Table comparison_table(const Comparison& comparison) {
  std::vector<Column> columns{{"", Column::Align::kLeft, 9}};
  for (const ComparisonSide& side : comparison.sides) {
    columns.push_back({side.facts.name, Column::Align::kRight, 5});
  }
  Table table(std::move(columns));
  const auto add_text = [&](const char* name, auto&& text) {
    std::vector<std::string> cells{name};
    for (const ComparisonSide& side : comparison.sides) {
      const std::string value = text(side);
      cells.push_back(value.empty() ? "-" : value);
    }
    table.add_row(std::move(cells));
  };
  add_text("model", [](const auto& s) { return s.facts.model; });
  add_text("GPU", [](const auto& s) {
    return s.facts.n_gpus > 0 ? fmt::format("{} x {}", s.facts.n_gpus, s.facts.gpu) : s.facts.gpu;
  });
  add_text("engine", [](const auto& s) { return s.facts.engine; });
  add_text("weights/KV", [](const auto& s) {
    return s.facts.weight_format + (s.facts.kv_format.empty() ? "" : "/" + s.facts.kv_format);
  });
  add_text("layout", [](const auto& s) { return s.layout; });
  add_text("class", [](const auto& s) { return std::string(to_string(s.facts.provenance)); });
  static constexpr Row kRows[] = {
      {"TTFT ms mean", &ComparisonSide::ttft_ms_mean, true, human_number},
      {"TTFT ms p95", &ComparisonSide::ttft_ms_p95, true, human_number},
      {"TPOT ms mean", &ComparisonSide::tpot_ms_mean, true, human_number},
      {"TPOT ms p95", &ComparisonSide::tpot_ms_p95, true, human_number},
      {"E2E ms p95", &ComparisonSide::e2e_ms_p95, true, human_number},
      {"output tok/s", &ComparisonSide::output_tok_s, false, human_number},
      {"max req/s at SLO", &ComparisonSide::max_rate_at_slo, false, human_number},
      {"$/month", &ComparisonSide::usd_per_month, true, human_usd},
      {"$/Mtok output", &ComparisonSide::usd_per_mtok_output, true, human_usd},
  };
  for (const Row& row : kRows) table.add_row(cells_of(row, comparison.sides));
  return table;
}

std::string render_text(const Comparison& comparison, int width) {
  if (width <= 0) width = 100;
  std::string out = comparison_table(comparison).to_terminal(width);
  const auto line = [&](const std::string& text) {
    out += wrap_text(text, width - 2, 2);
    if (out.back() != '\n') out += '\n';
  };
  out += "\n";
  if (!comparison.fastest.empty()) line("fastest: " + comparison.fastest);
  if (!comparison.cheapest.empty()) line("cheapest: " + comparison.cheapest);
  if (!comparison.highest_throughput.empty()) {
    line("highest throughput: " + comparison.highest_throughput);
  }
  if (!comparison.ratios.empty()) out += "\nRatios (above 1 is better):\n";
  for (const ComparedRatio& r : comparison.ratios) {
    line(fmt::format("{}, {} over {}: {}", quantity_name(r.quantity), r.after, r.before,
                     render(r.ratio)));
  }
  if (!comparison.flags.empty()) out += "\nWhat the sides do not share:\n";
  for (const Flag& flag : comparison.flags) {
    line(fmt::format("{} ({}): {}", to_string(flag.code), to_string(flag.severity), flag.text));
  }
  return out;
}

}  // namespace tensorpath
