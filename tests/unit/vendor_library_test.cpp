// Baselines that are linked with a vendor's library: which libraries there are, that only a
// baseline may name one, and why one is absent.
#include "harness/vendor_library.h"

#include "catch.h"
#include "forge_fixture.h"
#include "harness/bench_arms.h"

#include <cstdlib>
#include <filesystem>

#include <tensorpath/harness.h>

namespace tensorpath {
namespace {

using test::has;

const std::string kKernels = TENSORPATH_SOURCE_DIR "/kernels/";

// A task, and directories beside the baselines of its operator.
struct Fixture {
  explicit Fixture(const std::string& dtype = "fp32") {
    forge::CreateRequest request;
    request.op = "matmul";
    request.dtype = dtype;
    request.shape = "m=8,n=16,k=8";
    request.cases = 12;
    auto made = forge::make_task(request, operators);
    REQUIRE(made);
    task = std::move(*made);
    const char* build = std::getenv("TENSORPATH_BUILD_DIR");
    options.worker = path_join(build == nullptr ? "build/dev" : build, "bin/tensorpath-worker");
    options.sandbox = SandboxMode::kBestEffort;
  }
  [[nodiscard]] static std::string shipped(const std::string& name) {
    return kKernels + "baselines/matmul/" + name;
  }
  [[nodiscard]] std::string directory(const std::string& name, const std::string& kernel,
                                      const std::string& yaml) const {
    std::filesystem::create_directories(scratch.file(name));
    REQUIRE(write_file_atomic(scratch.file(name + "/kernel.cpp"), kernel));
    REQUIRE(write_file_atomic(scratch.file(name + "/baseline.yaml"), yaml));
    return scratch.file(name);
  }
  // The naive kernel as the candidate, then the baseline, not verified.
  [[nodiscard]] std::string absence(const std::string& baseline) const {
    const auto device = make_host_device();
    BenchDefences bench_defences;
    bench_defences.verify_baselines = false;
    const auto arms = make_arms(
        {task, options, bench_defences, Defences{}, *device, 1, scratch.file("build"), nullptr},
        shipped("naive"), {{"vendor", baseline, {}}});
    INFO((arms ? "" : arms.error().to_string()));
    REQUIRE(arms);
    REQUIRE((*arms)[0]->built.refusal.failure == Failure::kNone);
    return (*arms)[1]->absent;
  }

  test::Scratch scratch;
  Operators operators = Operators::load({kKernels + "ops"}).value();
  KernelTask task;
  BenchOptions options;
};

TEST_CASE("a baseline names libraries of a closed list") {
  CHECK(read_links("links: [openblas, onednn]\n", "baseline.yaml").value() ==
        std::vector<std::string>{"openblas", "onednn"});
  for (const auto& [text, words] :
       {std::pair{"links: [openblas, mkl]\n", "baseline.yaml:1:8: links: no library 'mkl'"},
        {"{}\n", "links"},
        {"links: [onednn]\nflags: [-fplugin=x]\n", "flags"},
        {"links: [onednn\n", "baseline.yaml"}}) {
    const auto links = read_links(text, "baseline.yaml");
    REQUIRE(!links);
    CAPTURE(links.error().to_string());
    CHECK(has(links.error().to_string(), words));
  }
}

TEST_CASE("a library has as many threads as the pool, or none where the pool calls it") {
  CHECK(link_environment({"onednn"}, 3, "x86-64-v4") ==
        std::vector<std::string>{"OMP_NUM_THREADS=3"});
  CHECK(link_environment({"openblas"}, 3, "x86-64-v2") ==
        std::vector<std::string>{"OPENBLAS_NUM_THREADS=1"});
  CHECK(link_environment({"openblas"}, 3, "x86-64-v3").back() == "OPENBLAS_CORETYPE=Haswell");
  CHECK(link_environment({}, 3, "x86-64-v4").empty());
  CHECK(link_flags({}).empty());
}

TEST_CASE("what the compiler says of a library that is not there is its package") {
  const std::vector<std::string> links{"openblas"};
  CHECK(missing_library(links, "/usr/bin/ld: cannot find -lopenblas: No such file or directory") ==
        "libopenblas-dev is not installed");
  CHECK(missing_library(links, "kernel.cpp:14:10: fatal error: cblas.h: No such file") ==
        "libopenblas-dev is not installed");
  CHECK(missing_library(links, "kernel.cpp:14:1: error: expected ';'").empty());
  CHECK(missing_library({}, "/usr/bin/ld: cannot find -lopenblas").empty());
}

TEST_CASE("only a baseline has a baseline.yaml, and only on the host") {
  Fixture fixture;
  Refusal refusal;
  const auto candidate = read_candidate(Fixture::shipped("openblas"), fixture.task, refusal);
  REQUIRE(candidate);
  CHECK(refusal.failure == Failure::kBadCandidate);
  CHECK(has(refusal.detail, "'baseline.yaml' has no business there"));
  CHECK(candidate->links.empty());

  Refusal none;
  const auto baseline = read_baseline(Fixture::shipped("openblas"), fixture.task, none);
  REQUIRE(baseline);
  CHECK(none.failure == Failure::kNone);
  CHECK(baseline->links == std::vector<std::string>{"openblas"});
  CHECK(baseline->digest != candidate->digest);

  fixture.task.device = DeviceKind::kCuda;
  Refusal elsewhere;
  REQUIRE(read_baseline(Fixture::shipped("openblas"), fixture.task, elsewhere));
  CHECK(elsewhere.failure == Failure::kBadCandidate);
}

TEST_CASE("a candidate cannot be linked with a library") {
  const Fixture fixture;
  VerifyOptions options;
  options.worker = fixture.options.worker;
  options.sandbox = fixture.options.sandbox;
  options.sanitizers = false;
  const auto named = verify(fixture.task, Fixture::shipped("openblas"), options);
  REQUIRE(named);
  CHECK(named->failure == Failure::kBadCandidate);

  // Nor without the file, by the header or by a declaration of its own.
  const std::string handed_in = fixture.scratch.file("handed_in");
  std::filesystem::create_directories(handed_in);
  const std::string kernel = read_file(Fixture::shipped("openblas") + "/kernel.cpp").value();
  REQUIRE(write_file_atomic(handed_in + "/kernel.cpp", kernel));
  const auto included = verify(fixture.task, handed_in, options);
  REQUIRE(included);
  CHECK(!included->passed);
  REQUIRE(write_file_atomic(handed_in + "/kernel.cpp", R"(#include "task.h"
extern "C" void cblas_saxpy(int, float, const float*, int, float*, int);
extern "C" void tensorpath_kernel(const task_args* t, const tp_pool*) {
  cblas_saxpy(1, 1, t->a, 1, t->y, 1);
}
)"));
  const auto declared = verify(fixture.task, handed_in, options);
  REQUIRE(declared);
  CHECK(declared->failure == Failure::kForbiddenImport);

  // What a baseline is asked, a candidate is not.
  const std::string naive = read_file(Fixture::shipped("naive") + "/kernel.cpp").value();
  REQUIRE(write_file_atomic(
      handed_in + "/kernel.cpp",
      naive + "\nextern \"C\" const char* tensorpath_absent() { __builtin_trap(); }\n"));
  const auto asked = verify(fixture.task, handed_in, options);
  REQUIRE(asked);
  CHECK(asked->passed);
}

TEST_CASE("a baseline that cannot run here is absent, and why") {
  const Fixture fixture;
  CHECK(fixture.absence(Fixture::shipped("openblas")).empty());
  CHECK(fixture.absence(Fixture::shipped("onednn")).empty());

  // As where the package is not there.
  const std::string no_header = "#include <dnnl.hpp/none>\n";
  CHECK(fixture.absence(fixture.directory("no_header", no_header, "links: [onednn]\n")) ==
        "libdnnl-dev is not installed");
  const std::string wrong = fixture.directory("wrong", "nonsense\n", "links: [onednn]\n");
  CHECK(has(fixture.absence(wrong), "it does not build: kernel.cpp:1:1: error"));
  const std::string unknown = fixture.directory("unknown", no_header, "links: [mkl]\n");
  CHECK(has(fixture.absence(unknown), "no library 'mkl'"));
  const std::string says_so = fixture.directory("says_so", R"(#include "task.h"
extern "C" const char* tensorpath_absent() { return "it is out of order"; }
extern "C" void tensorpath_kernel(const task_args*, const tp_pool*) {}
)",
                                                "links: [onednn]\n");
  CHECK(fixture.absence(says_so) == "it is out of order");
  const Fixture halves("fp16");
  CHECK(halves.absence(Fixture::shipped("openblas")) ==
        "OpenBLAS multiplies no matrices of this type into their own type");
}

}  // namespace
}  // namespace tensorpath
