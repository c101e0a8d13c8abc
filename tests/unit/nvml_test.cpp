// The management library with a stand-in for it.
#include "harness/nvml.h"

#include "cuda_fixture.h"
#include "harness/gpu_facts.h"

using namespace tensorpath;

namespace {

struct Mode {
  explicit Mode(const char* mode) { ::setenv("STAND_IN_NVML", mode, 1); }
  ~Mode() { ::unsetenv("STAND_IN_NVML"); }
  Mode(const Mode&) = delete;
  Mode& operator=(const Mode&) = delete;
};

Nvml stand_in() {
  auto nvml = Nvml::open({test::build_file("tests/stand_in")}, "0000:01:00.0");
  INFO((nvml ? "" : nvml.error().to_string()));
  REQUIRE(nvml);
  return *nvml;
}

}  // namespace

TEST_CASE("a GPU is told by the management library") {
  const Nvml nvml = stand_in();
  CHECK(nvml.identity() == Json{{"uuid", "GPU-00000000-1111-2222-3333-444444444444"},
                                {"name", "stand-in"},
                                {"driver", "580.1"},
                                {"mig", nullptr},
                                {"ecc", true}});
  CHECK(to_json(nvml.state()) == Json{{"sm_mhz", 1980},
                                      {"memory_mhz", 3201},
                                      {"temperature_c", 41},
                                      {"power_w", 123.456},
                                      {"clocks_held_by", Json::array()}});
  CHECK(!nvml.throttled());
  REQUIRE(nvml.processes());
  CHECK(nvml.processes()->count == 0);
}

TEST_CASE("power, heat and brakes throttle; an idle clock does not") {
  const Nvml nvml = stand_in();
  {
    const Mode mode("throttled");
    CHECK(nvml.throttled());
    CHECK(to_json(nvml.state()).at("clocks_held_by") == Json{"power_cap", "thermal"});
  }
  const Mode mode("idle");
  CHECK(!nvml.throttled());
  CHECK(to_json(nvml.state()).at("clocks_held_by") == Json{"idle"});
}

TEST_CASE("others that compute on the device are counted") {
  const Mode mode("busy");
  const auto processes = stand_in().processes();
  REQUIRE(processes);
  CHECK(processes->count == 2);
  CHECK(processes->one == 4321);
}

TEST_CASE("what is not told is null, and throttles nothing") {
  const Mode mode("mute");
  const Nvml nvml = stand_in();
  const Json identity = nvml.identity();
  for (const auto& [key, value] : identity.items()) {
    INFO(key);
    CHECK(value.is_null());
  }
  const Json state = to_json(nvml.state());
  for (const auto& [key, value] : state.items()) {
    INFO(key);
    CHECK(value.is_null());
  }
  CHECK(!nvml.throttled());
  CHECK(!nvml.processes());
}

TEST_CASE("a library that does not know the device is none") {
  const auto nvml = Nvml::open({test::build_file("tests/stand_in")}, "0000:ff:00.0");
  REQUIRE(!nvml);
  CHECK(nvml.error().to_string().find("no device at 0000:ff:00.0") != std::string::npos);
}

TEST_CASE("a worker's facts are read by their keys, whatever is missing") {
  const GpuFacts facts = read_gpu_facts(
      "gpu: NVIDIA H200\narchitecture: sm_90\nbus: 0000:01:00.0\nmemory: 150754820096\n"
      "cache: 62914560\nmultiprocessors: 132\n");
  CHECK(facts.name == "NVIDIA H200");
  CHECK(facts.driver_interface.empty());
  CHECK(facts.bus == "0000:01:00.0");
  CHECK(facts.memory_bytes == 150754820096.0);
  CHECK(facts.cache_bytes == 62914560.0);
  CHECK(facts.multiprocessors == 132);
  CHECK(read_gpu_facts("").multiprocessors == 0);
  CHECK(read_gpu_facts("cache: lots").cache_bytes == 0);
}
