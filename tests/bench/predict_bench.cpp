// Screening's inner loop: predictions a second on one core, and what a compile costs.
#include "bench.h"

#include <cstdlib>

#include <tensorpath/predict.h>

namespace {

using namespace tensorpath;

std::vector<StepModel> models_of(Catalog& catalog, const Calibration& calibration,
                                 std::vector<Layout>& layouts) {
  for (const char* model : {"llama-3.1-70b", "qwen3-235b-a22b", "deepseek-v3"}) {
    for (const char* gpu : {"h200_sxm", "b200_sxm"}) {
      for (const int tp : {1, 2, 4, 8}) {
        Layout layout;
        layout.model = catalog.find_model(model);
        layout.gpu = catalog.find_gpu(gpu);
        layout.engine = catalog.find_engine("vllm");
        layout.weight = catalog.find_format("fp8");
        layout.kv = catalog.find_kv_format("fp8");
        layout.tp = tp;
        layouts.push_back(layout);
      }
    }
  }
  std::vector<StepModel> models;
  for (const Layout& layout : layouts) models.push_back(compile(layout, calibration));
  return models;
}

std::vector<Operating> loads(bool open) {
  std::vector<Operating> result;
  for (int i = 0; i < 1000; ++i) {
    Operating op;
    if (open)
      op.rate_rps = 0.05 * (1 + i % 97);
    else
      op.concurrency = 1 + i % 128;
    op.isl_mean = op.isl_p50 = 256 + 7 * i;
    op.isl_p95 = 3 * op.isl_mean;
    op.isl_cv = 0.8;
    op.osl_mean = op.osl_p50 = 128 + 3 * (i % 211);
    op.osl_p95 = 2 * op.osl_mean;
    op.osl_cv = 0.5;
    result.push_back(op);
  }
  return result;
}

}  // namespace

int main() {
  const std::vector<std::string> data = {TENSORPATH_SOURCE_DIR "/data"};
  auto catalog = Catalog::load(data);
  auto calibration = Calibration::load(data);
  if (!catalog || !calibration) {
    std::fputs("the shipped data does not load\n", stderr);
    return 1;
  }
  std::vector<Layout> layouts;
  const std::vector<StepModel> models = models_of(*catalog, *calibration, layouts);
  double sink = 0;
  for (const bool open : {true, false}) {
    const std::vector<Operating> all = loads(open);
    const double seconds = bench::median_seconds(9, [&] {
      for (const StepModel& model : models) {
        for (const Operating& op : all) sink += predict(model, op).tpot_ms.mean;
      }
    });
    const double rate = static_cast<double>(models.size() * all.size()) / seconds;
    bench::budget(
        open ? "screening: predictions, open load" : "screening: predictions, closed loop", rate,
        "candidates/s", 1e6, bench::Bar::kAtLeast);
  }
  const double seconds = bench::median_seconds(9, [&] {
    for (int round = 0; round < 100; ++round) {
      for (const Layout& layout : layouts) sink += compile(layout, *calibration).fixed_ms;
    }
  });
  std::printf("compile of a layout: %.2f us\n",
              1e6 * seconds / (100.0 * static_cast<double>(layouts.size())));
  // The sum keeps the compiler from dropping the work.
  return sink > 0 ? 0 : 1;
}
