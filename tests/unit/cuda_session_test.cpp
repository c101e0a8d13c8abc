// Sessions on the GPU with a stand-in for the driver: what a kernel does gets its name.
#include "harness/cuda_session.h"

#include "cuda_fixture.h"
#include "harness/plan_eval.h"

#include <cmath>

using namespace tensorpath;

namespace {

constexpr int kRows = 3;
constexpr int kColumns = 40;

struct Calls : test::Abs {
  explicit Calls(const std::string& kernel, const std::string& launch = "grid: [rows], block: [64]")
      : Abs(kernel, launch) {
    for (int i = 0; i < kRows * kColumns; ++i) input.push_back(i % 2 == 0 ? -1.5F : 2.5F);
  }

  [[nodiscard]] std::unique_ptr<Session> start() {
    auto session = start_cuda_session(toolkit, subject(), built, Build::kPlain);
    INFO((session ? "" : session.error().to_string()));
    REQUIRE(session);
    return std::move(*session);
  }

  [[nodiscard]] CallSpec spec(bool flush_end) const {
    CallSpec out;
    const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
    const std::size_t size = input.size() * sizeof(float);
    out.buffers = {{CallBuffer::Role::kInput, "x", bytes, size, 0, false},
                   {CallBuffer::Role::kOutput, "y", nullptr, size, 4, false}};
    out.symbols = {{"rows", kRows}, {"hidden", kColumns}, {"sizeof(T)", 4}};
    out.flush_end = flush_end;
    out.poison = 0x5A;
    out.limit_s = 60;
    return out;
  }

  [[nodiscard]] CallResult call(Session& session, const CallSpec& one) {
    auto result = session.call(one);
    INFO((result ? "" : result.error().to_string()));
    REQUIRE(result);
    return *result;
  }

  std::vector<float> input;
};

Failure failure_of(const std::string& kernel, bool flush_end) {
  Calls abs(kernel);
  const auto session = abs.start();
  return abs.call(*session, abs.spec(flush_end)).refusal.failure;
}

}  // namespace

TEST_CASE("the device is described by the worker in its sandbox") {
  const Calls abs("right");
  const auto text = probe_gpu(abs.toolkit, abs.options, false);
  INFO((text ? "" : text.error().to_string()));
  REQUIRE(text);
  CHECK(text->find("gpu: stand-in\narchitecture: sm_90\n") == 0);
}

TEST_CASE("a right kernel's outputs come back, call after call, wherever its buffers lie") {
  Calls abs("right");
  const auto session = abs.start();
  for (std::uint64_t i = 0; i < 6; ++i) {
    CallSpec spec = abs.spec(i % 2 == 0);
    spec.placement = i;
    const CallResult result = abs.call(*session, spec);
    INFO(result.refusal.detail);
    REQUIRE(result.refusal.failure == Failure::kNone);
    REQUIRE(result.outputs.size() == 1);
    REQUIRE(result.outputs[0].size() == abs.input.size() * sizeof(float));
    for (std::size_t k = 0; k < abs.input.size(); ++k) {
      float got = 0;
      std::memcpy(&got, result.outputs[0].data() + k * sizeof(float), sizeof got);
      REQUIRE(got == std::fabs(abs.input[k]));
    }
  }
  CHECK(session->finish().failure == Failure::kNone);
}

TEST_CASE("what is written past a buffer's ends is out of bounds, fault or not") {
  CHECK(failure_of("past_the_end", true) == Failure::kOutOfBounds);
  CHECK(failure_of("past_the_end", false) == Failure::kOutOfBounds);
  CHECK(failure_of("before_the_beginning", true) == Failure::kOutOfBounds);
}

TEST_CASE("an address out of nowhere is a fault of the device, by the driver's name") {
  Calls abs("nowhere");
  const auto session = abs.start();
  const CallResult result = abs.call(*session, abs.spec(true));
  CHECK(result.refusal.failure == Failure::kDeviceFault);
  CHECK(result.refusal.detail.find("CUDA_ERROR_ILLEGAL_ADDRESS") != std::string::npos);
  // The session is over and keeps saying why.
  CHECK(abs.call(*session, abs.spec(true)).refusal.failure == Failure::kDeviceFault);
}

TEST_CASE("an input that a kernel writes is noticed") {
  CHECK(failure_of("scribble", true) == Failure::kInputChanged);
}

TEST_CASE("a kernel that spins is ended at the call's limit") {
  Calls abs("spin");
  const auto session = abs.start();
  CallSpec spec = abs.spec(true);
  spec.limit_s = 0.5;
  CHECK(abs.call(*session, spec).refusal.failure == Failure::kCallLimit);
}

TEST_CASE("a plan that fails at a shape is the plan's failure") {
  Calls abs("right", "grid: [rows - 3], block: [64]");
  const auto session = abs.start();
  CHECK(abs.call(*session, abs.spec(true)).refusal.failure == Failure::kPlanInvalid);
}
