// The shipped GPUs, formats and prices: complete, plausible, and found under the names people use.
#include "catch.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include <tensorpath/catalog.h>

using namespace tensorpath;

namespace {

const Catalog& shipped() {
  static const Catalog catalog = [] {
    auto loaded = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
    if (!loaded) {
      FAIL(loaded.error().to_string());
    }
    return std::move(*loaded);
  }();
  return catalog;
}

const Gpu& gpu(const std::string& name) {
  const Gpu* found = shipped().find_gpu(name);
  INFO("GPU " << name);
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("every promised GPU is there") {
  const std::string name = GENERATE(
      as<std::string>{}, "l4", "l40s", "a10", "a100_40gb_sxm", "a100_40gb_pcie", "a100_80gb_sxm",
      "a100_80gb_pcie", "h100_sxm", "h100_pcie", "h200_sxm", "b200_sxm", "gb200", "b300_sxm",
      "gb300", "rtx_4070", "rtx_4090", "rtx_pro_6000", "mi300x", "mi325x", "mi355x", "cpu");
  CHECK(gpu(name).name == name);
}

TEST_CASE("a GPU is found as people write it") {
  const auto row = GENERATE(table<std::string, std::string>({{"h100", "h100_sxm"},
                                                             {"H100 SXM", "h100_sxm"},
                                                             {"h200", "h200_sxm"},
                                                             {"B200", "b200_sxm"},
                                                             {"b300", "b300_sxm"},
                                                             {"RTX 4070", "rtx_4070"},
                                                             {"rtx4090", "rtx_4090"},
                                                             {"A100-80GB", "a100_80gb_sxm"},
                                                             {"a100_sxm", "a100_80gb_sxm"},
                                                             {"a100-sxm4-80gb", "a100_80gb_sxm"},
                                                             {"L40S", "l40s"},
                                                             {"MI300X", "mi300x"},
                                                             {"GB200", "gb200"},
                                                             {"RTX PRO 6000", "rtx_pro_6000"}}));
  CHECK(gpu(std::get<0>(row)).name == std::get<1>(row));
}

TEST_CASE("memory is what the driver reports: under the label, and near it") {
  // Labels are GB on NVIDIA data sheets and GiB in fact on most; the driver keeps some for itself.
  const auto row = GENERATE(table<std::string, double>({{"l4", 24},
                                                        {"l40s", 48},
                                                        {"a10", 24},
                                                        {"a100_40gb_sxm", 40},
                                                        {"a100_40gb_pcie", 40},
                                                        {"a100_80gb_sxm", 80},
                                                        {"a100_80gb_pcie", 80},
                                                        {"h100_sxm", 80},
                                                        {"h100_pcie", 80},
                                                        {"h200_sxm", 141},
                                                        {"b200_sxm", 180},
                                                        {"gb200", 186},
                                                        {"b300_sxm", 288},
                                                        {"gb300", 288},
                                                        {"rtx_4070", 12},
                                                        {"rtx_4090", 24},
                                                        {"rtx_pro_6000", 96},
                                                        {"mi300x", 192},
                                                        {"mi325x", 256},
                                                        {"mi355x", 288}}));
  const double label_gb = std::get<1>(row);
  CAPTURE(std::get<0>(row), label_gb);
  const double bytes = gpu(std::get<0>(row)).hbm_bytes;
  CHECK(bytes <= label_gb * kGiB);
  CHECK(bytes >= label_gb * kGB * 0.88);
}

TEST_CASE("rates are dense: FP8 is twice BF16 where there is FP8") {
  for (const Gpu& g : shipped().gpus()) {
    CAPTURE(g.name);
    CHECK(g.flop_s(Dtype::kBf16) > 0);
    CHECK(g.flop_s(Dtype::kFp16) == Approx(g.flop_s(Dtype::kBf16)));
    CHECK(g.flop_s(Dtype::kFp32) < g.flop_s(Dtype::kBf16));
    if (g.has(Dtype::kFp8)) {
      CHECK(g.flop_s(Dtype::kFp8) == Approx(2 * g.flop_s(Dtype::kBf16)).epsilon(0.03));
    }
    if (g.has(Dtype::kFp4)) {
      CHECK(g.flop_s(Dtype::kFp4) >= 1.97 * g.flop_s(Dtype::kFp8));
    }
  }
}

TEST_CASE("a GPU has the units of its generation and no others") {
  for (const Gpu& g : shipped().gpus()) {
    CAPTURE(g.name, g.family);
    const bool fp8 = g.family != "ampere" && g.family != "cpu";
    const bool fp4 = g.family == "blackwell" || g.family == "cdna4";
    CHECK(g.has(Dtype::kFp8) == fp8);
    CHECK(g.has(Dtype::kFp4) == fp4);
  }
  SECTION("INT8 is nearly gone from Blackwell Ultra") {
    CHECK(gpu("b300_sxm").flop_s(Dtype::kInt8) < 0.1 * gpu("b200_sxm").flop_s(Dtype::kInt8));
    CHECK(gpu("gb300").flop_s(Dtype::kInt8) < 0.1 * gpu("gb200").flop_s(Dtype::kInt8));
  }
  SECTION("GeForce rates are those with FP32 accumulation") {
    CHECK(gpu("rtx_4090").flop_s(Dtype::kBf16) / 1e12 == Approx(165.2).epsilon(0.01));
    CHECK(gpu("rtx_4070").flop_s(Dtype::kBf16) / gpu("rtx_4070").flop_s(Dtype::kFp32) ==
          Approx(2).epsilon(0.01));
  }
}

TEST_CASE("links reach their domain") {
  for (const Gpu& g : shipped().gpus()) {
    CAPTURE(g.name, g.link_kind);
    CHECK((g.link_kind == "none") == (g.link_bytes_s == 0));
    CHECK((g.link_kind == "none") == (g.link_domain_gpus == 1));
    CHECK(g.link_bytes_s < g.hbm_bytes_s);
  }
  CHECK(gpu("gb200").link_domain_gpus == 72);
  CHECK(gpu("gb300").link_domain_gpus == 72);
  CHECK(gpu("h100_sxm").link_domain_gpus == 8);
}

TEST_CASE("every figure says where it comes from") {
  for (const Gpu& g : shipped().gpus()) {
    CAPTURE(g.name);
    REQUIRE_FALSE(g.sources.empty());
    for (const SourceNote& source : g.sources) {
      CHECK_FALSE(source.text.empty());
      CHECK(source.date.size() >= 7);
    }
  }
  for (const Price& price : shipped().prices()) {
    CAPTURE(price.gpu, price.provider);
    CHECK_FALSE(price.source.empty());
    CHECK(days_of_date(price.date).has_value());
  }
}

TEST_CASE("bits per parameter hold the scales") {
  const auto row = GENERATE(table<std::string, double>({{"fp32", 32},
                                                        {"bf16", 16},
                                                        {"fp16", 16},
                                                        {"awq_4", 4 + 20.0 / 128},
                                                        {"gptq_4", 4 + 20.0 / 128},
                                                        {"nvfp4", 4 + 8.0 / 16},
                                                        {"mxfp4", 4 + 8.0 / 32},
                                                        {"int4_experts", 4 + 16.0 / 32},
                                                        {"gguf_q8_0", 8 + 16.0 / 32}}));
  const Format* format = shipped().find_format(std::get<0>(row));
  CAPTURE(std::get<0>(row));
  REQUIRE(format != nullptr);
  CHECK(format->bits_per_param == Approx(std::get<1>(row)));
}

TEST_CASE("the original's quality priors are kept and called assumed") {
  const auto row = GENERATE(table<std::string, double>(
      {{"fp16", 1.00}, {"fp8", 0.96}, {"awq_4", 0.88}, {"gptq_4", 0.86}}));
  const Format* format = shipped().find_format(std::get<0>(row));
  REQUIRE(format != nullptr);
  CHECK(format->quality == std::get<1>(row));
  CHECK(format->quality_provenance == Provenance::kAssumed);
}

TEST_CASE("weight-only formats compute at a 16-bit rate") {
  for (const Format& format : shipped().formats()) {
    CAPTURE(format.name);
    if (format.weight_only) {
      CHECK((format.compute == Dtype::kBf16 || format.compute == Dtype::kFp16));
    }
  }
}

TEST_CASE("every GPU can be rented on demand by the eight") {
  for (const Gpu& g : shipped().gpus()) {
    const Price* price = shipped().price(g, "us-east", "on_demand", 8);
    CAPTURE(g.name);
    REQUIRE(price != nullptr);
    CHECK(price->usd_per_gpu_hour > 0);
    CHECK(price->usd_per_gpu_hour < 25);
  }
}

TEST_CASE("nobody rents one GPU of a node that is sold whole") {
  for (const Price& price : shipped().prices()) {
    if (price.provider == "AWS") {
      CAPTURE(price.gpu);
      CHECK(price.min_gpus == 8);
    }
  }
}
