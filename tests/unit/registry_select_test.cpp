// Selection: which kernel a call gets, and why no other.
#include "registry_fixture.h"

#include <algorithm>

using namespace tensorpath;
using namespace tensorpath::registry;
using namespace tensorpath::test;

namespace {

Entry named(const std::string& suffix, double ratio = 1.23) {
  Entry entry = rmsnorm_entry();
  entry.id = kernel_name(entry) + suffix;
  entry.performance.ratio = ratio;
  entry.performance.lower = ratio - 0.05;
  entry.performance.upper = ratio + 0.05;
  return entry;
}

Query query_of(std::int64_t rows) {
  Query query;
  query.op = "rmsnorm";
  query.shape = {{"rows", rows}, {"hidden", 4096}};
  query.dtype = "fp32";
  query.architecture = "x86-64-v3";
  return query;
}

std::vector<std::string> fresh(const Entry&) { return {}; }

std::string only(const std::vector<std::string>& reasons) {
  return reasons.size() == 1 ? reasons.front() : fmt::format("({} reasons)", reasons.size());
}

}  // namespace

TEST_CASE("an entry applies inside its domain and says what is outside") {
  const Entry entry = named("_v1");
  CHECK(against(entry, query_of(1)).empty());
  CHECK(against(entry, query_of(64)).empty());
  CHECK(only(against(entry, query_of(65))) == "rows = 65 is outside 1..64");
  Query query = query_of(16);
  query.shape["hidden"] = 8;
  CHECK(only(against(entry, query)) == "hidden = 8 is outside 4096");
  query = query_of(16);
  query.shape.erase("rows");
  CHECK(only(against(entry, query)) == "the shape has no rows");
  query = query_of(16);
  query.shape["rwos"] = 1;
  CHECK(only(against(entry, query)) == "it knows no dim rwos");
  query = query_of(16);
  query.dtype = "bf16";
  CHECK(only(against(entry, query)) == "it is for fp32, not bf16");
  query = query_of(16);
  query.gpu = "h200_sxm";
  query.architecture = "sm_90";
  CHECK(only(against(entry, query)) == "it is for host, not h200_sxm");
  query = query_of(16);
  query.architecture = "x86-64-v2";
  CHECK(only(against(entry, query)) == "it needs x86-64-v3, the machine has x86-64-v2");
  query.architecture = "";
  CHECK(against(entry, query).empty());
  query = query_of(16);
  query.layout = "offset";
  CHECK(only(against(entry, query)) == "it takes no offset layout");
  query = query_of(16);
  query.attributes = {{"eps", 1e-5}};
  CHECK(only(against(entry, query)) == "eps = 1e-06 is not 1e-05");
  query.attributes = {{"eps", 1e-6}};
  CHECK(against(entry, query).empty());
  query.attributes = {{"bias", 1}};
  CHECK(only(against(entry, query)) == "it knows no attribute bias");
  query = query_of(65);
  query.op = "softmax";
  query.dtype = "bf16";
  CHECK(against(entry, query).size() == 3);
}

TEST_CASE("code runs on machines that have what it was built for") {
  CHECK(runs_on("x86-64", "x86-64-v2"));
  CHECK(runs_on("x86-64-v3", "x86-64-v4"));
  CHECK(!runs_on("x86-64-v4", "x86-64-v3"));
  CHECK(runs_on("sm_90", "sm_90"));
  CHECK(runs_on("sm_80", "sm_86"));
  CHECK(!runs_on("sm_86", "sm_80"));
  CHECK(!runs_on("sm_80", "sm_90"));
  CHECK(runs_on("sm_100", "sm_103"));
  CHECK(!runs_on("sm_90", "sm_100"));
  CHECK(!runs_on("sm_100a", "sm_103"));
  CHECK(runs_on("sm_90a", "sm_90a"));
  CHECK(!runs_on("x86-64-v3", "sm_90"));
  CHECK(!runs_on("gfx942", "gfx950"));
  CHECK(!runs_on("x86-64-vx", "x86-64-v4"));
}

TEST_CASE("a new compiler, driver, device or operator makes an entry stale") {
  Entry entry = rmsnorm_entry();
  entry.toolchain.driver = "550.54.14";
  Now now{entry.toolchain, entry.op_digest};
  CHECK(stale(entry, now).empty());
  CHECK(stale(entry, Now{}).empty());
  now.toolchain.compiler = "g++ 13.1.0";
  CHECK(only(stale(entry, now)) == "compiler was g++ (Debian 12.2.0-14) 12.2.0, is g++ 13.1.0");
  now = {entry.toolchain, sha256_hex("another")};
  CHECK(only(stale(entry, now)) == "the operator has changed");
  now = {entry.toolchain, entry.op_digest};
  now.toolchain.driver = "570.1";
  now.toolchain.device = "B Processor";
  CHECK(stale(entry, now) == std::vector<std::string>{"driver was 550.54.14, is 570.1",
                                                      "device was A Processor, is B Processor"});
  entry.toolchain.driver = "";
  now.toolchain.device = "";
  CHECK(only(stale(entry, now)) == "driver was not known, is 570.1");
}

TEST_CASE("the winner is the one with the most behind it at the shape that is asked") {
  // _v1 and _v2 were measured at 16 rows, _v3 was not but is said to be quicker elsewhere.
  std::vector<Entry> entries = {named("_v1"), named("_v2"), named("_v3", 1.9)};
  entries[1].performance.cases = {case_of(16, 1.4)};
  entries[2].performance.cases = {case_of(32, 1.9)};
  Selection selection = select(entries, query_of(16), fresh);
  REQUIRE(selection.winner == &entries[1]);
  REQUIRE(selection.losers.size() == 2);
  CHECK(selection.losers[0].entry == &entries[0]);
  CHECK(selection.losers[0].reason == "1.25x against tuned at this shape, less than 1.4x");
  CHECK(selection.losers[1].entry == &entries[2]);
  CHECK(selection.losers[1].reason == "not measured at this shape, " + entries[1].id + " was");

  // At 20 rows nothing was measured: over its own cases.
  selection = select(entries, query_of(20), fresh);
  REQUIRE(selection.winner == &entries[2]);
  CHECK(selection.losers[0].reason == "1.23x against tuned over its own cases, less than 1.9x");

  // The answer does not hang on the order.
  std::reverse(entries.begin(), entries.end());
  CHECK(select(entries, query_of(16), fresh).winner->id == named("_v2").id);
}

TEST_CASE("ties are decided the same way every time") {
  std::vector<Entry> entries = {named("_v9"), named("_v10"), named("_v2")};
  const Selection selection = select(entries, query_of(16), fresh);
  REQUIRE(selection.winner == &entries[1]);
  CHECK(selection.losers[0].entry == &entries[0]);
  CHECK(selection.losers[0].reason == "equal, and an earlier version");
  entries[2].performance.cases[0].lower += 0.01;
  CHECK(select(entries, query_of(16), fresh).winner == &entries[2]);
  CHECK(select(entries, query_of(16), fresh).losers[0].reason ==
        "as high at this shape, but only 1.2x at its lower end, less than 1.21x");
  entries[1] = entries[0];
  entries[1].language = "asm";
  entries[1].id = kernel_name(entries[1]) + "_v9";
  entries.pop_back();
  CHECK(select(entries, query_of(16), fresh).winner == &entries[1]);
  CHECK(select(entries, query_of(16), fresh).losers[0].reason ==
        "equal, and later in the alphabet");
}

TEST_CASE("stale entries lose, and other operators are not spoken of") {
  std::vector<Entry> entries = {named("_v1"), named("_v2"), named("_v3")};
  entries[0].op = "softmax";
  const auto reasons = [](const Entry& entry) {
    return entry.id.ends_with("_v3") ? std::vector<std::string>{"compiler was a, is b", "x"}
                                     : std::vector<std::string>{};
  };
  Selection selection = select(entries, query_of(16), reasons);
  CHECK(selection.winner == &entries[1]);
  REQUIRE(selection.losers.size() == 1);
  CHECK(selection.losers[0].reason == "stale: compiler was a, is b; x");
  selection = select(entries, query_of(65), reasons);
  CHECK(selection.winner == nullptr);
  CHECK(selection.losers.size() == 2);
  CHECK(select({}, query_of(1), reasons).winner == nullptr);
}

TEST_CASE("an explanation tells where it applies, where not, and what was measured") {
  Entry entry = named("_v1");
  const Explanation told = explain(entry);
  REQUIRE(told.applies.size() == 4);
  CHECK(told.applies[0] == "rmsnorm in fp32, eps = 1e-06");
  CHECK(told.applies[1] == "rows = 1..64, hidden = 4096; tuned for 16x4096");
  CHECK(told.applies[2] == "layouts: contiguous, strided");
  CHECK(told.applies[3] == "host, x86-64-v3 or above");
  CHECK(told.falls_back[0] == "everything else is given to: the operator's tuned baseline");
  CHECK(told.measured[0] == "1.23x [1.18, 1.28] against tuned, cold, on host");
  CHECK(told.measured[1] == "16x4096: 10 us, tuned 12.5 us, 1.25x [1.20, 1.30]");
  CHECK(told.measured[3] == "SOL score 0.75");
  CHECK(has(told.measured[4], "was not measured"));
  entry.architecture = "sm_90";
  CHECK(explain(entry).applies[3] == "host, sm_90");
}
