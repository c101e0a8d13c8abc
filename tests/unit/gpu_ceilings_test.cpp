// What a GPU can do: read from what the worker prints, kept, found again, and made a floor of.
#include "cuda_fixture.h"
#include "harness/ceiling_kernels.h"

#include <cmath>

#include <tensorpath/harness/gpu_ceilings.h>

using namespace tensorpath;

namespace {

const char* const kLines =
    "gpu: NVIDIA H200\narchitecture: sm_90\ndriver interface: 13.0\nbus: 0000:01:00.0\n"
    "memory: 150000000000\ncache: 62914560\nmultiprocessors: 132\n"
    "measured fp32: 1e12 2e-2 1.9e-2 2.1e-2\nmeasured read: 4e9 1e-3 1.25e-3 1e-3\n"
    "measured copy: 4e9 1e-3\nmeasured l2: 8e9 1e-3\nmeasured stream_launch: 1000 2e-3\n"
    "measured graph_node: 1000 1e-3 1.5e-3 1.5e-3\nmeasured mma_sync fp16: 6e11 1e-3\n"
    "measured wgmma fp16: 9e11 1e-3\nmeasured mma_sync bf16: 6e11 1e-3\n"
    "absent wgmma bf16: own kernel: CUDA_ERROR_INVALID_PTX\n"
    "measured mma_sync tf32: 3e11 1e-3\nmeasured wgmma tf32: 4e11 1e-3\n";

GpuCeilings measured() {
  auto read = read_gpu_measurements(kLines);
  INFO((read ? "" : read.error().to_string()));
  REQUIRE(read);
  read->uuid = "GPU-1";
  read->driver = "580.1";
  read->measured_at = *parse_utc("2026-11-30T07:30:00.000000Z");
  return *read;
}

bool is_near(double value, double wanted) { return std::fabs(value - wanted) < 1e-9 * wanted; }

}  // namespace

TEST_CASE("what the worker measured of a GPU becomes a median, the best and a spread") {
  const GpuCeilings one = measured();
  CHECK(one.name == "NVIDIA H200");
  CHECK(is_near(one.read_bytes_s.median, 4e12));
  CHECK(is_near(one.read_bytes_s.best, 4e12));
  CHECK(is_near(one.read_bytes_s.spread_percent, 20));
  CHECK(is_near(one.graph_node_s.median, 1.5e-6));
  CHECK(is_near(one.graph_node_s.best, 1e-6));
  CHECK(one.mma_sync_flops_s.size() == 3);
  CHECK(one.wgmma_flops_s.size() == 2);
}

TEST_CASE("a measurement that is missing or no time is an error") {
  const std::string lines = kLines;
  const std::string copy = "measured copy: 4e9 1e-3\n";
  for (const char* instead : {"", "measured copy: 4e9\n", "measured copy: 4e9 0\n",
                              "measured copy: 4e9 inf\n", "measured copy: 4e9 x\n"}) {
    std::string bad = lines;
    bad.replace(bad.find(copy), copy.size(), instead);
    CHECK(!read_gpu_measurements(bad));
  }
}

TEST_CASE("a floor on a GPU is the longest of a launch, the bytes and the operations") {
  const GpuCeilings one = measured();
  const Operators operators =
      Operators::load({std::string(TENSORPATH_SOURCE_DIR) + "/kernels/ops"}).value();
  const OperatorSpec& matmul = **operators.find("matmul");
  const OperatorSpec& softmax = **operators.find("softmax");
  const Roof roof = roof_of(one, matmul, DType::kFp16);
  CHECK(is_near(roof.floor_seconds(1, 1), 1e-6));
  CHECK(is_near(roof.floor_seconds(4e9, 1), 1e-3));
  CHECK(is_near(roof.floor_seconds(1, 9e11), 1e-3));
  CHECK(is_near(roof_of(one, matmul, DType::kFp32).floor_seconds(1, 4e11), 1e-3));
  CHECK(is_near(roof_of(one, softmax, DType::kFp16).floor_seconds(1, 1e12), 1.9e-2));
  // mma.sync is no ceiling where wgmma is there and was not measured.
  CHECK(is_near(roof_of(one, matmul, DType::kBf16).floor_seconds(1, 9e13), 1e-6));
  GpuCeilings ampere = one;
  ampere.architecture = "sm_80";
  ampere.wgmma_flops_s.clear();
  CHECK(is_near(roof_of(ampere, matmul, DType::kBf16).floor_seconds(1, 6e11), 1e-3));
}

TEST_CASE("ceilings of a GPU are kept under its UUID and found again, beside those of the host") {
  const test::Scratch scratch;
  GpuCeilings one = measured();
  REQUIRE(store_ceilings(one, scratch.path()));
  CHECK(file_exists(path_join(scratch.path(), "cuda-GPU-1.json")));
  one.uuid.clear();
  one.name = "../NVIDIA";
  REQUIRE(store_ceilings(one, scratch.path()));
  CHECK(file_exists(path_join(scratch.path(), "cuda-___NVIDIA.json")));
  const auto all = list_gpu_ceilings(scratch.path());
  REQUIRE(all.size() == 2);
  CHECK(list_ceilings(scratch.path()).empty());
  CHECK(to_json(all[0]) == to_json(measured()));
}

TEST_CASE("what are no ceilings of a GPU is said to be none") {
  const Json good = to_json(measured());
  REQUIRE(read_gpu_ceilings(good, "f"));
  for (const auto& item : good.items()) {
    if (item.key() == "provenance") continue;
    Json bad = good;
    bad.erase(item.key());
    CHECK(!read_gpu_ceilings(bad, "f"));
    bad[item.key()] = Json::array({1});
    CHECK(!read_gpu_ceilings(bad, "f"));
  }
}

TEST_CASE("the worker measures the stand-in's device") {
  const test::Abs abs("right");
  GpuCeilingOptions options;
  options.sandbox = SandboxMode::kBestEffort;
  options.worker = abs.options.worker;
  const auto one = measure_gpu_ceilings(options, wall_now());
  INFO((one ? "" : one.error().to_string()));
  REQUIRE(one);
  CHECK(one->name == "stand-in");
  CHECK(one->uuid == "GPU-00000000-1111-2222-3333-444444444444");
  CHECK(one->fp32_flops_s.median > 0);
  CHECK(one->wgmma_flops_s.count("fp16") == 1);
  CHECK(one->before.at("sm_mhz") == 1980);
  options.gpu = 1;
  const auto none = measure_gpu_ceilings(options, wall_now());
  REQUIRE(!none);
  CHECK(none.error().exit_code == ExitCode::kEnvironment);
}

TEST_CASE("the driver is handed kernels that can be assembled") {
  const auto toolkit = find_cuda_toolkit();
  if (!toolkit) {
    WARN("not tested: " << toolkit.error().to_string());
    return;
  }
  const test::Scratch scratch;
  // As the driver compiles them. Products that the compiler puts one after another measure nothing.
  const auto assembles = [&](const std::string& text, const std::string& architecture) {
    const std::string file = scratch.file("kernel.ptx");
    REQUIRE(write_file_atomic(file, text));
    const std::string command = fmt::format("{}/bin/ptxas -arch={} -o {}.cubin {} > {}.log 2>&1",
                                            toolkit->root, architecture, file, file, file);
    const int status = std::system(command.c_str());
    const std::string words = read_file(file + ".log").value_or("");
    INFO(command << "\n" << words << "\n" << text);
    CHECK(status == 0);
    CHECK(words.find("serialized") == std::string::npos);
  };
  for (const bool copies : {false, true}) assembles(cuda::stream_kernel(copies), "sm_80");
  assembles(cuda::fma_kernel(), "sm_80");
  assembles(cuda::empty_kernel(), "sm_80");
  for (const cuda::MatrixType& type : cuda::kMatrixTypes) {
    assembles(cuda::mma_kernel(type), fmt::format("sm_{}", type.least_capability));
    assembles(cuda::wgmma_kernel(type), "sm_90a");
  }
}
