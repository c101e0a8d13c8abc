#include "harness/cuda_object.h"

#include "catch.h"

#include <tensorpath/base/file.h>

using namespace tensorpath;

namespace {

std::string cubin(const std::string& name) {
  const auto bytes =
      read_file(std::string(TENSORPATH_SOURCE_DIR) + "/tests/fuzz/corpus/elf/" + name + ".cubin");
  REQUIRE(bytes);
  return *bytes;
}

PlanLaunch launch(const std::string& kernel, const std::vector<PlanArgument::Kind>& kinds) {
  PlanLaunch out;
  out.kernel = kernel;
  for (const auto kind : kinds) out.arguments.push_back({kind, "", Expression::constant(0)});
  return out;
}

Refusal scan(const std::string& name, const std::vector<PlanLaunch>& launches = {},
             const std::string& ptx = "", const Defences& defences = {}) {
  LaunchPlan plan;
  plan.launches = launches;
  return scan_cubin(cubin(name), ptx, plan, defences);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

using Kind = PlanArgument::Kind;

}  // namespace

TEST_CASE("a cubin lists its kernels and the sizes of their parameters") {
  const std::string bytes = cubin("honest");
  const auto object = read_elf(bytes, "honest.cubin");
  REQUIRE(object);
  const auto kernels = kernels_of(*object, bytes);
  REQUIRE(kernels.size() == 1);
  CHECK(kernels[0].name == "honest");
  REQUIRE(kernels[0].parameters_known);
  CHECK(kernels[0].parameter_bytes == std::vector<std::uint32_t>{8, 12, 4, 12});
}

TEST_CASE("constants, shared memory and tables are no state") {
  CHECK(scan("honest").failure == Failure::kNone);
}

TEST_CASE("a __device__ variable is state, named in the refusal") {
  Defences defences;
  defences.import_scan = false;
  const Refusal refusal = scan("globals", {}, "", defences);
  CHECK(refusal.failure == Failure::kWritableState);
  CHECK(has(refusal.detail, "counter") != has(refusal.detail, "$str"));
  defences.state_scan = false;
  CHECK(scan("globals", {}, "", defences).failure == Failure::kNone);
}

TEST_CASE("malloc and printf on the device are refused") {
  const Refusal refusal = scan("globals");
  CHECK(refusal.failure == Failure::kForbiddenImport);
  CHECK(has(refusal.detail, "malloc"));
}

TEST_CASE("the generic address of constant memory is refused") {
  CHECK(scan("honest", {}, "mov.u64 %rd5, table;\ncvta.const.u64 %rd3, %rd5;\n").failure ==
        Failure::kWritableState);
  CHECK(scan("honest", {}, "cvta.to.global.u64 %rd6, %rd2;\n").failure == Failure::kNone);
}

TEST_CASE("a launch must fit its kernel") {
  CHECK(scan("plain", {launch("scale", {Kind::kTensor, Kind::kInt32})}).failure == Failure::kNone);
  const Refusal absent = scan("plain", {launch("scales", {})});
  CHECK(absent.failure == Failure::kMissingEntry);
  CHECK(has(absent.detail, "'scale'"));
  const Refusal few = scan("plain", {launch("scale", {Kind::kTensor})});
  CHECK(few.failure == Failure::kPlanInvalid);
  CHECK(has(few.detail, "takes 2 arguments, the plan gives 1"));
  const Refusal wide = scan("plain", {launch("scale", {Kind::kTensor, Kind::kInt64})});
  CHECK(wide.failure == Failure::kPlanInvalid);
  CHECK(has(wide.detail, "argument 2 has 4 bytes in the kernel and 8 in the plan"));
}

TEST_CASE("what is no cubin is refused") {
  const LaunchPlan plan;
  CHECK(scan_cubin("nonsense", "", plan, {}).failure == Failure::kCompileError);
  const auto host =
      read_file(std::string(TENSORPATH_SOURCE_DIR) + "/tests/fuzz/corpus/elf/constructor.so");
  REQUIRE(host);
  CHECK(scan_cubin(*host, "", plan, {}).failure == Failure::kCompileError);
}

TEST_CASE("the resources that nvcc prints are read") {
  const auto kernels = read_resource_usage(
      "ptxas info    : 7 bytes gmem\n"
      "ptxas info    : Compiling entry function 'talk' for 'sm_90a'\n"
      "ptxas info    : Function properties for talk\n"
      "    8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads\n"
      "ptxas info    : Used 128 registers, used 2 barriers, 8 bytes cumulative stack size, 4096 "
      "bytes smem\n"
      "ptxas info    : Compiling entry function 'scale' for 'sm_90a'\n"
      "ptxas info    : Function properties for scale\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 8 registers, used 0 barriers\n");
  REQUIRE(kernels.size() == 2);
  CHECK(kernels[0].kernel == "talk");
  CHECK(kernels[0].architecture == "sm_90a");
  CHECK(kernels[0].registers == 128);
  CHECK(kernels[0].barriers == 2);
  CHECK(kernels[0].stack_bytes == 8);
  CHECK(kernels[0].spill_store_bytes == 16);
  CHECK(kernels[0].spill_load_bytes == 24);
  CHECK(kernels[0].shared_bytes == 4096);
  CHECK(kernels[0].to_text() ==
        "talk: 128 registers, spills of 16 bytes stored and 24 loaded, 4096 bytes of shared "
        "memory");
  CHECK(kernels[1].to_text() == "scale: 8 registers, no spills, 0 bytes of shared memory");
  CHECK(read_resource_usage("nothing of the kind\n").empty());
}
