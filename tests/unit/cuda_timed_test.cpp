// Timed sessions on the GPU with a stand-in for the driver.
#include "harness/cuda_timed.h"

#include "cuda_fixture.h"
#include "harness/own_kernels.h"

#include <cmath>
#include <numeric>

#include <tensorpath/base/random.h>

using namespace tensorpath;
using test::Abs;
using test::OnStandIn;
using test::Scratch;

namespace {

constexpr unsigned char kPoison = 0x5A;
constexpr int kSlots = 5;
const std::vector<DimRange> kSmall = {{"rows", 3, 3}, {"hidden", 40, 40}};

// A session with its slots laid out, contents and all.
struct Timed {
  explicit Timed(const OnStandIn& on, int slots = kSlots) : subject(on.subject()) {
    const auto cores = choose_cores(1);
    INFO((cores ? "" : cores.error().to_string()));
    REQUIRE(cores);
    auto started = start_cuda_timed(on.toolkit, subject, on.built, *cores);
    INFO((started ? "" : started.error().to_string()));
    REQUIRE(started);
    session = std::move(*started);
    Case one;
    for (const DimRange& dim : on.task.domain.dims) one.dims[dim.name] = dim.least;
    auto drawn = SlotContents::draw(subject, one, key, 2);
    INFO((drawn ? "" : drawn.error().to_string()));
    REQUIRE(drawn);
    contents.emplace(std::move(*drawn));
    spec = contents->layout(subject).value();
    expect(session->lay_out(*contents, spec, slots));
    expect(session->write(*contents, key, slots, kPoison));
  }

  static void expect(const Expected<Refusal>& done) {
    INFO((done ? done->detail : done.error().to_string()));
    REQUIRE(done);
    REQUIRE(done->failure == Failure::kNone);
  }

  Expected<Span> run(const std::vector<std::uint16_t>& order, double limit_s = 60) {
    session->flush(kSlots);
    return session->run(order, 0, limit_s);
  }
  Refusal refusal_of(const std::vector<std::uint16_t>& order, double limit_s = 60) {
    const auto span = run(order, limit_s);
    INFO((span ? "" : span.error().to_string()));
    REQUIRE(span);
    return span->refusal;
  }
  [[nodiscard]] std::vector<float> output(int slot) {
    const CallResult result = session->result(*contents, key, slot);
    INFO(result.refusal.detail);
    REQUIRE(result.refusal.failure == Failure::kNone);
    std::vector<float> values(result.outputs.at(0).size() / sizeof(float));
    std::memcpy(values.data(), result.outputs[0].data(), values.size() * sizeof(float));
    return values;
  }

  Subject subject;
  Key key = random_key().value();
  std::unique_ptr<TimedSession> session;
  std::optional<SlotContents> contents;
  CallSpec spec;
};

Abs small_abs(const std::string& kernel) {
  Abs abs(kernel);
  abs.task.domain = make_domain(*abs.task.op, DType::kFp32, kSmall, {}).value();
  return abs;
}

Failure failure_beside(const std::string& kernel) {
  const Abs abs = small_abs(kernel);
  Timed timed(abs);
  REQUIRE(timed.refusal_of({0, 1, 2, 3, 4}).failure == Failure::kNone);
  return timed.session->result(*timed.contents, timed.key, 2).refusal.failure;
}

}  // namespace

TEST_CASE("the harness's own kernels assemble for every architecture from sm_75 on") {
  const auto toolkit = find_cuda_toolkit();
  if (!toolkit) {
    WARN("not tested: " << toolkit.error().to_string());
    return;
  }
  const Scratch scratch;
  const std::string source = scratch.file("own.ptx");
  REQUIRE(write_file_atomic(source, cuda::kOwnKernels));
  for (const char* architecture : {"sm_75", "sm_80", "sm_90", "sm_100"}) {
    const std::string command = fmt::format("'{}/ptxas' -arch={} '{}' -o '{}' 2>&1",
                                            toolkit->nvcc.substr(0, toolkit->nvcc.rfind('/')),
                                            architecture, source, scratch.file("own.cubin"));
    INFO(command);
    CHECK(std::system(command.c_str()) == 0);
  }
}

TEST_CASE("every slot that is called has its own outputs, and no other has any") {
  const Abs abs = small_abs("right");
  Timed timed(abs);
  const auto span = timed.run({3, 0, 4});
  REQUIRE(span);
  INFO(span->refusal.detail);
  REQUIRE(span->refusal.failure == Failure::kNone);
  CHECK(span->seconds > 0);
  CHECK(span->stop_seconds >= 0);
  std::vector<std::vector<float>> seen;
  for (const int slot : {0, 3, 4}) {
    std::vector<float> input(timed.spec.buffers[0].bytes / sizeof(float));
    timed.contents->write(timed.key, slot, 0, reinterpret_cast<unsigned char*>(input.data()));
    for (float& value : input) value = std::fabs(value);
    CHECK(timed.output(slot) == input);
    seen.push_back(input);
  }
  CHECK(seen[0] != seen[1]);
  float poison = 0;
  std::memset(&poison, kPoison, sizeof poison);
  for (const int slot : {1, 2}) {
    CHECK(timed.output(slot) == std::vector<float>(seen[0].size(), poison));
  }
  CHECK(timed.session->finish().failure == Failure::kNone);
}

TEST_CASE("contents are new for each key, and slots can be laid out again") {
  const Abs abs = small_abs("right");
  Timed timed(abs);
  REQUIRE(timed.refusal_of({0}).failure == Failure::kNone);
  const std::vector<float> before = timed.output(0);
  timed.key = random_key().value();
  Timed::expect(timed.session->lay_out(*timed.contents, timed.spec, 900));
  Timed::expect(timed.session->write(*timed.contents, timed.key, 900, kPoison));
  std::vector<std::uint16_t> order(900);
  std::iota(order.rbegin(), order.rend(), std::uint16_t{0});
  REQUIRE(timed.refusal_of(order).failure == Failure::kNone);
  CHECK(timed.output(0) != before);
  CHECK(timed.output(899)[0] > 0);
}

TEST_CASE("indices, scales and codes are in the slots as they were drawn") {
  // A tensor that nothing writes to is found unchanged only if it was right on the device.
  const auto check = [](const OnStandIn& on) {
    Timed timed(on);
    REQUIRE(timed.refusal_of({0, 1, 2, 3, 4}).failure == Failure::kNone);
    for (int slot = 0; slot < kSlots; ++slot) {
      CHECK(timed.session->result(*timed.contents, timed.key, slot).refusal.detail == "");
    }
  };
  const std::string nothing = "launches:\n  - {kernel: nothing, grid: [1], block: [1], args: [";
  check(OnStandIn("dequant_int4", nothing + "codes]}\n",
                  {{"group", 24, 24}, {"k", 72, 72}, {"n", 40, 40}}));
  check(OnStandIn("embedding", nothing + "ids]}\n",
                  {{"tokens", 33, 33}, {"vocab", 101, 101}, {"hidden", 65, 65}}));
}

TEST_CASE("a workspace that is to be zero is zero at each call, in a graph too") {
  const Abs abs("count", "grid: [rows], block: [64]",
                "workspace: {sums: {bytes: rows * hidden * 4, zeroed: true}}\n", "sums");
  Abs small = abs;
  small.task.domain = make_domain(*small.task.op, DType::kFp32, kSmall, {}).value();
  Timed timed(small);
  REQUIRE(timed.refusal_of({2, 2, 2}).failure == Failure::kNone);
  CHECK(timed.output(2)[0] == 1);
  CHECK(timed.output(2)[1] == 0);
}

TEST_CASE("what a timed call touches beside its outputs is found") {
  CHECK(failure_beside("right") == Failure::kNone);
  CHECK(failure_beside("scribble") == Failure::kInputChanged);
  CHECK(failure_beside("past_the_end") == Failure::kOutOfBounds);
  CHECK(failure_beside("before_the_beginning") == Failure::kOutOfBounds);
}

TEST_CASE("a fault in a timed call is the candidate's") {
  const Abs abs = small_abs("nowhere");
  Timed timed(abs);
  const Refusal refusal = timed.refusal_of({0, 1});
  CHECK(refusal.failure == Failure::kDeviceFault);
  CHECK(refusal.detail.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos);
}

TEST_CASE("timed calls that do not end are ended") {
  const Abs abs = small_abs("spin");
  Timed timed(abs);
  CHECK(timed.refusal_of({0}, 0.5).failure == Failure::kCallLimit);
}

TEST_CASE("work behind the end of the device's time disturbs the sample") {
  const Abs abs = small_abs("late");
  Timed timed(abs);
  const auto span = timed.run({0, 1, 2, 3, 4});
  REQUIRE(span);
  REQUIRE(span->refusal.failure == Failure::kNone);
  CHECK(span->disturbed);
  CHECK(span->stop_seconds > span->seconds);
}

TEST_CASE("a device's clock that tells more than has passed gives no times") {
  const Abs abs = small_abs("fast_clock");
  Timed timed(abs);
  const auto span = timed.run(std::vector<std::uint16_t>(900, 0));
  REQUIRE(!span);
  CHECK(span.error().exit_code == ExitCode::kEnvironment);
  CHECK(span.error().to_string().find("its times cannot be used") != std::string::npos);
}

TEST_CASE("the gap that is usual grows with the graph, and a share of the sample is quiet") {
  const UsualGap gap(40e-6, 90e-6, 500);
  CHECK(gap.allowed(0, 0) == Approx(180e-6));
  CHECK(gap.allowed(0, 1000) == Approx(380e-6));
  CHECK(gap.allowed(10e-3, 0) == Approx(380e-6));
  // A smaller graph that took longer is noise.
  CHECK(UsualGap(90e-6, 40e-6, 500).allowed(0, 1000) == Approx(280e-6));
}
