#include "catch.h"
#include "harness/plan_eval.h"

#include <bit>

#include <tensorpath/harness/candidate.h>

using namespace tensorpath;

namespace {

const Operators& operators() {
  static const Operators loaded = [] {
    auto result = Operators::load({std::string(TENSORPATH_SOURCE_DIR) + "/kernels/ops"});
    REQUIRE(result);
    return std::move(*result);
  }();
  return loaded;
}

KernelTask task_of(const std::string& op, DeviceKind device = DeviceKind::kCuda) {
  KernelTask task;
  task.op = operators().find(op).value();
  task.device = device;
  task.domain = make_domain(*task.op, DType::kFp16, {}, {}).value();
  return task;
}

const char* const kPlan = R"yaml(
workspace: {partial: {bytes: rows * 4}, total: {bytes: 4 * hidden, zeroed: true}}
tensor_maps:
  tx: {tensor: x, dims: [hidden, rows], strides_bytes: [x_stride * sizeof(T)], box: [64, 8], swizzle: 128}
prepare:
  - {kernel: repack, grid: [1], block: [32], args: [weight, partial]}
launches:
  - {kernel: fast, when: hidden % 8 == 0, grid: [rows], block: [256], cluster: [2], shared_bytes: hidden * 4,
     args: [x, weight, y, "i32 rows", "i64 x_stride", "f32 eps", partial, tx]}
  - {kernel: slow, when: hidden % 8 != 0, grid: ["ceil_div(hidden, 32)", rows], block: 128, args: [x, y, "f64 eps"]
}
)yaml";

const Symbols kSymbols{
    {"rows", 6}, {"hidden", 64}, {"x_stride", 72}, {"y_stride", 64}, {"sizeof(T)", 2}};
const std::vector<std::pair<std::string, double>> kAttributes{{"eps", 1e-6}};

Expected<LaunchList> launches_of(const std::string& yaml, const Symbols& symbols) {
  const KernelTask task = task_of("rmsnorm");
  const auto plan = read_plan(yaml, "plan.yaml", task);
  INFO((plan ? "" : plan.error().to_string()));
  REQUIRE(plan);
  return evaluate_plan(
      *plan,
      {*task.op, DType::kFp16, symbols, kAttributes, {"x", "weight", "y", "partial", "total"}});
}

std::string mistake_of(const std::string& yaml, DeviceKind device = DeviceKind::kCuda) {
  const auto plan = read_plan(yaml, "plan.yaml", task_of("rmsnorm", device));
  REQUIRE_FALSE(plan);
  return plan.error().to_string();
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string with_launch(const std::string& rest) {
  return "launches:\n  - {kernel: k, grid: [1], block: [32], " + rest + "}\n";
}

std::string failure_of(const std::string& yaml, const Symbols& symbols = kSymbols) {
  const auto list = launches_of(yaml, symbols);
  REQUIRE_FALSE(list);
  return list.error().to_string();
}

}  // namespace

TEST_CASE("a plan becomes the launches of a shape") {
  const auto list = launches_of(kPlan, kSymbols);
  REQUIRE(list);
  REQUIRE(list->launches.size() == 2);
  CHECK(list->prepare == 1);
  CHECK(std::string(list->launches[0].kernel) == "repack");
  const worker::Launch& fast = list->launches[1];
  CHECK(std::string(fast.kernel) == "fast");
  CHECK(fast.grid[0] == 6);
  CHECK(fast.grid[1] == 1);
  CHECK(fast.block[0] == 256);
  CHECK(fast.cluster[0] == 2);
  CHECK(fast.shared_bytes == 256);
  REQUIRE(fast.words == 8);
  REQUIRE(list->words.size() == 10);
  using Kind = worker::Word::Kind;
  const worker::Word* const words = list->words.data() + 2;
  CHECK((words[0].kind == Kind::kBuffer && words[0].value == 0));
  CHECK((words[2].kind == Kind::kBuffer && words[2].value == 2));
  CHECK((words[3].kind == Kind::kInt32 && words[3].value == 6));
  CHECK((words[4].kind == Kind::kInt64 && words[4].value == 72));
  CHECK(words[5].kind == Kind::kFloat);
  CHECK(std::bit_cast<float>(static_cast<std::uint32_t>(words[5].value)) == 1e-6F);
  CHECK((words[6].kind == Kind::kBuffer && words[6].value == 3));
  CHECK((words[7].kind == Kind::kTensorMap && words[7].value == 0));
  REQUIRE(list->maps.size() == 1);
  const worker::TensorMap& map = list->maps[0];
  CHECK(map.rank == 2);
  CHECK(map.type == 6);  // CU_TENSOR_MAP_DATA_TYPE_FLOAT16
  CHECK(map.dims[0] == 64);
  CHECK(map.strides[0] == 144);
  CHECK(map.box[1] == 8);
  CHECK(map.swizzle == 3);
}

TEST_CASE("conditions choose launches, and maps come with those that need them") {
  Symbols odd = kSymbols;
  odd["hidden"] = 65;
  odd["x_stride"] = 65;  // 130 bytes: no map could be made
  const auto list = launches_of(kPlan, odd);
  REQUIRE(list);
  REQUIRE(list->launches.size() == 2);
  CHECK(std::string(list->launches[1].kernel) == "slow");
  CHECK(list->launches[1].grid[0] == 3);
  CHECK(list->launches[1].grid[1] == 6);
  CHECK(list->maps.empty());
  CHECK(std::bit_cast<double>(list->words.back().value) == 1e-6);
}

TEST_CASE("workspaces have the sizes their formulas give, within the limit") {
  const auto plan = read_plan(kPlan, "plan.yaml", task_of("rmsnorm"));
  REQUIRE(plan);
  const auto sizes = workspace_sizes(*plan, kSymbols, 1U << 20);
  REQUIRE(sizes);
  REQUIRE(sizes->size() == 2);
  CHECK((*sizes)[0].name == "partial");
  CHECK((*sizes)[0].bytes == 24);
  CHECK_FALSE((*sizes)[0].zeroed);
  CHECK((*sizes)[1].zeroed);
  CHECK_FALSE(workspace_sizes(*plan, kSymbols, 25));
}

TEST_CASE("a host kernel's workspace is a formula, and it has no launches") {
  const auto plan =
      read_plan("workspace: rows * 4 * 16\n", "plan.yaml", task_of("rmsnorm", DeviceKind::kHost));
  REQUIRE(plan);
  const auto sizes = workspace_sizes(*plan, kSymbols, 1U << 20);
  REQUIRE(sizes);
  REQUIRE(sizes->size() == 1);
  CHECK((*sizes)[0].name == "workspace");
  CHECK((*sizes)[0].bytes == 384);
  CHECK(has(mistake_of(with_launch("args: []"), DeviceKind::kHost), "a host kernel has none"));
}

TEST_CASE("a plan says what it expects the compiler to emit") {
  const KernelTask host = task_of("rmsnorm", DeviceKind::kHost);
  const auto plan = read_plan("expects: [avx512, fma]", "plan.yaml", host);
  REQUIRE(plan);
  CHECK(plan->expects == std::vector<std::string>{"avx512", "fma"});
  CHECK(mistake_of("expects: [avx51]", DeviceKind::kHost)
            .find("1:11: expects: there is no family "
                  "'avx51'") != std::string::npos);
  CHECK(mistake_of("expects: [avx51]", DeviceKind::kHost).find("did you mean 'avx512'") !=
        std::string::npos);
  CHECK(mistake_of("expects: [fma, fma]", DeviceKind::kHost).find("twice") != std::string::npos);
  CHECK(mistake_of("expects: fma", DeviceKind::kHost).find("expected a list") != std::string::npos);
  // The host has no tensor cores, a GPU no AVX.
  CHECK(mistake_of("expects: [wgmma]", DeviceKind::kHost).find("there is no family") !=
        std::string::npos);
  CHECK(mistake_of("expects: [avx2]\n" + std::string(kPlan)).find("there is no family") !=
        std::string::npos);
}

TEST_CASE("every mistake is named with its place") {
  const std::string text = mistake_of(
      "workspace: {x: {bytes: 4}, p: {byte: 4}}\n"
      "launches:\n"
      "  - {kernel: k, grid: [row], block: [32], args: [z, rows, \"i32 hiden\", \"f32 ep\"]}\n"
      "graph: true\n");
  CHECK(has(text, "plan.yaml:1:"));
  CHECK(has(text, "the name 'x' is taken"));
  CHECK(has(text, "workspace.p.bytes"));
  CHECK(has(text, "'row' is not known here"));
  CHECK(has(text, "there is no 'z'"));
  CHECK(has(text, "'rows' needs a type"));
  CHECK(has(text, "'hiden' is not known here"));
  CHECK(has(text, "there is no attribute 'ep'"));
  CHECK(has(text, "graph"));
}

TEST_CASE("what a plan must have is asked for") {
  CHECK(has(mistake_of("workspace: rows\n"), "launches"));
  CHECK(has(mistake_of("launches: []\n"), "expected a list of launches"));
  CHECK(has(mistake_of("launches:\n  - {kernel: k, args: []}\n"), "grid"));
  CHECK(has(mistake_of(with_launch("args: x")), "expected a list"));
  CHECK(has(mistake_of("tensor_maps: {t: {tensor: q, dims: [1], box: [1], swizzle: 16}}\n" +
                       with_launch("args: [t]")),
            "there is no tensor 'q'"));
  CHECK(has(mistake_of("launches:\n  - {kernel: k, grid: [1, 1, 1, 1], block: [1], args: []}\n"),
            "expected 1 to 3 formulas, found 4"));
}

TEST_CASE("a formula that a list cuts at its comma gets the hint to quote it") {
  CHECK(has(
      mistake_of("launches:\n  - {kernel: k, grid: [ceil_div(rows, 2)], block: [1], args: []}\n"),
      "in quotes"));
}

TEST_CASE("preparing touches static inputs and workspaces only") {
  const std::string launch = with_launch("args: []");
  CHECK(has(mistake_of("prepare:\n  - {kernel: p, grid: [1], block: [1], args: [x]}\n" + launch),
            "'x' is no static input"));
  CHECK(has(mistake_of("prepare:\n  - {kernel: p, grid: [1], block: [1], args: [y]}\n" + launch),
            "'y' is no static input"));
  CHECK(has(mistake_of("workspace: {w: {bytes: 64, zeroed: true}}\n"
                       "prepare:\n  - {kernel: p, grid: [1], block: [1], args: [w]}\n" +
                       launch),
            "'w' is zeroed at each call"));
}

TEST_CASE("a shape that a plan does not fit is an error that says why") {
  CHECK(has(failure_of(with_launch("when: rows > 100, args: []")), "no launch"));
  CHECK(has(failure_of("launches:\n  - {kernel: k, grid: [rows - 6], block: [32], args: []}\n"),
            "grid"));
  CHECK(has(failure_of("launches:\n  - {kernel: k, grid: [1], block: [64, 32], args: []}\n"),
            "2048 threads"));
  CHECK(has(
      failure_of("launches:\n  - {kernel: k, grid: [5], block: [32], cluster: [2], args: []}\n"),
      "no multiple of a cluster"));
  CHECK(has(failure_of(with_launch("args: [\"i32 rows * 1000000000\"]")), "args"));
  CHECK(has(failure_of(with_launch("args: [\"i64 hidden / (rows - 6)\"]")), "divides by zero"));
  CHECK(has(failure_of("tensor_maps: {t: {tensor: x, dims: [hidden, rows], strides_bytes: "
                       "[hidden * sizeof(T) + 2], box: [8, 8]}}\n" +
                       with_launch("args: [t]")),
            "no multiple of 16"));
}
