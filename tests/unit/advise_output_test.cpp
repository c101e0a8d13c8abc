// What is written: the keys of plan.json, tables that fit, pictures that parse, comparisons that
// refuse.
#include "advise_fixture.h"

#include <cmath>
#include <set>

#include <tensorpath/compare.h>

namespace tensorpath {
namespace {

using test::screening;
using test::shipped;

const Recommendation& chat() {
  static const Recommendation r =
      shipped().recommend(shipped().shipped_workload("support-chat.yaml"));
  return r;
}

TEST_CASE("a plan has every key that scripts rely on") {
  const Json document = to_json(chat());
  REQUIRE_FALSE(document["plans"].empty());
  for (const char* key : {"plans", "assumptions", "pareto", "rejected", "workload", "schema"}) {
    INFO(key);
    CHECK(document.contains(key));
  }
  for (const Json& plan : document["plans"]) {
    for (const char* key : {"rank",
                            "gpu",
                            "gpu_count",
                            "replicas",
                            "engine",
                            "weight_format",
                            "kv_format",
                            "tp",
                            "pp",
                            "ep",
                            "attn_dp",
                            "max_batch",
                            "max_batched_tokens",
                            "spec",
                            "orchestrator",
                            "prefill",
                            "decode",
                            "checkpoint",
                            "kv_capacity_tokens",
                            "max_rate_at_slo",
                            "metrics",
                            "cost",
                            "scores",
                            "bottleneck",
                            "why"}) {
      INFO(key);
      CHECK(plan.contains(key));
    }
    for (const char* metric : {"ttft_ms", "tpot_ms", "e2e_ms"}) {
      const Json& m = plan["metrics"][metric];
      for (const char* key : {"mean", "p50", "p95", "provenance"}) CHECK(m.contains(key));
      CHECK(m["p95"].get<double>() >= m["p50"].get<double>());
      for (const char* key : {"level", "lo", "hi", "of"}) CHECK(m["band"].contains(key));
      CHECK(m["band"]["lo"].get<double>() <= m["mean"].get<double>());
      CHECK(m["band"]["hi"].get<double>() >= m["mean"].get<double>());
    }
    for (const char* metric : {"output_tok_s", "tok_s_gpu", "tok_s_user", "goodput_rps"}) {
      for (const char* key : {"value", "provenance", "band"}) {
        CHECK(plan["metrics"][metric].contains(key));
      }
    }
    for (const char* key :
         {"usd_per_hour", "usd_per_month", "usd_per_mtok_output", "usd_per_mtok_total"}) {
      CHECK(plan["cost"][key].get<double>() > 0);
    }
  }
}

TEST_CASE("money follows from the hour") {
  for (const Plan& plan : chat().plans) {
    CHECK(plan.cost.usd_per_month == Approx(plan.cost.usd_per_hour * 730.5));
    CHECK(plan.cost.usd_per_mtok_output ==
          Approx(plan.cost.usd_per_hour / (plan.output_tok_s * 3600 / 1e6)));
    CHECK(plan.cost.usd_per_mtok_total < plan.cost.usd_per_mtok_output);
  }
}

TEST_CASE("text fits the width it is given") {
  for (const int width : {60, 80, 120}) {
    for (const Detail detail : {Detail::kBrief, Detail::kEngineer, Detail::kExecutive}) {
      const std::string text = render_text(chat(), detail, width);
      std::size_t begin = 0;
      while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        INFO("width " << width << ": " << line);
        CHECK(display_width(line) <= width);
        begin = end + 1;
      }
    }
  }
}

TEST_CASE("no point on a front is beaten on both axes") {
  const auto& points = chat().pareto;
  REQUIRE(points.size() > 1);
  for (const ParetoPoint& a : points) {
    for (const ParetoPoint& b : points) {
      if (a.on_throughput_front && b.on_throughput_front) {
        CHECK_FALSE((b.tok_s_user > a.tok_s_user && b.tok_s_gpu > a.tok_s_gpu));
      }
      if (a.on_cost_front && b.on_cost_front) {
        CHECK_FALSE((b.tok_s_user > a.tok_s_user && b.usd_per_mtok_output < a.usd_per_mtok_output));
      }
    }
  }
}

TEST_CASE("a plan file gives its candidate back") {
  const Json document = to_json(chat());
  for (std::size_t i = 0; i < chat().plans.size(); ++i) {
    const auto point = point_from_json(document, static_cast<int>(i) + 1, shipped().catalog);
    REQUIRE(point);
    CHECK(short_name(point->candidate) == short_name(chat().plans[i].candidate));
    CHECK(point->candidate.max_batch == chat().plans[i].candidate.max_batch);
    CHECK(point->replicas == chat().plans[i].replicas);
    CHECK(point->prefill_replicas == chat().plans[i].prefill_replicas);
  }
  CHECK_FALSE(point_from_json(document, 0, shipped().catalog));
  CHECK_FALSE(point_from_json(document, 1000, shipped().catalog));
  CHECK_FALSE(point_from_json(Json::array(), 1, shipped().catalog));
}

TEST_CASE("the SVG escapes what names hold") {
  ParetoPoint point;
  point.tok_s_user = 50;
  point.tok_s_gpu = 500;
  point.usd_per_mtok_output = 1;
  point.plan = "a<b>&\"c\" on gpu, x";
  const std::string svg = pareto_svg({point}, "<script>");
  CHECK(svg.find("<script>") == std::string::npos);
  CHECK(svg.find("a<b>") == std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
}

TEST_CASE("predictions of one workload are compared, and never called a speedup") {
  const Json document = to_json(chat());
  REQUIRE(document["plans"].size() >= 2);
  std::vector<ComparisonSide> sides;
  for (const int rank : {1, 2}) {
    auto side = comparison_side(document, rank, fmt::format("plan {}", rank), shipped().catalog);
    REQUIRE(side);
    sides.push_back(std::move(*side));
  }
  const Comparison comparison = compare(std::move(sides));
  CHECK_FALSE(comparison.cheapest.empty());
  REQUIRE_FALSE(comparison.ratios.empty());
  for (const ComparedRatio& r : comparison.ratios) CHECK(r.ratio.name != "speedup");
}

TEST_CASE("a document of another kind is refused by name") {
  const auto side = comparison_side(Json{{"schema", "x/v1"}}, 1, "file.json", shipped().catalog);
  REQUIRE_FALSE(side);
  CHECK(side.error().to_string().find("x/v1") != std::string::npos);
  CHECK_FALSE(comparison_side(Json(3), 1, "file.json", shipped().catalog));
}

TEST_CASE("the best of a figure is named only where every side states that figure") {
  ComparisonSide a;
  a.facts.name = "a";
  a.e2e_ms_p95 = 2000;
  a.tpot_ms_mean = 10;
  a.usd_per_month = 100;
  ComparisonSide b;
  b.facts.name = "b";
  b.tpot_ms_mean = 5;
  const Comparison comparison = compare({a, b});
  CHECK(comparison.fastest == "b");  // by TPOT: an end-to-end time is not compared with it
  CHECK(comparison.cheapest.empty());
  CHECK(comparison.highest_throughput.empty());
}

TEST_CASE("that no change helps is said only after changes were tried") {
  Recommendation nothing;
  const std::string claim = "No change of the constraints";
  CHECK(render_text(nothing, Detail::kEngineer, 80).find(claim) == std::string::npos);
  nothing.relaxations_tried = true;
  CHECK(render_text(nothing, Detail::kEngineer, 80).find(claim) != std::string::npos);
}

}  // namespace
}  // namespace tensorpath
