// Costs, energy, fleets and bounds: the worked examples of tests/data/economics.yaml, recomputed
// through the public API.
#include "catch.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <tensorpath/base/yaml.h>
#include <tensorpath/economics.h>
#include <tensorpath/guard.h>

using namespace tensorpath;

namespace {

const YamlNode& examples() {
  static const Expected<YamlNode> file =
      read_yaml_file(std::string(TENSORPATH_SOURCE_DIR) + "/tests/data/economics.yaml");
  if (!file) FAIL(file.error().to_string());
  return *file;
}

// One entry of the file. Remembers which expectations were checked, so that none is skipped.
class Example {
 public:
  explicit Example(const YamlNode& entry) : entry_(entry) {
    collect(*entry.find("expect"), "");
    if (const YamlNode* rtol = entry.find("rtol")) rtol_ = yaml_number(*rtol).value();
  }

  [[nodiscard]] const YamlNode& input(const std::string& path) const {
    return at(*entry_.find("inputs"), path);
  }
  [[nodiscard]] double in(const std::string& path) const {
    const auto number = yaml_number(input(path));
    INFO("input " << path);
    REQUIRE(number.has_value());
    return *number;
  }
  [[nodiscard]] std::vector<double> list(const std::string& path) const {
    std::vector<double> numbers;
    const std::vector<YamlNode>& items = input(path).items;
    numbers.reserve(items.size());
    for (const YamlNode& item : items) numbers.push_back(yaml_number(item).value());
    REQUIRE_FALSE(numbers.empty());
    return numbers;
  }
  [[nodiscard]] std::vector<std::string> keys(const std::string& path) const {
    std::vector<std::string> names;
    for (const auto& [name, node] : input(path).entries) names.push_back(name);
    REQUIRE_FALSE(names.empty());
    return names;
  }

  void expect(const std::string& path, double value) {
    check(path, at(*entry_.find("expect"), path), value);
    unchecked_.erase(path);
  }
  void expect(const std::string& path, const std::vector<double>& values) {
    const YamlNode& node = at(*entry_.find("expect"), path);
    REQUIRE(node.items.size() == values.size());
    for (std::size_t i = 0; i < values.size(); ++i) check(path, node.items[i], values[i]);
    unchecked_.erase(path);
  }
  void expect(const std::string& path, const std::string& text) {
    INFO("expected " << path);
    CHECK(text == at(*entry_.find("expect"), path).scalar);
    unchecked_.erase(path);
  }
  void expect_flag(const std::vector<Flag>& flags) {
    const std::string wanted = at(*entry_.find("expect"), "flag").scalar;
    std::string seen;
    bool found = false;
    for (const Flag& flag : flags) {
      seen.append(to_string(flag.code)).append(": ").append(flag.text).append("\n");
      found = found || to_string(flag.code) == wanted;
    }
    INFO("wanted " << wanted << ", raised:\n" << seen);
    CHECK(found);
    unchecked_.erase("flag");
  }
  void expect_flag(const std::optional<Flag>& flag) {
    expect_flag(flag ? std::vector<Flag>{*flag} : std::vector<Flag>{});
  }
  void check_complete() const {
    for (const std::string& path : unchecked_) {
      INFO("no check for expected " << path);
      CHECK(false);
    }
  }

 private:
  static const YamlNode& at(const YamlNode& root, const std::string& path) {
    const YamlNode* node = &root;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('.', begin), path.size());
      node = node->find(path.substr(begin, end - begin));
      INFO("no entry " << path);
      REQUIRE(node != nullptr);
      begin = end + 1;
    }
    return *node;
  }
  void check(const std::string& path, const YamlNode& node, double value) const {
    INFO("expected " << path);
    CHECK(value == Approx(yaml_number(node).value()).epsilon(rtol_));
  }
  void collect(const YamlNode& node, const std::string& path) {
    if (!node.is_map()) unchecked_.insert(path);
    for (const auto& [name, child] : node.entries) {
      collect(child, path.empty() ? name : path + "." + name);
    }
  }

  const YamlNode& entry_;
  double rtol_ = 1e-9;
  std::set<std::string> unchecked_;
};

std::vector<double> scaled(const std::vector<double>& values, double factor) {
  std::vector<double> result;
  for (const double value : values) result.push_back(value * factor);
  return result;
}

Power power_of(PowerBasis basis, double kw_per_gpu, double pue) {
  const auto power = check_power({basis, kw_per_gpu, pue});
  REQUIRE(power.has_value());
  return *power;
}

void rack_energy_year(Example& e) {
  const double kw = facility_kw(1, e.in("rack_it_kw"), e.in("pue"));
  e.expect("facility_kw", kw);
  e.expect("facility_gwh_per_year", kwh_per_year(kw) / 1e6);
  e.expect("usd_per_year", scaled(e.list("usd_per_kwh"), kwh_per_year(kw)));
}

void gigawatt_year(Example& e) {
  const double kwh = kwh_per_year(e.in("facility_gw") * 1e6);
  e.expect("twh_per_year", kwh / 1e9);
  e.expect("usd_per_year", scaled(e.list("usd_per_kwh"), kwh));
}

void successful_tasks_fleet(Example& e) {
  std::map<std::string, Fleet> fleets;
  for (const std::string when : {"before", "after"}) {
    const Fleet fleet = fleet_for_tasks(e.in("tasks_per_hour"), e.in(when + "_tasks_per_rack_hour"),
                                        e.in("rack_it_kw"), e.in("pue"));
    e.expect(when + ".racks", fleet.racks);
    e.expect(when + ".facility_mw", fleet.facility_kw / 1e3);
    e.expect(when + ".gwh_per_year", fleet.kwh_per_year / 1e6);
    e.expect(when + ".kwh_per_task", fleet.kwh_per_task);
    fleets[when] = fleet;
  }
  const double avoided_kwh = fleets["before"].kwh_per_year - fleets["after"].kwh_per_year;
  e.expect("avoided.gwh_per_year", avoided_kwh / 1e6);
  e.expect("avoided.usd_per_year", scaled(e.list("usd_per_kwh"), avoided_kwh));
}

void gpu_equivalents(Example& e) {
  const FreedCapacity freed = freed_capacity(
      e.in("output_tokens_per_hour") / 3600, e.in("before_tok_s_gpu"), e.in("after_tok_s_gpu"),
      {e.in("gpus_per_rack"), e.in("rack_it_kw"), e.in("pue")}, e.in("usd_per_kwh"));
  e.expect("before_gpus", freed.before_gpus);
  e.expect("after_gpus", freed.after_gpus);
  e.expect("freed_gpus", freed.gpus);
  e.expect("freed_racks", freed.racks);
  e.expect("freed_facility_kw", freed.facility_kw);
  e.expect("kwh_per_day", freed.kwh_per_day);
  e.expect("usd_per_day", freed.usd_per_day);

  Comparable before, after;
  before.tok_s_gpu = e.in("before_tok_s_gpu");
  before.tok_s_user = e.in("before_tok_s_user");
  after.tok_s_gpu = e.in("after_tok_s_gpu");
  after.tok_s_user = e.in("after_tok_s_user");
  before.token_basis = after.token_basis = TokenBasis::kOutput;
  const std::vector<Flag> flags = guard(before, after);
  e.expect_flag(flags);
  const Ratio ratio = ratio_of(Quantity::kTokSGpu, *before.tok_s_gpu, *after.tok_s_gpu,
                               Provenance::kImported, flags);
  REQUIRE(ratio.value.has_value());
  e.expect("ratio", *ratio.value);
  CHECK(ratio.name.rfind("ratio of rates, not a speedup: NOT_ISO_LATENCY", 0) == 0);
}

void energy_per_million_tokens(Example& e) {
  std::map<std::string, Comparable> sides;
  for (const std::string side : {"a", "b"}) {
    const std::string basis = e.input(side + ".power_basis").scalar;
    const Power power = power_of(basis == "gpu" ? PowerBasis::kGpu : PowerBasis::kItRack,
                                 e.in(side + ".kw_per_gpu"), e.in("pue"));
    CHECK(to_string(power.basis) == basis);
    e.expect(side + "_gpu_h_per_mtok", gpu_hours_per_mtok(e.in(side + ".tok_s_gpu")));
    e.expect(side + "_kwh_per_mtok", kwh_per_mtok(e.in(side + ".tok_s_gpu"), power));
    sides[side].kw_per_gpu = power.kw_per_gpu;
    sides[side].power_basis = power.basis;
  }
  const std::vector<Flag> flags = guard(sides["a"], sides["b"]);
  e.expect_flag(flags);
  const Ratio ratio = ratio_of(Quantity::kKwhPerMtok, 1, 2, Provenance::kImported, flags);
  CHECK(render(ratio) == "no ratio: MIXED_POWER_BASIS");
}

void gpu_hours_of_a_saving(Example& e) {
  e.expect("gpu_hours", gpu_hours_saved(e.in("calls"), e.in("saved_ms")));
}

void unit_cost_of_a_task(Example& e) {
  const double before = per_success(e.in("usd_per_rack_hour"), e.in("before_tasks_per_rack_hour"));
  const double after = per_success(e.in("usd_per_rack_hour"), e.in("after_tasks_per_rack_hour"));
  e.expect("before_usd_per_task", before);
  e.expect("after_usd_per_task", after);
  e.expect("change_percent", change_percent(before, after));
  e.expect("usd_saved_per_month", (before - after) * e.in("tasks_per_month"));
}

void budget_ladder(Example& e) {
  const Power power = power_of(PowerBasis::kGpu, e.in("kw_per_gpu"), e.in("pue"));
  std::vector<double> gpus, tokens, it_kw, meter_kw;
  for (const double budget : e.list("usd_per_year")) {
    const BudgetRung rung = budget_rung(budget, e.in("usd_per_gpu_hour"), e.in("tok_s_gpu"), power);
    gpus.push_back(rung.gpus);
    tokens.push_back(rung.tokens_per_hour);
    it_kw.push_back(rung.it_kw);
    meter_kw.push_back(rung.facility_kw);
  }
  e.expect("gpus", gpus);
  e.expect("tokens_per_hour", tokens);
  e.expect("it_kw", it_kw);
  e.expect("facility_kw", meter_kw);
}

void implied_price(Example& e) {
  const double price = implied_usd_per_gpu_hour(e.in("usd_per_mtok"), e.in("tok_s_gpu"));
  e.expect("usd_per_gpu_hour", price);
  CHECK(usd_per_mtok(price, e.in("tok_s_gpu")) == Approx(e.in("usd_per_mtok")));
}

void rack_hour_proxy(Example& e) {
  std::vector<double> energy, all;
  for (const double usd_per_kwh : e.list("usd_per_kwh")) {
    const RackHour hour =
        rack_hour(e.in("capex_usd"), e.in("years"), e.in("it_kw"), e.in("pue"), usd_per_kwh);
    e.expect("capex_usd_per_hour", hour.capex_usd_per_hour);
    energy.push_back(hour.power_usd_per_hour);
    all.push_back(hour.usd_per_hour);
  }
  e.expect("power_usd_per_hour", energy);
  e.expect("usd_per_hour", all);
}

void speculative_decoding_price(Example& e) {
  const Ratio ratio = ratio_of(Quantity::kUsdPerMtok, e.in("before_usd_per_mtok"),
                               e.in("after_usd_per_mtok"), Provenance::kImported, {});
  e.expect("ratio", ratio.value.value());
}

void amdahl_agent_step(Example& e) {
  const StepTime step{e.in("gpu_s"), e.in("cpu_s"), e.in("transfer_s")};
  e.expect("speedup", amdahl_speedup(step, e.in("gpu_speedup")));
  e.expect("upper_bound", amdahl_bound(step));
}

void disaggregation_break_even(Example& e) {
  e.expect("output_tokens",
           disaggregation_break_even_tokens(e.in("tpot_ms_before"), e.in("tpot_ms_after"),
                                            e.in("extra_ttft_ms")));
}

void users_to_gpus(Example& e) {
  const double tok_s = littles_law_output_tok_s(e.in("users"), e.in("tok_s_user"));
  e.expect("tok_s", tok_s);
  for (const std::string& gpu : e.keys("tok_s_gpu")) {
    e.expect("gpus." + gpu, gpus_for_rate(tok_s, e.in("tok_s_gpu." + gpu)));
  }
  e.expect("rack_tok_s", e.in("gpus_per_rack") * e.in("tok_s_gpu.gb200"));
  const double measured = e.in("measured_concurrency");
  e.expect_flag(beyond_range("concurrency", e.in("users"), measured, measured));
}

double block_scaled_bytes(const Example& e, const std::string& path) {
  return block_scaled_bytes_per_param(e.in(path + ".element_bits"), e.in(path + ".scale_bits"),
                                      e.in(path + ".block"));
}

void weight_residency(Example& e) {
  std::map<std::string, double> bytes;
  for (const std::string& format : e.keys("bytes_per_param")) {
    bytes[format] = e.in("bytes_per_param." + format);
  }
  for (const std::string& format : e.keys("block_scaled")) {
    bytes[format] = block_scaled_bytes(e, "block_scaled." + format);
  }
  for (const auto& [format, bytes_per_param] : bytes) {
    for (const std::string& gpu : e.keys("memory_gb")) {
      e.expect(
          std::string(format).append(".").append(gpu),
          weight_residency_gpus(e.in("params"), bytes_per_param, e.in("memory_gb." + gpu) * kGB));
    }
  }
}

void block_scale_bytes(Example& e) {
  for (const std::string format : {"nvfp4", "mxfp4"}) {
    e.expect(format, block_scaled_bytes(e, format));
  }
}

void kv_bytes_per_token(Example& e) {
  const std::string gqa = "llama_3_1_70b_bf16";
  e.expect(gqa, gqa_kv_bytes_per_token(e.in(gqa + ".layers"), e.in(gqa + ".kv_heads"),
                                       e.in(gqa + ".head_dim"), e.in(gqa + ".bytes")));
  const std::string mla = "deepseek_v3_bf16";
  e.expect(mla, mla_kv_bytes_per_token(e.in(mla + ".layers"), e.in(mla + ".kv_lora_rank"),
                                       e.in(mla + ".rope_dim"), e.in(mla + ".bytes")));
}

void false_claim_fit(Example& e) {
  const double needed =
      weight_residency_gpus(e.in("params"), e.in("bytes_per_param"), e.in("memory_gb") * kGB);
  e.expect("gpus_needed", needed);
  e.expect("fits", needed <= e.in("gpus") ? "true" : "false");
}

void false_claim_prefill_time(Example& e) {
  const double seconds = compute_time_s(e.in("flop"), e.in("flop_per_s"));
  e.expect("seconds", seconds);
  e.expect_flag(check_claim("prefill seconds", e.in("claimed_ms") / 1e3, seconds));
}

void false_claim_decode_time(Example& e) {
  const double seconds = decode_time_s(e.in("output_tokens"), e.in("tpot_ms"));
  e.expect("seconds", seconds);
  e.expect_flag(check_claim("decode seconds", e.in("claimed_s"), seconds));
}

void littles_law_denominator(Example& e) {
  e.expect("max_output_tok_s", littles_law_output_tok_s(e.in("concurrency"), e.in("tok_s_user")));
  Comparable row;
  row.concurrency = e.in("concurrency");
  row.tok_s_user = e.in("tok_s_user");
  row.n_gpus = static_cast<int>(e.in("gpus"));
  row.gpu_basis = GpuBasis::kAll;
  row.token_basis = TokenBasis::kOutput;
  row.tok_s_gpu = e.in("claimed_tok_s_gpu");
  e.expect_flag(guard_alone(row));
}

void rate_unit_slip(Example& e) {
  const double rate = per_gpu(e.in("tokens_per_minute"), e.in("gpus"));
  e.expect("tokens_per_minute_gpu", rate);
  e.expect_flag(check_claim("tokens/minute/GPU", e.in("claimed_tokens_per_minute_gpu"), rate));
}

const std::map<std::string, std::function<void(Example&)>>& recomputed() {
  static const std::map<std::string, std::function<void(Example&)>> by_id{
      {"rack_energy_year", rack_energy_year},
      {"gigawatt_year", gigawatt_year},
      {"successful_tasks_fleet", successful_tasks_fleet},
      {"gpu_equivalents_not_iso_latency", gpu_equivalents},
      {"energy_per_million_tokens", energy_per_million_tokens},
      {"gpu_hours_of_a_saving", gpu_hours_of_a_saving},
      {"unit_cost_of_a_task", unit_cost_of_a_task},
      {"budget_ladder", budget_ladder},
      {"implied_price", implied_price},
      {"rack_hour_proxy", rack_hour_proxy},
      {"speculative_decoding_price", speculative_decoding_price},
      {"amdahl_agent_step", amdahl_agent_step},
      {"disaggregation_break_even", disaggregation_break_even},
      {"users_to_gpus", users_to_gpus},
      {"weight_residency_gpus", weight_residency},
      {"block_scale_bytes", block_scale_bytes},
      {"kv_bytes_per_token", kv_bytes_per_token},
      {"false_claim_fit", false_claim_fit},
      {"false_claim_prefill_time", false_claim_prefill_time},
      {"false_claim_decode_time", false_claim_decode_time},
      {"littles_law_denominator", littles_law_denominator},
      {"rate_unit_slip", rate_unit_slip},
  };
  return by_id;
}

}  // namespace

TEST_CASE("each worked example is recomputed within its tolerance") {
  for (const YamlNode& entry : examples().items) {
    const std::string id = entry.find("id")->scalar;
    DYNAMIC_SECTION(id) {
      const auto found = recomputed().find(id);
      INFO("a worked example that no code recomputes");
      REQUIRE(found != recomputed().end());
      Example example(entry);
      found->second(example);
      example.check_complete();
    }
  }
}

TEST_CASE("every recomputation has its worked example") {
  std::set<std::string> ids;
  for (const YamlNode& entry : examples().items) ids.insert(entry.find("id")->scalar);
  for (const auto& [id, recompute] : recomputed()) {
    INFO(id);
    CHECK(ids.count(id) == 1);
  }
}
