// forge promote: what the ledger must hold, what the measurements must carry, and what is left when
// somebody is killed on the way. Times are made up; how they are taken is tested elsewhere.
#include "catch.h"
#include "forge/promotion.h"
#include "packet_fixture.h"

#include <filesystem>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/registry.h>

namespace tensorpath {
namespace {

using test::has;
using test::Scratch;
using enum forge::LedgerEvent;

const Operators& operators() {
  static const Operators all = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  return all;
}

constexpr const char* kToolchain = "g++ 12.2.0 -O3 -march=x86-64-v3";

// A run with attempts that hold a verdict and were timed.
class TimedRun {
 public:
  explicit TimedRun(const Scratch& scratch, const std::string& name = "runs")
      : run_(make(scratch.file(name))) {
    attempt();
  }
  [[nodiscard]] const forge::RunDirectory& run() const { return run_; }

  // One more attempt with the same candidate.
  void attempt(const Json& verdict = Json::object(), const std::string& level = "namespaces",
               bool timed = true) {
    const std::string digest = test::candidate_digest_of(test::kSource);
    auto ledger = run_.open_ledger();
    REQUIRE(ledger);
    const int number = ledger
                           ->begin_attempt({{"candidate_digest", digest},
                                            {"commitment", sha256_hex("commitment")}},
                                           test::kNoon)
                           .value();
    Json report = test::report_json(digest, "");
    report["toolchain"] = kToolchain;
    report["sandbox"]["level"] = level;
    const std::string directory = run_.make_attempt_directory(number).value();
    REQUIRE(make_directories(path_join(directory, "candidate")));
    REQUIRE(write_file_atomic(path_join(directory, "candidate/kernel.cpp"), test::kSource));
    REQUIRE(write_file_atomic(path_join(directory, "report.json"), to_text(report)));
    Json data = {{"candidate_digest", digest},
                 {"seed", sha256_hex("seed")},
                 {"report_digest", sha256_hex(to_text(report))}};
    data.update(verdict);
    for (const auto event : {kCompiled, kSmokePassed, kVerified}) {
      REQUIRE(ledger->append(event, number, data, test::kNoon));
    }
    if (timed)
      REQUIRE(ledger->append(kBenched, number, {{"candidate_digest", digest}}, test::kNoon));
  }
  [[nodiscard]] std::string last_event() const {
    const auto ledger = run_.read_ledger();
    REQUIRE(ledger);
    return std::string(event_name(ledger->entries().back().event));
  }

 private:
  static forge::RunDirectory make(const std::string& root) {
    forge::CreateRequest request;
    request.op = "rmsnorm";
    request.dtype = "fp32";
    request.shape = "rows=16,hidden=4096";
    const auto task = forge::make_task(request, operators());
    REQUIRE(task);
    auto run = forge::create_run(*task, root, test::kNoon);
    REQUIRE(run);
    return *run;
  }
  forge::RunDirectory run_;
};

struct Times {
  double ratio = 1.5;
  double disturbed = 0;  // share of the blocks
};

BenchReport report_of(const Times& times) {
  BenchReport report;
  report.timing.plan = test::timing_plan();
  report.samples = test::timed_samples();
  for (TimedSample& sample : report.samples) {
    if (sample.arm == 1) sample.seconds = std::round(20000 * times.ratio) / 1e9;
    if (sample.arm == 0) sample.seconds = 20000 / 1e9;
    if (sample.block < 4 * times.disturbed) sample.flags |= TimedSample::kDisturbed;
  }
  report.timing.statistic = compute_statistic(report.timing.plan, report.samples);
  report.stop_reason = "the interval is narrow enough";
  report.checked_calls = 100;
  report.toolchains = {kToolchain, kToolchain, ""};
  report.candidate_digest = test::candidate_digest_of(test::kSource);
  report.environment = {{"processor", "a processor"}};
  return report;
}

forge::PromoteRequest request_of(const Scratch& scratch) {
  forge::PromoteRequest request;
  request.registry = scratch.file("kernels");
  request.here = {"g++ 12.2.0", "", "", "a processor"};
  request.version = "0.1.0";
  request.created = test::kNoon;
  return request;
}

forge::Verify never_again() {
  return [](const std::string&, const VerifyOptions&) -> Expected<VerifyReport> {
    return fail(ExitCode::kEnvironment, "nothing may be verified here");
  };
}

// Every gate again: that it holds, or the failure.
forge::Verify again(Failure failure = Failure::kNone) {
  return [failure](const std::string&, const VerifyOptions&) -> Expected<VerifyReport> {
    VerifyReport report;
    report.passed = failure == Failure::kNone;
    report.sandbox = SandboxLevel::kNamespaces;
    report.failure = failure;
    report.candidate_digest = test::candidate_digest_of(test::kSource);
    report.seed = sha256_hex("a fresh seed");
    report.commitment = sha256_hex("a fresh commitment");
    report.case_count = 44;
    return report;
  };
}

forge::PromotedAttempt promote(const TimedRun& run, const Scratch& scratch,
                               const BenchReport& report, int attempt = 0,
                               const forge::Verify& verify = never_again()) {
  auto request = request_of(scratch);
  request.attempt = attempt;
  const auto bench = [&](const std::string&, const BenchOptions&) -> Expected<BenchReport> {
    return report;
  };
  auto out = forge::promote_with(run.run(), operators(), request, {bench, verify}, {}, nullptr);
  if (!out) FAIL(out.error().to_string());
  return *out;
}

forge::Bench never() {
  return [](const std::string&, const BenchOptions&) -> Expected<BenchReport> {
    return fail(ExitCode::kEnvironment, "nothing may be measured here");
  };
}

TEST_CASE("a promotion publishes an entry whose packet is reproduced") {
  const Scratch scratch;
  const TimedRun run(scratch);
  const auto out = promote(run, scratch, report_of({}));
  CHECK(out.promoted);
  CHECK(out.reason.empty());
  CHECK(out.entry == "cpp_rmsnorm_host_fp32_16x4096_v1");
  CHECK(run.last_event() == "promoted");

  const auto known = registry::load({scratch.file("kernels")});
  CHECK(known.warnings.empty());
  REQUIRE(known.entries.size() == 1);
  const registry::Entry& entry = known.entries.front();
  CHECK(entry.run_id == run.run().id());
  CHECK(entry.performance.ratio == Approx(1.5).epsilon(1e-3));
  CHECK(entry.performance.baseline == "naive");
  CHECK(entry.falls_back_to == "the operator's naive baseline");
  CHECK(entry.toolchain.flags == "-O3 -march=x86-64-v3");
  CHECK(entry.op_digest == operators().find("rmsnorm").value()->digest);
  CHECK(test::contents(path_join(entry.directory, "kernel.cpp")) == test::kSource);

  const auto checked = test::check(path_join(entry.directory, "packet"));
  INFO(test::said(checked));
  CHECK(checked.verdict == PacketVerdict::kReproduced);
  const auto claims = forge::claim_sentences(checked.predicate.at("claims"), "promoted");
  REQUIRE(!claims.empty());
  CHECK(has(claims.back(), "promoted: every gate and a measurement anew carried it; ratio 1.500"));
}

TEST_CASE("what the ledger does not hold is refused before anything is measured") {
  const Scratch scratch;
  TimedRun run(scratch);
  const auto refused = [&](int attempt) {
    auto request = request_of(scratch);
    request.attempt = attempt;
    const auto out =
        forge::promote_with(run.run(), operators(), request, {never(), never_again()}, {}, nullptr);
    REQUIRE(out);
    CHECK(!out->promoted);
    CHECK(!out->measured);
    CHECK(run.last_event() == "refused");
    CHECK(test::check(out->packet).verdict == PacketVerdict::kReproduced);
    return out->reason;
  };
  run.attempt({{"not_run", {"sanitize"}}});
  CHECK(has(refused(2), "gates were left out: [\"sanitize\"]"));
  run.attempt(Json::object(), "landlock");
  CHECK(has(refused(3), "in a sandbox of landlock only"));
  run.attempt({{"report_digest", sha256_hex("another")}});
  auto request = request_of(scratch);
  request.attempt = 4;
  // Its packet cannot be made either: the report is not the ledger's.
  const auto out =
      forge::promote_with(run.run(), operators(), request, {never(), never_again()}, {}, nullptr);
  REQUIRE(!out);
  CHECK(has(out.error().to_string(), "another digest than the ledger"));
  CHECK(run.last_event() == "refused");
  run.attempt(Json::object(), "namespaces", false);
  request.attempt = 5;
  const auto early =
      forge::promote_with(run.run(), operators(), request, {never(), never_again()}, {}, nullptr);
  REQUIRE(!early);
  CHECK(early.error().exit_code == ExitCode::kUsage);
  CHECK(has(early.error().to_string(), "forge bench comes first"));
  CHECK(registry::load({scratch.file("kernels")}).entries.empty());
}

TEST_CASE("repeats are pooled: a lucky one does not outweigh those before it") {
  const Scratch scratch;
  TimedRun run(scratch);
  const auto first = promote(run, scratch, report_of({.ratio = 1.02}));
  CHECK(!first.promoted);
  CHECK(has(first.reason, "the lower end of the ratio is 1.02"));
  CHECK(run.last_event() == "refused");
  const auto second = promote(run, scratch, report_of({.ratio = 1.3}));
  CHECK(!second.promoted);
  CHECK(second.measurements == 2);
  CHECK(second.report.timing.statistic.rounds == 20);
  CHECK(second.report.timing.statistic.ratio.low < 1.10);
  // Nor does handing the same files in again.
  run.attempt();
  const auto third = promote(run, scratch, report_of({.ratio = 1.3}));
  CHECK(third.attempt == 2);
  CHECK(!third.promoted);
  CHECK(has(third.reason, "attempt 1 is the same candidate"));
  CHECK(test::check(second.packet).verdict == PacketVerdict::kReproduced);
}

TEST_CASE("a measurement that was disturbed is none") {
  const Scratch scratch;
  const TimedRun run(scratch);
  const auto first = promote(run, scratch, report_of({.ratio = 1.3, .disturbed = 0.5}));
  CHECK(!first.promoted);
  CHECK(has(first.reason, "50% of the pairs were disturbed"));
  const auto second = promote(run, scratch, report_of({.ratio = 1.3}));
  CHECK(second.promoted);
  CHECK(second.measurements == 1);
  CHECK(test::check(second.packet).verdict == PacketVerdict::kReproduced);
}

// Against a floor of 26 us, measured or physical, for 20 us that it takes.
BenchReport below_the_floor(const Floors& floors) {
  BenchReport report = report_of({});
  Roofline floor;
  floor.floors = floors;
  report.timing = judge_timing(report.timing.plan, report.samples, {floor});
  return report;
}

TEST_CASE("less time than the data sheet allows promotes nothing, and is not audited") {
  const Scratch scratch;
  const TimedRun run(scratch);
  const auto out = promote(run, scratch, below_the_floor({0, 26}));
  CHECK(!out.promoted);
  CHECK(out.report.timing.word() == "INVALID");
  CHECK(has(out.reason, "of the least time that the device's data sheet allows"));
  CHECK(test::check(out.packet).verdict == PacketVerdict::kReproduced);
}

TEST_CASE("less time than was measured for its work is audited: gates that hold again carry it") {
  const Scratch scratch;
  const TimedRun run(scratch);
  const auto out = promote(run, scratch, below_the_floor({26, 20}), 0, again());
  CHECK(out.promoted);
  REQUIRE(test::check(out.packet).verdict == PacketVerdict::kReproduced);
  const Json predicate = test::check(out.packet).predicate;
  const Json& promotion = predicate.at("performance").at("promotion");
  CHECK(promotion.at("audit").at("seed") == sha256_hex("a fresh seed"));
  CHECK(promotion.at("cases").at(0).at("roofline").at("above_sol") == true);
  CHECK(promotion.at("cases").at(0).contains("ratio_at_rest"));
  // The audit is evidence like the rest.
  REQUIRE(write_file_atomic(path_join(out.packet, "audit.json"), "{}"));
  CHECK(test::check(out.packet).verdict == PacketVerdict::kTampered);
}

TEST_CASE("an audit that does not hold rejects the candidate") {
  const Scratch scratch;
  const TimedRun run(scratch);
  const auto out = promote(run, scratch, below_the_floor({26, 0}), 0, again(Failure::kWrongResult));
  CHECK(!out.promoted);
  CHECK(has(out.reason, "wrong_result"));
  CHECK(has(out.reason, "every gate was run again because at "));
  CHECK(run.last_event() == "rejected");
}

TEST_CASE("an audit also needs another clock to agree") {
  const Scratch scratch;
  const TimedRun run(scratch);
  BenchReport report = below_the_floor({26, 0});
  // Work that goes on behind the time that is told.
  for (TimedSample& sample : report.samples) {
    if (sample.arm == 0) sample.stop_seconds = 10e-6;
  }
  report.timing = judge_timing(report.timing.plan, report.samples, report.timing.rooflines);
  const auto out = promote(run, scratch, report);
  CHECK(!out.promoted);
  CHECK(run.last_event() == "refused");
}

TEST_CASE("more than twice as fast as a vendor's library is SUSPECT until an audit") {
  const Scratch scratch;
  const TimedRun run(scratch);
  BenchReport report = report_of({.ratio = 2.5});
  report.timing.plan.arms[1].name = "openblas";
  report.timing = judge_timing(report.timing.plan, report.samples, {});
  CHECK(report.timing.word() == "SUSPECT");
  CHECK(has(report.obstacle(), "2.50 times as fast as openblas"));
  const auto out = promote(run, scratch, report, 0, again());
  CHECK(out.promoted);
  CHECK(out.report.timing.word() == "FAST");
  CHECK(test::check(out.packet).verdict == PacketVerdict::kReproduced);
}

TEST_CASE("another compiler than the one it was verified with is no proof") {
  const Scratch scratch;
  const TimedRun run(scratch);
  BenchReport report = report_of({});
  report.toolchains.front() = "g++ 13.1.0 -O3";
  CHECK(has(promote(run, scratch, report).reason, "verified as built by g++ 12.2.0"));
}

TEST_CASE("a candidate whose timed outputs are wrong is rejected") {
  const Scratch scratch;
  const TimedRun run(scratch);
  BenchReport report = report_of({});
  report.failure = Failure::kWrongResult;
  report.detail = "in a timed call: y[0] is wrong";
  const auto out = promote(run, scratch, report);
  CHECK(!out.promoted);
  CHECK(has(out.reason, "wrong_result"));
  CHECK(out.packet.empty());
  CHECK(run.last_event() == "rejected");
}

TEST_CASE("who was killed before the entry was there is finished without a new measurement") {
  const Scratch scratch;
  const TimedRun run(scratch);
  REQUIRE(promote(run, scratch, report_of({})).promoted);
  std::filesystem::remove_all(scratch.file("kernels"));
  const auto again = forge::promote_with(run.run(), operators(), request_of(scratch),
                                         {never(), never_again()}, {}, nullptr);
  REQUIRE(again);
  CHECK(again->promoted);
  CHECK(!again->measured);
  CHECK(again->entry == "cpp_rmsnorm_host_fp32_16x4096_v1");
  const auto third = forge::promote_with(run.run(), operators(), request_of(scratch),
                                         {never(), never_again()}, {}, nullptr);
  REQUIRE(third);
  CHECK(third->entry == again->entry);
  CHECK(registry::load({scratch.file("kernels")}).entries.size() == 1);
}

TEST_CASE("16 processes that promote at once lose nothing and share no version") {
  constexpr int kProcesses = 16;
  const Scratch scratch;
  std::vector<std::unique_ptr<TimedRun>> runs;
  for (int i = 0; i < kProcesses; ++i) runs.push_back(std::make_unique<TimedRun>(scratch));
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      ::close(gate[1]);
      char byte = 0;
      (void)::read(gate[0], &byte, 1);  // all start when the parent closes its end
      const auto bench = [](const std::string&, const BenchOptions&) -> Expected<BenchReport> {
        return report_of({});
      };
      const auto out =
          forge::promote_with(runs[static_cast<std::size_t>(i)]->run(), operators(),
                              request_of(scratch), {bench, never_again()}, {}, nullptr);
      ::_exit(out && out->promoted && !out->entry.empty() ? 0 : 1);
    }
    children.push_back(pid);
  }
  ::close(gate[0]);
  ::close(gate[1]);
  for (const pid_t pid : children) {
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  const auto known = registry::load({scratch.file("kernels")});
  CHECK(known.warnings.empty());
  std::set<std::string> ids;
  std::set<std::string> of;
  for (const registry::Entry& entry : known.entries) {
    ids.insert(entry.id);
    of.insert(entry.run_id);
    CHECK(test::check(path_join(entry.directory, "packet")).verdict == PacketVerdict::kReproduced);
  }
  CHECK(ids.size() == kProcesses);
  CHECK(of.size() == kProcesses);
  for (int i = 1; i <= kProcesses; ++i) {
    CHECK(ids.contains(fmt::format("cpp_rmsnorm_host_fp32_16x4096_v{}", i)));
  }
}

}  // namespace
}  // namespace tensorpath
