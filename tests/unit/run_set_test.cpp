// forge summary: how runs ended and how their ratios lie, failures counted.
#include "catch.h"
#include "packet_fixture.h"

#include <tensorpath/forge/run_directory.h>
#include <tensorpath/forge/run_set.h>

namespace tensorpath {
namespace {

using test::Scratch;
using enum forge::LedgerEvent;

struct Timing {
  double ratio;
  std::string decision = "FAST";
  std::string purpose = "bench";
};

// A run whose only attempt went through `events`, with its timings in order.
void add_run(const std::string& root, const std::vector<forge::LedgerEvent>& events,
             const std::vector<Timing>& timings = {}, const std::string& op = "rmsnorm") {
  const auto run =
      forge::RunDirectory::create(root, {{"task.yaml", "op: x\n"}}, test::kNoon, {{"op", op}});
  REQUIRE(run);
  if (events.empty()) return;
  const std::string digest = sha256_hex("candidate");
  auto ledger = run->open_ledger();
  REQUIRE(ledger);
  REQUIRE(ledger->begin_attempt({{"candidate_digest", digest}}, test::kNoon));
  std::size_t timed = 0;
  for (const forge::LedgerEvent event : events) {
    Json data = {{"candidate_digest", digest}};
    if (event == kRejected) data = {{"failure_class", "wrong_result"}};
    if (event == kBenched) {
      const Timing& timing = timings.at(timed++);
      data.update({{"decision", timing.decision},
                   {"purpose", timing.purpose},
                   {"ratio", timing.ratio},
                   {"low", timing.ratio - 0.05},
                   {"high", timing.ratio + 0.05}});
    }
    REQUIRE(ledger->append(event, 1, data, test::kNoon));
  }
}

TEST_CASE("a distribution counts what failed, and its shares are of lower ends") {
  const Scratch scratch;
  const std::string root = scratch.file("runs");
  add_run(root, {});
  add_run(root, {kRejected});
  add_run(root, {kCompiled, kSmokePassed, kVerified});
  add_run(root, {kCompiled, kSmokePassed, kVerified, kBenched}, {{2.0}});
  add_run(root, {kCompiled, kSmokePassed, kVerified, kBenched, kBenched, kPromoted},
          {{3.0}, {1.5, "FAST", "promotion"}});
  add_run(root, {kCompiled, kSmokePassed, kVerified, kBenched, kBenched},
          {{0.5, "SLOW"}, {0.4, "SLOW"}});
  add_run(root, {kCompiled, kSmokePassed, kVerified, kBenched}, {{50.0, "INVALID"}});
  add_run(root, {kCompiled, kSmokePassed, kVerified, kBenched}, {{9.0}}, "softmax");
  const auto set = forge::read_run_set(root, "rmsnorm");
  REQUIRE(set);
  CHECK(set->results.size() == 7);
  const auto all = set->distribution();
  CHECK(all.runs == 6);
  CHECK(all.timed == 3);
  CHECK(all.shares[0] == Approx(2.0 / 6));
  CHECK(all.shares[1] == Approx(2.0 / 6));
  CHECK(all.shares[2] == 0);  // 2.0 has a lower end of 1.95
  CHECK(all.geomean == Approx(std::cbrt(2.0 * 1.5 * 0.4)));
  CHECK(all.median == Approx(1.5));
  CHECK(all.worst == Approx(0.4));
  CHECK(all.best == Approx(2.0));
  CHECK(set->to_json().at("distribution").at("shares").at(3).at("share") == 0);
  CHECK(forge::read_run_set(root)->results.size() == 8);
}

TEST_CASE("a run whose ledger was changed is named and not counted; no runs are no numbers") {
  const Scratch scratch;
  const std::string root = scratch.file("runs");
  CHECK(forge::read_run_set(root)->to_json().at("distribution").at("geomean").is_null());
  add_run(root, {kRejected});
  const auto ids = forge::list_runs(root);
  REQUIRE(ids);
  REQUIRE(write_file_atomic(path_join(path_join(root, ids->front()), "ledger.jsonl"), "{}\n"));
  const auto set = forge::read_run_set(root);
  REQUIRE(set);
  CHECK(set->results.empty());
  CHECK(set->unreadable == *ids);
  CHECK(set->distribution().runs == 0);
}

}  // namespace
}  // namespace tensorpath
