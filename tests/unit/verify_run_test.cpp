// What verify_run does to a run before it looks at a candidate.
#include "catch.h"
#include "forge_fixture.h"

#include <filesystem>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

TEST_CASE("what killed attempts left goes, though who cleaned up was killed too") {
  const test::Scratch scratch;
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  forge::CreateRequest request;
  request.op = "rmsnorm";
  request.dtype = "fp32";
  request.shape = "rows=4,hidden=64";
  const auto task = forge::make_task(request, operators);
  REQUIRE(task);
  const auto run = forge::create_run(*task, scratch.file("runs"), test::kNoon);
  REQUIRE(run);
  {
    auto ledger = run->open_ledger();
    REQUIRE(ledger);
    for (const char* name : {"a", "b"}) {
      REQUIRE(ledger->begin_attempt(test::of_candidate(name), test::kNoon));
      if (*name == 'a') REQUIRE(ledger->void_unfinished(test::kNoon));
    }
  }
  for (const int attempt : {1, 2}) {
    std::filesystem::create_directories(path_join(run->attempt_path(attempt), "build"));
  }
  // There is no candidate, so that nothing is verified.
  CHECK(!forge::verify_run(*run, operators, scratch.file("none"), {}));
  CHECK(!directory_exists(run->attempt_path(1)));
  CHECK(!directory_exists(run->attempt_path(2)));
}

}  // namespace
}  // namespace tensorpath
