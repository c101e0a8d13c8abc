// What every draw of cases must hold, whatever the seed.
#include "catch.h"

#include <cmath>

#include <fmt/format.h>

#include <tensorpath/ops.h>

using namespace tensorpath;

TEST_CASE("each draw asks about NaN and both infinities, also where a case has one row only") {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  REQUIRE(operators);
  const auto spec = operators->find("max_last");
  REQUIRE(spec);
  const auto domain = make_domain(**spec, DType::kFp32, {{"rows", 1, 1}, {"hidden", 1, 64}}, {});
  REQUIRE(domain);
  for (int seed = 0; seed < 100; ++seed) {
    INFO(seed);
    const auto cases = draw_cases(**spec, *domain, derive_key(Key{}, fmt::format("{}", seed)), 40);
    REQUIRE(cases);
    int nan = 0;
    int positive = 0;
    int negative = 0;
    for (const Case& one : *cases) {
      const auto data = materialise(**spec, *domain, one);
      REQUIRE(data);
      for (const double value : data->inputs.front().values) {
        nan += std::isnan(value) ? 1 : 0;
        positive += std::isinf(value) && value > 0 ? 1 : 0;
        negative += std::isinf(value) && value < 0 ? 1 : 0;
      }
    }
    CHECK(nan > 0);
    CHECK(positive > 0);
    CHECK(negative > 0);
  }
}
