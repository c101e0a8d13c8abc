// The fitters find what they are given: least squares, surfaces, parameters.
#include "predict/least_squares.h"
#include "predict/op_fit.h"
#include "predict/parameters.h"
#include "predict_fixture.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

using namespace tensorpath;

TEST_CASE("Least squares recovers a curve through outliers") {
  const auto truth = [](double t) { return 3 * std::exp(-0.7 * t) + 0.5; };
  const auto residuals = [&](std::span<const double> x, std::span<double> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const double t = 0.1 * static_cast<double>(i);
      // Every tenth point is far off.
      const double y = truth(t) + (i % 10 == 3 ? 5 : 0);
      out[i] = x[0] * std::exp(-x[1] * t) + x[2] - y;
    }
  };
  perf::LeastSquaresOptions options;
  options.robust_scale = 0.05;
  options.max_iterations = 200;
  options.tolerance = 1e-12;
  const auto result = perf::minimise(residuals, {2.5, 0.5, 0.2}, 60, 60, options);
  CHECK(result.x[0] == Approx(3).epsilon(0.02));
  CHECK(result.x[1] == Approx(0.7).epsilon(0.02));
  CHECK(result.x[2] == Approx(0.5).epsilon(0.02));
}

TEST_CASE("Least squares respects bounds and stops") {
  int calls = 0;
  const auto residuals = [&](std::span<const double> x, std::span<double> out) {
    ++calls;
    out[0] = x[0] - 10;
  };
  perf::LeastSquaresOptions options;
  options.lower = {0};
  options.upper = {4};
  const auto result = perf::minimise(residuals, {1}, 1, 1, options);
  CHECK(result.x[0] == Approx(4));
  CHECK(calls < 1000);
}

TEST_CASE("A GEMM surface is found again from its own samples") {
  std::vector<perf::OpSample> samples;
  std::size_t shape = 0;
  for (double n = 512; n <= 16384; n *= 2) {
    for (double k = 512; k <= 16384; k *= 2) {
      ++shape;
      for (double m = 1; m <= 16384; m *= 4) {
        perf::OpSample s;
        s.compute_ms = 2 * m * n * k / 989e12 * 1e3;
        s.memory_ms = 2 * (m * k + n * k + m * n) / 3.35e12 * 1e3;
        s.tiles = std::ceil(m / 128) * std::ceil(n / 128);
        s.depth = k;
        s.shape = shape;
        s.measured_ms = perf::norm(s.compute_ms / 0.7 * (1 + 20 / s.tiles) * (1 + 150 / k),
                                   s.memory_ms / 0.8, 4) +
                        0.003;
        samples.push_back(s);
      }
    }
  }
  const perf::Surface found = perf::fit_surface(perf::OpKind::kGemm, samples);
  CHECK(found.norm == 4);
  CHECK(found.compute_efficiency == Approx(0.7).epsilon(0.02));
  CHECK(found.memory_efficiency == Approx(0.8).epsilon(0.02));
  CHECK(found.launch_us == Approx(3).epsilon(0.05));
  CHECK(found.error.held_out_median < 0.01);
}

TEST_CASE("Parameters pack and unpack, and the prior costs nothing at itself") {
  perf::ServingParameters parameters;
  parameters.pooled[0] = 1.25;
  parameters.factor[0][1] = 0.8;
  const std::vector<double> logs = perf::pack(parameters);
  const perf::ServingParameters back = perf::unpack(logs);
  CHECK(back.pooled[0] == Approx(1.25));
  CHECK(back.value(perf::Param::kGemmMemory, 1) == Approx(1.0));
  CHECK(back.value(perf::Param::kGemmMemory, -1) == Approx(1.25));
  const std::vector<double> prior = perf::pack(perf::ServingParameters());
  std::vector<double> residual(prior.size());
  perf::prior_residuals(prior, residual);
  for (const double r : residual) CHECK(r == Approx(0).margin(1e-12));
}

namespace {

// A directory of operator tables made by formula, for one GPU.
class Tables {
 public:
  Tables() {
    directory_ =
        std::filesystem::temp_directory_path() / ("predict_fit_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  ~Tables() { std::filesystem::remove_all(directory_); }

  void write(const std::string& op, const std::string& text) const {
    std::ofstream(directory_ / ("h100_sxm." + op + ".csv")) << text;
  }
  [[nodiscard]] std::string path() const { return directory_.string(); }

 private:
  std::filesystem::path directory_;
};

std::string attention_header() {
  return "kernel_source,batch_size,isl,num_heads,num_key_value_heads,head_dim,attn_dtype,"
         "kv_cache_dtype,step,window_size,latency\n";
}

}  // namespace

TEST_CASE("Operator tables become surfaces, and a missing column is named") {
  const Tables tables;
  std::string gemm = "kernel_source,gemm_dtype,m,n,k,latency\n";
  for (int i = 0; i < 120; ++i) {
    const double m = 1 << (i % 12), n = 1024 * (1 + i % 7), k = 1024 * (1 + i % 5);
    const double ms = 2 * m * n * k / 989.4e12 / 0.8 * 1e3 +
                      2 * (m * k + n * k + m * n) / 3.35e12 / 0.8 * 1e3 + 0.004;
    gemm += "x,bfloat16," + std::to_string(m) + "," + std::to_string(n) + "," + std::to_string(k) +
            "," + std::to_string(ms) + "\n";
  }
  std::string all_reduce = "kernel_source,num_gpus,message_size,latency\n";
  for (const int gpus : {2, 4, 8}) {
    for (double size = 128; size < 1e8; size *= 4) {
      const double wire = 2.0 * (gpus - 1) / gpus * 2 * size / 450e9 / 0.7 * 1e3;
      all_reduce += "a_graph," + std::to_string(gpus) + "," + std::to_string(size) + "," +
                    std::to_string(0.001 * gpus + wire) + "\n";
    }
  }
  tables.write("gemm", gemm);
  tables.write("moe",
               "moe_dtype,num_tokens,hidden_size,inter_size,topk,num_experts,moe_tp_size,"
               "moe_ep_size,distribution,latency\n");
  tables.write("generation_attention", attention_header());
  tables.write("context_attention", attention_header());
  tables.write("custom_allreduce", all_reduce);
  const auto surfaces = perf::fit_ops(tables.path(), test::predict_catalog());
  if (!surfaces) FAIL(surfaces.error().to_string());
  REQUIRE(surfaces->gpus.size() == 1);
  const perf::GpuSurfaces& gpu = surfaces->gpus.front();
  CHECK(gpu.gemm.at("bf16").norm == 1);
  CHECK(gpu.gemm.at("bf16").memory_efficiency == Approx(0.8).epsilon(0.05));
  CHECK(gpu.all_reduce.latency_us[2] == Approx(8).epsilon(0.05));
  CHECK(gpu.all_reduce.bandwidth_efficiency == Approx(0.7).epsilon(0.05));
  CHECK(gpu.moe.empty());

  tables.write("custom_allreduce", "kernel_source,num_gpus,size,latency\n");
  const auto broken = perf::fit_ops(tables.path(), test::predict_catalog());
  REQUIRE_FALSE(broken);
  CHECK(broken.error().to_string().find("message_size") != std::string::npos);
  CHECK_FALSE(perf::fit_ops("/no/such/directory", test::predict_catalog()));
}
