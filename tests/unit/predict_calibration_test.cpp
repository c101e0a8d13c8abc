// The shipped calibration: it loads, says what it rests on, and its bands are bands.
#include "predict/calibration_data.h"
#include "predict_fixture.h"

#include <set>

using namespace tensorpath;
using namespace tensorpath::test;

TEST_CASE("Every shipped surface is physical and states its error") {
  const perf::CalibrationData& data = predict_calibration().data();
  REQUIRE(data.surfaces.gpus.size() >= 5);
  for (const perf::GpuSurfaces& gpu : data.surfaces.gpus) {
    CAPTURE(gpu.gpu);
    CHECK_FALSE(gpu.source.empty());
    for (const auto* group : {&gpu.gemm, &gpu.moe, &gpu.decode, &gpu.context}) {
      for (const auto& [type, surface] : *group) {
        CAPTURE(type);
        CHECK(surface.compute_efficiency <= 1);
        CHECK(surface.memory_efficiency <= 1);
        CHECK(surface.error.rows >= 60);
        CHECK(surface.error.held_out_median > 0);
        CHECK(surface.error.held_out_median < 0.3);
      }
    }
  }
}

TEST_CASE("Every catalog GPU has surfaces, and only measured ones are its own") {
  std::set<std::string> exact_ones;
  for (const Gpu& gpu : predict_catalog().gpus()) {
    bool exact = false;
    CHECK_FALSE(predict_calibration().data().surfaces.of(gpu, &exact).gemm.empty());
    if (exact) exact_ones.insert(gpu.name);
  }
  CHECK(exact_ones ==
        std::set<std::string>{"a100_80gb_sxm", "b200_sxm", "h100_sxm", "h200_sxm", "l40s"});
}

TEST_CASE("Bands hold their centre's side of one, and unseen hardware is modeled") {
  const Accuracy seen =
      accuracy(layout_of("llama-3.1-70b", "h200_sxm", "vllm", "fp8"), predict_calibration());
  CHECK(seen.provenance == Provenance::kCalibrated);
  CHECK(seen.level == Approx(0.8));
  CHECK(seen.tpot_lo < seen.tpot_hi);
  CHECK(seen.ttft_lo < seen.ttft_hi);
  CHECK(seen.tpot_lo > 0.3);
  CHECK(seen.tpot_hi < 3);
  CHECK(seen.basis.find("h200_sxm") != std::string::npos);
  const Accuracy unseen =
      accuracy(layout_of("llama-3.1-8b", "mi300x", "vllm", "bf16"), predict_calibration());
  CHECK(unseen.provenance == Provenance::kModeled);
  CHECK(unseen.basis.find("vllm") != std::string::npos);
}

TEST_CASE("Parameters written and read are the same") {
  perf::ServingParameters parameters;
  parameters.pooled[3] = 0.5;
  parameters.factor[0][2] = 1.5;
  Json root;
  root["schema"] = "tensorpath.calibration-serving/v1";
  root["parameters"] = perf::parameters_to_json(parameters);
  root["groups"] = perf::groups_to_json({{"m", "g", "e", {"0123456789ab", "ba9876543210"}}});
  const YamlNode node = must(parse_yaml(to_yaml_text(root), "serving.yaml"));
  perf::CalibrationData data;
  const Status status = perf::parse_serving(node, data);
  if (!status) FAIL(status.error().to_string());
  CHECK(data.parameters.pooled[3] == Approx(0.5));
  CHECK(data.parameters.factor[0][2] == Approx(1.5));
  CHECK(data.saw_group("m", "g", "e"));
  CHECK(data.seen_rows.count("ba9876543210") == 1);
}

TEST_CASE("A broken calibration file is refused with its place") {
  const YamlNode node =
      must(parse_yaml("schema: tensorpath.calibration-ops/v1\n"
                      "gpus:\n"
                      "  x:\n"
                      "    architecture: sm_90\n"
                      "    gemm:\n"
                      "      bf16: {compute_efficiency: 7, memory_efficiency: 1}\n",
                      "ops.yaml"));
  const auto surfaces = perf::parse_ops(node);
  REQUIRE_FALSE(surfaces);
  CHECK(surfaces.error().to_string().find("ops.yaml:6:") != std::string::npos);
}
