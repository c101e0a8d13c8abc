// Promoted kernels beside a plan: those of its GPU, formats and bottleneck, and no number changes.
#include "advise_fixture.h"
#include "registry_fixture.h"

#include <algorithm>

namespace tensorpath {
namespace {

using test::has;
using test::shipped;

registry::Entry kernel_of(const std::string& op, const std::string& gpu, const std::string& dtype,
                          double ratio) {
  registry::Entry entry = test::rmsnorm_entry();
  entry.op = op;
  entry.gpu = gpu;
  entry.dtype = dtype;
  entry.language = "cuda";
  entry.performance.ratio = ratio;
  entry.performance.lower = ratio - 0.1;
  entry.performance.upper = ratio + 0.1;
  entry.id = registry::kernel_name(entry) + "_v1";
  return entry;
}

const Recommendation& chat() {
  static const Recommendation r =
      shipped().recommend(shipped().shipped_workload("support-chat.yaml"));
  return r;
}

std::vector<KernelOpportunity> found_in(const std::vector<registry::Entry>& entries) {
  static const Operators operators = *Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  return kernel_opportunities(chat().plans.front(), chat().workload, shipped().calibration, entries,
                              operators);
}

TEST_CASE("kernels of the plan's GPU, formats and bottleneck are opportunities, no others") {
  const Plan& plan = chat().plans.front();
  const std::string gpu = plan.candidate.layout.gpu->name;
  REQUIRE(plan.bottleneck == "hbm_bandwidth");
  CHECK(found_in({}).empty());
  CHECK(found_in({kernel_of("matmul", "host", "bf16", 1.5)}).empty());
  CHECK(found_in({kernel_of("matmul", gpu, "fp32", 1.5)}).empty());
  CHECK(found_in({kernel_of("transpose", gpu, "bf16", 1.5)}).empty());
  // The model has no latent attention, and nothing of a launch is bound by memory.
  CHECK(found_in({kernel_of("mla_decode", gpu, "bf16", 1.5)}).empty());
  CHECK(found_in({kernel_of("rmsnorm", gpu, "bf16", 1.5)}).empty());

  const auto found =
      found_in({kernel_of("decode_attention", gpu, "bf16", 1.3),
                kernel_of("matmul", gpu, "bf16", 1.2), kernel_of("matmul", gpu, "fp16", 1.1)});
  REQUIRE(found.size() == 3);
  CHECK(std::is_sorted(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.share_of_step > b.share_of_step;
  }));
  for (const KernelOpportunity& one : found) {
    CHECK(one.share_of_step > 0);
    CHECK(one.share_of_step <= 1);
    CHECK_FALSE(one.parts.empty());
  }
}

TEST_CASE("of one operator and type the highest ratio is told") {
  const std::string gpu = chat().plans.front().candidate.layout.gpu->name;
  registry::Entry better = kernel_of("matmul", gpu, "bf16", 1.4);
  better.id = registry::kernel_name(better) + "_v2";
  const auto found = found_in({kernel_of("matmul", gpu, "bf16", 1.2), better});
  REQUIRE(found.size() == 1);
  CHECK(found.front().kernel == better.id);
}

TEST_CASE("a registry changes no number of a recommendation") {
  const std::string gpu = chat().plans.front().candidate.layout.gpu->name;
  Recommendation with = chat();
  with.kernels = found_in({kernel_of("matmul", gpu, "bf16", 1.4)});
  REQUIRE(with.kernels.size() == 1);
  Json document = to_json(with);
  const Json& told = document["verified_kernels"].front();
  CHECK(told["ratio"] == 1.4);
  CHECK(told["evidence_level"] == "op");
  CHECK(told["in_the_numbers"] == false);
  CHECK(document.erase("verified_kernels") == 1);
  CHECK(to_text(document) == to_text(to_json(chat())));
  CHECK(plans_csv(with) == plans_csv(chat()));

  const std::string text = render_text(with, Detail::kEngineer, 80);
  CHECK(has(text, "in none of the numbers"));
  CHECK(has(text, "1.40x [1.30, 1.50] against tuned, cold, on " + gpu));
  CHECK(has(text, "op-level"));
  // What is printed without a registry stays as it is, line by line.
  const std::string before = render_text(chat(), Detail::kEngineer, 80);
  CHECK_FALSE(has(before, "Verified kernels"));
  const std::size_t from = text.find("\nVerified kernels");
  REQUIRE(from != std::string::npos);
  CHECK(before.starts_with(text.substr(0, from)));
  CHECK(has(render_markdown(with, Detail::kEngineer), "## Verified kernels"));
  CHECK_FALSE(has(render_markdown(chat(), Detail::kEngineer), "Verified kernels"));
}

}  // namespace
}  // namespace tensorpath
