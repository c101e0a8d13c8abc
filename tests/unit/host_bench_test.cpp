// Benchmarks on this machine's processor, of kernels that differ in what they ask for.
#include "build_file.h"
#include "catch.h"
#include "harness/bench_with.h"
#include "harness/cores.h"
#include "scratch.h"

#include <tensorpath/forge/create_run.h>

using namespace tensorpath;

namespace {

// |x|, after a walk over `workspace` bytes, of which each byte is asked for.
std::string directory_of(const test::Scratch& scratch, const std::string& name, int workspace) {
  std::string directory = scratch.file(name);
  REQUIRE(make_directories(directory));
  std::string walk;
  if (workspace > 0) {
    REQUIRE(write_file_atomic(path_join(directory, "plan.yaml"),
                              fmt::format("workspace: {}\n", workspace)));
    walk = fmt::format("  std::memset(args->workspace, 1, {});\n", workspace);
  }
  REQUIRE(write_file_atomic(
      path_join(directory, "kernel.cpp"),
      "#include \"task.h\"\n"
      "extern \"C\" void tensorpath_kernel(const task_args* args, const tp_pool*) {\n" +
          walk +
          "  for (long i = 0; i < args->rows * args->hidden; ++i)\n"
          "    args->y[i] = __builtin_fabsf(args->x[i]);\n"
          "}\n"));
  return directory;
}

}  // namespace

TEST_CASE("each arm has a workspace of its own size, whatever the candidate asks for") {
  if (const auto cores = choose_cores(1); !cores) {
    WARN("not tested: " << cores.error().to_string());
    return;
  }
  const test::Scratch scratch;
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  forge::CreateRequest request;
  request.op = "abs";
  request.dtype = "fp32";
  request.shape = "rows=2,hidden=64";
  const auto task = forge::make_task(request, operators);
  REQUIRE(task);
  BenchOptions options;
  options.sandbox = SandboxMode::kBestEffort;
  options.worker = test::build_file("bin/tensorpath-worker");
  options.threads = 1;
  options.blocks = 10;
  options.stop.least_rounds = options.stop.most_rounds = 2;
  BenchDefences defences;
  defences.verify_baselines = false;
  const auto report = bench_with(*task, directory_of(scratch, "none", 0),
                                 {{"small", directory_of(scratch, "small", 4096), ""},
                                  {"large", directory_of(scratch, "large", 16 << 20), ""}},
                                 options, defences);
  INFO((report ? report->detail : report.error().to_string()));
  REQUIRE(report);
  CHECK(report->failure == Failure::kNone);
  REQUIRE(report->timing.statistic.cases.size() == 1);
  // A walk over 16 MiB is no empty one.
  CHECK(report->timing.statistic.cases[0].ratios[2].value > 10);
}
