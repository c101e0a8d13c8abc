// The denominator guard: each flag is raised by its cause and by nothing else, and a ratio never
// gets a better name than its flags allow.
#include "catch.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <tensorpath/guard.h>

using namespace tensorpath;

namespace {

// A measurement that states everything, so that a copy of it raises nothing.
Comparable full() {
  Comparable c;
  c.name = "a.json";
  c.model = "llama-3.1-70b";
  c.tokenizer = "llama-3";
  c.gpu = "h200_sxm";
  c.n_gpus = 4;
  c.gpu_basis = GpuBasis::kAll;
  c.weight_format = "fp8";
  c.kv_format = "bf16";
  c.isl_tokens = 922;
  c.osl_tokens = 922;
  c.concurrency = 64;
  c.ttft_ms = 400;
  c.tok_s_user = 40;
  c.tok_s_gpu = 630;
  c.token_basis = TokenBasis::kOutput;
  c.kw_per_gpu = 0.7;
  c.power_basis = PowerBasis::kGpu;
  c.quality = 0.96;
  c.engine = "vllm";
  c.engine_version = "0.24.0";
  c.cache = CacheState::kCold;
  c.prefix_hit_rate = 0;
  c.timing = Statistic::kMean;
  c.provenance = Provenance::kMeasured;
  c.range = RangeState::kMeasured;
  return c;
}

Comparable changed(const std::function<void(Comparable&)>& change) {
  Comparable c = full();
  c.name = "b.json";
  change(c);
  return c;
}

std::string codes(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags) {
    if (!text.empty()) text += " ";
    text += std::string(to_string(flag.code)) + ":" + std::string(to_string(flag.severity));
  }
  return text;
}

// The flags of a full measurement against a changed copy, the same whichever comes first.
std::string raised_by(const std::function<void(Comparable&)>& change) {
  const Comparable other = changed(change);
  std::string forward = codes(guard(full(), other));
  CHECK(codes(guard(other, full())) == forward);
  return forward;
}

std::string text_of(const std::vector<Flag>& flags, FlagCode code) {
  for (const Flag& flag : flags) {
    if (flag.code == code) return flag.text;
  }
  return "not raised";
}

}  // namespace

TEST_CASE("two equal measurements raise nothing and may be called a speedup") {
  const std::vector<Flag> flags = guard(full(), changed([](Comparable& c) { c.tok_s_gpu = 610; }));
  CHECK(codes(flags).empty());
  const Ratio ratio = ratio_of(Quantity::kTokSGpu, 610, 630, Provenance::kMeasured, flags);
  CHECK(ratio.name == "speedup");
  CHECK(ratio.value.value() == Approx(630.0 / 610));
}

TEST_CASE("another GPU at the same latency, lengths and engine raises nothing") {
  CHECK(raised_by([](Comparable& c) { c.gpu = "b200_sxm"; }).empty());
}

TEST_CASE("each difference raises its own flag and no other") {
  using C = Comparable;
  CHECK(raised_by([](C& c) { c.tok_s_user = 45; }) == "NOT_ISO_LATENCY:flag");
  CHECK(raised_by([](C& c) { c.ttft_ms = 600; }) == "NOT_ISO_LATENCY:flag");
  CHECK(raised_by([](C& c) { c.power_basis = PowerBasis::kItRack; }) == "MIXED_POWER_BASIS:refuse");
  CHECK(raised_by([](C& c) { c.token_basis = TokenBasis::kTotal; }) == "MIXED_TOKEN_BASIS:refuse");
  CHECK(raised_by([](C& c) {
          c.gpu_basis = GpuBasis::kDecodeOnly;
          c.decode_gpus = 2;
        }) == "MIXED_GPU_BASIS:refuse");
  CHECK(raised_by([](C& c) { c.tok_s_gpu = 900; }) == "DENOMINATOR_MISMATCH:refuse");
  CHECK(raised_by([](C& c) { c.tokenizer = "qwen2"; }) == "DIFFERENT_TOKENIZER:flag");
  CHECK(raised_by([](C& c) { c.range = RangeState::kExtrapolated; }) == "EXTRAPOLATED:flag");
  CHECK(raised_by([](C& c) { c.model = "llama-3.3-70b"; }) == "DIFFERENT_MODEL:flag");
  CHECK(raised_by([](C& c) { c.weight_format = "awq_4"; }) == "DIFFERENT_FORMAT:flag");
  CHECK(raised_by([](C& c) { c.kv_format = "fp8"; }) == "DIFFERENT_FORMAT:flag");
  CHECK(raised_by([](C& c) { c.isl_tokens = 1024; }) == "DIFFERENT_LENGTHS:flag");
  CHECK(raised_by([](C& c) { c.osl_tokens = 500; }) == "DIFFERENT_LENGTHS:flag");
  CHECK(raised_by([](C& c) { c.quality = 0.94; }) == "DIFFERENT_QUALITY:flag");
  CHECK(raised_by([](C& c) { c.engine_version = "0.23.0"; }) == "DIFFERENT_ENGINE_VERSION:flag");
  CHECK(raised_by([](C& c) { c.engine = "sglang"; }) == "DIFFERENT_ENGINE_VERSION:flag");
  CHECK(raised_by([](C& c) { c.cache = CacheState::kWarm; }) == "DIFFERENT_CACHE_STATE:flag");
  CHECK(raised_by([](C& c) { c.prefix_hit_rate = 0.3; }) == "DIFFERENT_CACHE_STATE:flag");
  CHECK(raised_by([](C& c) { c.timing = Statistic::kP50; }) == "DIFFERENT_TIMING:flag");
  CHECK(raised_by([](C& c) { c.concurrency = 128; }) == "DIFFERENT_LOAD:flag");
  CHECK(raised_by([](C& c) {
          c.n_gpus = 2;
          c.tok_s_gpu = 1200;
        }) == "DIFFERENT_LOAD:flag");
}

TEST_CASE("differences inside the tolerances raise nothing") {
  CHECK(raised_by([](Comparable& c) {
          c.tok_s_user = 38;  // 5 % under
          c.ttft_ms = 300;    // 25 % under
          c.isl_tokens = 960;
          c.osl_tokens = 890;
          c.concurrency = 67;
          c.quality = 0.97;
          c.prefix_hit_rate = 0.05;
        }).empty());
}

TEST_CASE("what one side does not state is not equal") {
  using C = Comparable;
  CHECK(raised_by([](C& c) { c.token_basis = TokenBasis::kUnknown; }) ==
        "MIXED_TOKEN_BASIS:refuse");
  CHECK(raised_by([](C& c) { c.power_basis = PowerBasis::kUnknown; }) ==
        "MIXED_POWER_BASIS:refuse");
  CHECK(raised_by([](C& c) { c.gpu_basis = GpuBasis::kUnknown; }) == "MIXED_GPU_BASIS:flag");
  CHECK(raised_by([](C& c) { c.tok_s_user.reset(); }) == "NOT_ISO_LATENCY:flag");
  CHECK(raised_by([](C& c) { c.kv_format.clear(); }) == "DIFFERENT_FORMAT:flag");
  CHECK(raised_by([](C& c) { c.isl_tokens.reset(); }) == "DIFFERENT_LENGTHS:flag");
  CHECK(raised_by([](C& c) { c.engine_version.clear(); }) == "DIFFERENT_ENGINE_VERSION:flag");
  CHECK(raised_by([](C& c) { c.timing = Statistic::kUnknown; }) == "DIFFERENT_TIMING:flag");
  CHECK(raised_by([](C& c) { c.concurrency.reset(); }) == "DIFFERENT_LOAD:flag");
  // The same model has the same tokenizer and, in the same formats, the same quality.
  CHECK(raised_by([](C& c) { c.tokenizer.clear(); }).empty());
  CHECK(raised_by([](C& c) { c.quality.reset(); }).empty());
}

TEST_CASE("two that are both silent are not equal either, and the text says so") {
  Comparable a = full(), b = full();
  a.token_basis = b.token_basis = TokenBasis::kUnknown;
  a.power_basis = b.power_basis = PowerBasis::kUnknown;
  a.kv_format.clear();
  b.kv_format.clear();
  const std::vector<Flag> flags = guard(a, b);
  CHECK(codes(flags) == "MIXED_POWER_BASIS:refuse MIXED_TOKEN_BASIS:refuse DIFFERENT_FORMAT:flag");
  CHECK(text_of(flags, FlagCode::kDifferentFormat) ==
        "weights/KV: fp8/not stated in a.json, fp8/not stated in a.json");
}

TEST_CASE("a figure that one side does not carry spoils nothing") {
  CHECK(raised_by([](Comparable& c) {
          c.kw_per_gpu.reset();
          c.power_basis = PowerBasis::kUnknown;
        }).empty());
  CHECK(raised_by([](Comparable& c) {
          c.tok_s_gpu.reset();
          c.token_basis = TokenBasis::kUnknown;
          c.gpu_basis = GpuBasis::kUnknown;
        }).empty());
}

TEST_CASE("two empty records raise flags and do not crash") {
  const std::vector<Flag> flags = guard({}, {});
  CHECK_FALSE(flags.empty());
  CHECK(guard_alone({}).empty());
}

TEST_CASE("loads are compared by requests per second where none is closed-loop") {
  Comparable a = full(), b = full();
  a.concurrency.reset();
  b.concurrency.reset();
  a.rate_rps = 12;
  b.rate_rps = 12.2;
  CHECK(codes(guard(a, b)).empty());
  b.rate_rps = 24;
  CHECK(codes(guard(a, b)) == "DIFFERENT_LOAD:flag");
}

TEST_CASE("Little's law bounds a figure by its own requests in flight") {
  Comparable row = full();  // 64 in flight at 40 tok/s/user: at most 2,560 output tok/s
  const auto alone = [&] { return codes(guard_alone(row)); };
  row.tok_s_gpu = 2560.0 / 4 * 1.09;  // medians and means lie some percent apart
  CHECK(alone().empty());
  row.tok_s_gpu = 2560.0 / 4 * 1.12;
  CHECK(alone() == "DENOMINATOR_MISMATCH:refuse");
  SECTION("a figure far below the bound is a deployment that waits") {
    row.tok_s_gpu = 1;
    CHECK(alone().empty());
  }
  SECTION("total tokens are bounded by the lengths as well") {
    row.token_basis = TokenBasis::kTotal;  // ISL equals OSL here: twice as many
    row.tok_s_gpu = 1280;
    CHECK(alone().empty());
    row.tok_s_gpu = 1450;
    CHECK(alone() == "DENOMINATOR_MISMATCH:refuse");
  }
  SECTION("total tokens without lengths cannot be checked") {
    row.token_basis = TokenBasis::kTotal;
    row.isl_tokens.reset();
    row.tok_s_gpu = 1e6;
    CHECK(alone().empty());
  }
  SECTION("the decode GPUs are the denominator where the figure says so") {
    row.gpu_basis = GpuBasis::kDecodeOnly;
    row.tok_s_gpu = 1200;
    CHECK(alone().empty());  // how many decode is not stated
    row.decode_gpus = 2;
    CHECK(alone().empty());
    row.decode_gpus = 3;
    CHECK(alone() == "DENOMINATOR_MISMATCH:refuse");
  }
  SECTION("tenfold is a slip and not a basis") {
    row.tok_s_gpu = 6400;
    CHECK(alone() == "DENOMINATOR_MISMATCH:refuse CLAIM_OFF_BY_ORDERS:refuse");
  }
}

TEST_CASE("the text of a mismatch says what the figure may count instead") {
  Comparable row = full();
  row.name = "row 7";
  row.isl_tokens = 8192;
  row.osl_tokens = 1024;
  row.tok_s_user = 29.3;
  row.tok_s_gpu = 4021;
  CHECK(text_of(guard_alone(row), FlagCode::kDenominatorMismatch) ==
        "row 7: 4,021 tok/s/GPU on 4 GPUs is 16,084 tok/s, but 64 requests in flight at 29.3 "
        "tok/s/user bound it by 1,875; it would fit as total tokens");
}

TEST_CASE("a claim is refused from a factor of ten on, in either direction") {
  CHECK_FALSE(check_claim("s", 9.9, 1).has_value());
  CHECK_FALSE(check_claim("s", 1, 9.9).has_value());
  CHECK(check_claim("s", 10, 1).has_value());
  CHECK(check_claim("s", 0.5, 5.0).has_value());
  CHECK(check_claim("s", 0, 5).has_value());
  CHECK(check_claim("s", std::numeric_limits<double>::quiet_NaN(), 5).has_value());
  CHECK(check_claim("s", 5, std::numeric_limits<double>::infinity()).has_value());
  CHECK_FALSE(check_claim("s", 0, 0).has_value());
  CHECK(check_claim("prefill s", 0.038, 37.43)->text ==
        "prefill s: claimed 0.0380, its inputs give 37.4, 985 times more; looks like a thousand: "
        "ms for s, or a lost k");
}

TEST_CASE("a value is extrapolated outside the measured range and its tolerance") {
  CHECK_FALSE(beyond_range("concurrency", 67, 1, 64).has_value());
  CHECK(beyond_range("concurrency", 68, 1, 64).has_value());
  CHECK(beyond_range("concurrency", 0.9, 1, 64).has_value());
  CHECK(beyond_range("concurrency", std::numeric_limits<double>::quiet_NaN(), 1, 64).has_value());
  CHECK(beyond_range("concurrency", 10000, 4096, 4096)->text ==
        "concurrency is 10,000; measured was 4,096");
}

TEST_CASE("a ratio is named by what spoils it") {
  const auto flag = [](FlagCode code, Severity severity) { return Flag{code, severity, ""}; };
  const std::vector<Flag> not_iso{flag(FlagCode::kNotIsoLatency, Severity::kFlag)};
  SECTION("flagged: a ratio, and what it is not") {
    const Ratio ratio = ratio_of(Quantity::kTokSGpu, 2173, 12576, Provenance::kImported, not_iso);
    CHECK(render(ratio) == "5.79x (ratio of rates, not a speedup: NOT_ISO_LATENCY)");
    CHECK(to_json(ratio)["because"].dump() == "[\"NOT_ISO_LATENCY\"]");
  }
  SECTION("refused: no number, in text or JSON") {
    std::vector<Flag> flags = not_iso;
    flags.push_back(flag(FlagCode::kMixedTokenBasis, Severity::kRefuse));
    const Ratio ratio = ratio_of(Quantity::kTokSGpu, 1, 2, Provenance::kMeasured, flags);
    CHECK(render(ratio) == "no ratio: MIXED_TOKEN_BASIS");
    CHECK(to_json(ratio)["value"].is_null());
  }
  SECTION("a flag that does not touch the quantity leaves its name") {
    CHECK(ratio_of(Quantity::kTokSUser, 20, 40, Provenance::kMeasured, not_iso).name == "speedup");
    const std::vector<Flag> power{flag(FlagCode::kMixedPowerBasis, Severity::kRefuse)};
    CHECK(ratio_of(Quantity::kUsdPerMtok, 4, 2, Provenance::kMeasured, power).value.has_value());
    CHECK_FALSE(ratio_of(Quantity::kKwhPerMtok, 4, 2, Provenance::kMeasured, power).value);
  }
  SECTION("a first token takes as long whatever the tokenizer, a rate does not") {
    const std::vector<Flag> tokens{flag(FlagCode::kDifferentTokenizer, Severity::kFlag)};
    CHECK(ratio_of(Quantity::kTtft, 400, 200, Provenance::kMeasured, tokens).name == "speedup");
    CHECK(ratio_of(Quantity::kTokSUser, 20, 40, Provenance::kMeasured, tokens).name ==
          "ratio of rates, not a speedup: DIFFERENT_TOKENIZER");
  }
  SECTION("each code once, however many sides raised it") {
    std::vector<Flag> flags(2, flag(FlagCode::kExtrapolated, Severity::kFlag));
    CHECK(ratio_of(Quantity::kTtft, 2, 1, Provenance::kMeasured, flags).because.size() == 1);
  }
}

TEST_CASE("a ratio is better than one when the second side is better") {
  const auto value = [](Quantity quantity, double before, double after) {
    return ratio_of(quantity, before, after, Provenance::kMeasured, {}).value.value();
  };
  CHECK(value(Quantity::kTokSGpu, 100, 200) == 2);
  CHECK(value(Quantity::kTtft, 400, 200) == 2);
  CHECK(value(Quantity::kUsdPerMtok, 4, 1) == 4);
  CHECK(value(Quantity::kKwhPerMtok, 1, 2) == 0.5);
}

TEST_CASE("a ratio is called by its evidence") {
  const auto name = [](Quantity quantity, double before, double after, Provenance weakest_of) {
    return ratio_of(quantity, before, after, weakest_of, {}).name;
  };
  CHECK(name(Quantity::kTokSGpu, 1, 2, Provenance::kImported) == "speedup");
  CHECK(name(Quantity::kTokSGpu, 2, 1, Provenance::kMeasured) == "slowdown");
  CHECK(name(Quantity::kTokSGpu, 1, 2, Provenance::kCalibrated) == "predicted speedup");
  CHECK(name(Quantity::kTtft, 2, 1, Provenance::kModeled) == "predicted speedup");
  CHECK(name(Quantity::kUsdPerMtok, 2, 1, Provenance::kAssumed) == "assumed cost reduction");
  CHECK(name(Quantity::kKwhPerMtok, 1, 2, Provenance::kMeasured) == "energy increase");
}

TEST_CASE("a ratio of figures that cannot be divided has no value") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double huge = std::numeric_limits<double>::max();
  CHECK_FALSE(ratio_of(Quantity::kTokSGpu, 0, 2, Provenance::kMeasured, {}).value);
  CHECK_FALSE(ratio_of(Quantity::kTokSGpu, 1, nan, Provenance::kMeasured, {}).value);
  CHECK_FALSE(ratio_of(Quantity::kTokSGpu, 1, -2, Provenance::kMeasured, {}).value);
  CHECK_FALSE(ratio_of(Quantity::kTokSGpu, 1e-300, huge, Provenance::kMeasured, {}).value);
}

TEST_CASE("a flag as JSON has its code, severity and text") {
  const auto flag = beyond_range("concurrency", 10, 1, 2);
  CHECK(
      to_json(*flag).dump() ==
      R"({"code":"EXTRAPOLATED","severity":"flag","text":"concurrency is 10; measured was 1 to 2"})");
}
