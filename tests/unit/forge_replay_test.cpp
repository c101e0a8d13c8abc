// replay at level verify: a packet that is whole in itself and says what is not so is found out by
// running it, and what was not found whole is not run.
#include "catch.h"
#include "packet_fixture.h"

#include <cstdlib>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/replay_run.h>

namespace tensorpath {
namespace {

using test::Scratch;
using enum forge::LedgerEvent;

const Operators& operators() {
  static const Operators all = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"}).value();
  return all;
}

std::string packet_of(const Scratch& scratch, const std::string& name, forge::LedgerEvent outcome,
                      const std::string& operator_digest) {
  const auto packet =
      forge::assemble_packet(test::sources(test::attempt_files(scratch, outcome, operator_digest)));
  REQUIRE(packet);
  std::string directory = scratch.file(name);
  REQUIRE(write_packet(directory, *packet));
  return directory;
}

forge::Replay replay(const std::string& directory, const Operators& known = operators()) {
  const char* build = std::getenv("TENSORPATH_BUILD_DIR");
  REQUIRE(build != nullptr);
  forge::ReplayOptions options;
  options.level = forge::ReplayLevel::kVerify;
  options.operators = &known;
  options.verify.worker = std::string(build) + "/bin/tensorpath-worker";
  options.verify.sandbox = SandboxMode::kBestEffort;
  auto out = forge::replay_packet(directory, options);
  REQUIRE(out);
  return *out;
}

std::string digest_here() { return operators().find("rmsnorm").value()->digest; }

TEST_CASE("a packet that claims what its candidate does not do has drifted") {
  const Scratch scratch;
  // Its source is no kernel at all, and every digest, the ledger and the claims agree.
  const std::string directory = packet_of(scratch, "claims", kVerified, digest_here());
  CHECK(test::check(directory).verdict == PacketVerdict::kReproduced);
  const auto out = replay(directory);
  INFO(test::said(out.check));
  CHECK(out.check.verdict == PacketVerdict::kDrifted);
  REQUIRE(out.verified.size() == 1);
  CHECK(!out.verified.front().report.passed);
  CHECK(test::has(out.check.findings.back().what, "it was held and is missing_entry"));
}

TEST_CASE("another definition of the operator makes it stale, none makes it not runnable") {
  const Scratch scratch;
  const auto stale = replay(packet_of(scratch, "stale", kVerified, sha256_hex("op")));
  CHECK(stale.check.verdict == PacketVerdict::kStale);
  CHECK(stale.verified.empty());
  const auto unknown = replay(packet_of(scratch, "unknown", kVerified, digest_here()), Operators());
  CHECK(unknown.check.verdict == PacketVerdict::kNotRunnableHere);
  CHECK(unknown.verified.empty());
}

TEST_CASE("nothing is run of a packet that is not whole or has no verdict") {
  const Scratch scratch;
  const std::string directory = packet_of(scratch, "changed", kVerified, digest_here());
  std::ofstream(path_join(directory, "candidate/kernel.cpp"), std::ios::app) << "int more;\n";
  const auto changed = replay(directory);
  CHECK(changed.check.verdict == PacketVerdict::kTampered);
  CHECK(changed.verified.empty());
  CHECK(test::has(changed.notes.front(), "nothing of it was run"));
  const auto none = replay(packet_of(scratch, "void", kVoid, digest_here()));
  CHECK(none.check.verdict == PacketVerdict::kReproduced);
  CHECK(none.verified.empty());
  CHECK(test::has(none.notes.front(), "no verdict to come to again"));
}

}  // namespace
}  // namespace tensorpath
