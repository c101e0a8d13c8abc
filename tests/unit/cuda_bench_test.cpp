// Benchmarks on the GPU with stand-ins for the driver and its management library.
#include "cuda_fixture.h"
#include "harness/bench_with.h"

using namespace tensorpath;

namespace {

constexpr int kRounds = 2;

std::string directory_of(const test::Scratch& scratch, const std::string& kernel) {
  const std::string directory = scratch.file(kernel);
  REQUIRE(make_directories(directory));
  // What is compiled does not run: the stand-in does what the kernel's name says.
  REQUIRE(write_file_atomic(
      path_join(directory, "kernel.cu"),
      fmt::format("extern \"C\" __global__ void {}(const float* x, float* y, int rows, int hidden)"
                  " {{ if (threadIdx.x < rows * hidden) y[threadIdx.x] = x[threadIdx.x]; }}\n",
                  kernel)));
  REQUIRE(write_file_atomic(
      path_join(directory, "plan.yaml"),
      fmt::format("launches:\n  - {{kernel: {}, grid: [rows], block: [64], args: [x, y, \"i32 "
                  "rows\", \"i32 hidden\"]}}\n",
                  kernel)));
  return directory;
}

// Of `kernel` against one that is right; nullopt where no kernel is compiled or there is one core.
// `more`: baselines beside it.
std::optional<Expected<BenchReport>> bench_of(const std::string& kernel,
                                              const std::vector<BaselineSource>& more = {}) {
  if (const auto toolkit = find_cuda_toolkit(); !toolkit) {
    WARN("not tested: " << toolkit.error().to_string());
    return std::nullopt;
  }
  const test::Scratch scratch;
  test::Abs abs(kernel);
  abs.task.domain =
      make_domain(*abs.task.op, DType::kFp32, {{"rows", 3, 3}, {"hidden", 40, 40}}, {}).value();
  BenchOptions options;
  options.sandbox = abs.options.sandbox;
  options.worker = abs.options.worker;
  options.stop.least_rounds = options.stop.most_rounds = kRounds;
  options.blocks = 10;
  BenchDefences defences;
  defences.verify_baselines = false;
  const std::string candidate = directory_of(scratch, kernel);
  const std::string baseline = directory_of(scratch, "right");
  std::vector<BaselineSource> baselines = {{"naive", baseline, ""}};
  baselines.insert(baselines.end(), more.begin(), more.end());
  return bench_with(abs.task, candidate, baselines, options, defences);
}

struct Mode {
  explicit Mode(const char* mode) { ::setenv("STAND_IN_NVML", mode, 1); }
  ~Mode() { ::unsetenv("STAND_IN_NVML"); }
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;
};

}  // namespace

TEST_CASE("a library that is not there makes its arms absent, and the others are timed") {
  ::setenv("TENSORPATH_PYTHON", "/nonexistent/python3", 1);
  const std::string torch = TENSORPATH_SOURCE_DIR "/kernels/baselines/silu/torch";
  const auto report = bench_of("right", {{"torch-eager", torch, ""}, {"torch-graph", torch, ""}});
  ::unsetenv("TENSORPATH_PYTHON");
  if (!report) return;
  INFO((*report ? (*report)->detail : report->error().to_string()));
  REQUIRE(*report);
  const auto& arms = (*report)->timing.plan.arms;
  REQUIRE(arms.size() == 4);
  CHECK(arms[1].absent.empty());
  for (const std::size_t at : {2, 3}) {
    CHECK(arms[at].absent.find("TENSORPATH_PYTHON names no program") != std::string::npos);
    CHECK_FALSE(arms[at].denominator);
  }
  CHECK((*report)->failure == Failure::kNone);
}

TEST_CASE("a candidate is timed against a baseline in rounds, its outputs checked") {
  const auto report = bench_of("right");
  if (!report) return;
  INFO((*report ? (*report)->detail : report->error().to_string()));
  REQUIRE(*report);
  const BenchReport& done = **report;
  CHECK(done.failure == Failure::kNone);
  CHECK(done.timing.statistic.rounds == kRounds);
  CHECK(done.timing.statistic.pairs == kRounds * 10);
  CHECK(done.timing.statistic.cases.at(0).cold.at(0).p50 > 0);
  CHECK(done.timing.statistic.cases.at(0).hot.at(1).samples > 0);
  CHECK(done.checked_calls > 0);
  const Json& gpu = done.environment.at("gpu");
  CHECK(gpu.at("uuid") == "GPU-00000000-1111-2222-3333-444444444444");
  CHECK(gpu.at("architecture") == "sm_90");
  REQUIRE(gpu.at("rounds").size() == kRounds);
  CHECK(gpu.at("rounds").at(0).at("before").at("sm_mhz") == 1980);
  CHECK(done.to_json().at("method").at("clock").get<std::string>().find("events") !=
        std::string::npos);
}

TEST_CASE("a candidate that stops working while it is timed is rejected") {
  const auto report = bench_of("tired");
  if (!report) return;
  INFO((*report ? (*report)->detail : report->error().to_string()));
  REQUIRE(*report);
  CHECK((*report)->failure == Failure::kNotWritten);
  CHECK((*report)->detail.find("in a timed call") == 0);
}

TEST_CASE("a GPU that others compute on is not timed on") {
  const Mode mode("busy");
  const auto report = bench_of("right");
  if (!report) return;
  REQUIRE(!*report);
  CHECK(report->error().exit_code == ExitCode::kEnvironment);
  CHECK(report->error().to_string().find("2 other programs compute on this GPU") !=
        std::string::npos);
}

TEST_CASE("samples of a throttled GPU count for nothing") {
  const Mode mode("throttled");
  const auto report = bench_of("right");
  if (!report) return;
  REQUIRE(*report);
  CHECK((*report)->timing.statistic.dropped_share() == 1);
  CHECK(decide((*report)->timing.statistic) == Speed::kAmbiguous);
}
