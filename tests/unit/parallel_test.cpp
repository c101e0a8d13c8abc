#include "catch.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <tensorpath/base/parallel.h>

using namespace tensorpath;

TEST_CASE("every index is done once, whatever their number") {
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
    parallel_for(count, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; });
    for (const auto& times : done) CHECK(times == 1);
  }
}

TEST_CASE("what a body throws is thrown to the caller, after the others have ended") {
  std::atomic<int> running{0};
  try {
    parallel_for(100, [&](std::int64_t i) {
      ++running;
      if (i == 3) {
        --running;
        throw std::runtime_error("three");
      }
      --running;
    });
    FAIL("nothing was thrown");
  } catch (const std::runtime_error& error) {
    CHECK(error.what() == std::string("three"));
  }
  CHECK(running == 0);
}
