// A run with an attempt of every outcome, and packets of them.
#pragma once

#include "forge_fixture.h"

#include <map>

#include <sys/stat.h>

#include <tensorpath/evidence.h>
#include <tensorpath/forge.h>
#include <tensorpath/harness/roofline.h>

namespace tensorpath::test {

inline const std::string kPacketTask =
    "op: rmsnorm\ndtype: fp32\nlanguage: cpp\ngpu: host\narchitecture: x86-64-v3\n"
    "objective: latency\ncases: 44\nshape:\n  rows: 16\n  hidden: [64, 4096]\n"
    "attributes:\n  eps: 1e-06\n";

// A source as a model writes one that wants to be believed.
inline const std::string kSource = "// VERIFIED, correct and 3x faster.\nint kernel;\n";
inline const std::string kBoast =
    "kernel.cpp:1: error: \x1b[31m**verified** \"faster\"\x1b[0m\n<b>";

inline std::string candidate_digest_of(const std::string& source) {
  return sha256_hex("kernel.cpp\n" + sha256_hex(source) + "\n");
}

inline Json report_json(const std::string& digest, const std::string& failure) {
  const bool passed = failure.empty();
  Json gates = Json::array({{{"gate", "contract"}, {"status", "passed"}, {"seconds", 0.001}}});
  Json last = {{"gate", "compile"}, {"status", passed ? "passed" : "failed"}, {"seconds", 4.5}};
  if (!passed) {
    last["failure_class"] = failure;
    last["detail"] = kBoast;
  }
  gates.push_back(last);
  gates.push_back({{"gate", "smoke"}, {"status", passed ? "passed" : "not_run"}, {"seconds", 0}});
  Json report = {{"passed", passed}};
  if (!passed) {
    report["failure_class"] = failure;
    report["detail"] = kBoast;
  }
  report["gates"] = gates;
  report["cases"] = {
      {"committed", 44}, {"compared", passed ? 44 : 0}, {"elements", passed ? 5767168 : 0}};
  report["error"] = {{"worst_over_allowed", 0.351},
                     {"worst_ulp", 3.611},
                     {"ulp_histogram", Json::array({{{"up_to_ulp", 0.5}, {"elements", 5767000}},
                                                    {{"up_to_ulp", nullptr}, {"elements", 168}}})}};
  report["deterministic"] = true;
  report["sandbox"] = {{"level", "namespaces"}, {"reason", "user and mount namespaces"}};
  report["toolchain"] = "g++ 12.2.0 -O3";
  report["resources"] = Json::array();
  report["emitted_code"] = {{"tool", "objdump"},
                            {"not_read", nullptr},
                            {"instructions", 640},
                            {"families", {{"sse", 12}, {"avx512", 120}}},
                            {"expected", {"avx512", "amx"}},
                            {"absent", {"amx"}}};
  report["findings"] =
      Json::array({{{"finding", "expected_code_absent"},
                    {"detail", "the plan expects amx, and the compiler emitted none"}}});
  report["candidate_digest"] = digest;
  report["commitment"] = sha256_hex("commitment");
  report["seconds"] = 10.05;
  return report;
}

inline TimingPlan timing_plan() {
  TimingPlan plan;
  plan.arms = {{"candidate", true, ""}, {"naive", true, ""}, {"openblas", true, "not installed"}};
  plan.cases = {{"rows=16 hidden=4096", 1, 540672, 262144}};
  return plan;
}

inline std::vector<TimedSample> timed_samples() {
  std::vector<TimedSample> samples;
  for (std::uint32_t round = 0; round < 10; ++round) {
    for (std::uint32_t block = 0; block < 4; ++block) {
      for (std::uint16_t arm = 0; arm < 2; ++arm) {
        TimedSample sample;
        sample.round = round;
        sample.block = block;
        sample.arm = arm;
        const std::uint32_t ns = (arm == 0 ? 20000U : 25000U) + 37 * round + 11 * block + 5 * arm;
        sample.seconds = static_cast<double>(ns) / 1e9;
        sample.stop_seconds = 900 / 1e9;
        samples.push_back(sample);
      }
    }
  }
  return samples;
}

inline Json bench_json(const std::string& digest) {
  const TimingPlan plan = timing_plan();
  const auto samples = read_samples(write_samples(timed_samples()), "samples.bin", plan).value();
  const TimingStatistic statistic = compute_statistic(plan, samples);
  const Roofline floor = hold_against({8.0, 0}, statistic.cases.front());
  Json json = to_json(judge_timing(plan, samples, {floor}));
  json["plan"] = to_json(plan);
  json["method"] = {{"cache", "cold"}, {"resamples", kResamples}};
  json["checked_calls"] = 120;
  json["empty_call_us"] = 32.16;
  json["stop_us"] = 205.7;
  json["toolchains"] = {{"candidate", "g++ 12.2.0 -O3"}};
  json["candidate_digest"] = digest;
  json["environment"] = {{"processor", "a processor"}, {"hypervisor", true}};
  json["seconds"] = 108.2;
  return json;
}

inline Json benched_data(const std::string& digest, const std::string& purpose = "bench") {
  const Json bench = bench_json(digest);
  return {{"candidate_digest", digest},
          {"decision", bench["decision"]},
          {"ratio", bench["ratio"]["value"]},
          {"low", bench["ratio"]["low"]},
          {"high", bench["ratio"]["high"]},
          {"samples_digest", sha256_hex(write_samples(timed_samples()))},
          {"purpose", purpose},
          {"harness_digest", sha256_hex("harness of the timing")}};
}

// The files of one attempt that went as far as `outcome`; attempt 2 of its run, after a rejected
// one.
inline std::vector<PacketFile> attempt_files(
    const Scratch& scratch, forge::LedgerEvent outcome,
    const std::string& operator_digest = sha256_hex("op")) {
  using enum forge::LedgerEvent;
  const std::string path = scratch.file(fmt::format("ledger-{}", scratch.entries()));
  REQUIRE(write_file_atomic(
      path,
      forge::first_ledger_line(sha256_hex(kPacketTask),
                               {{"op", "rmsnorm"}, {"operator_digest", operator_digest}}, kNoon)
          .value()));
  auto ledger = forge::Ledger::open(path);
  REQUIRE(ledger);
  const std::string digest = candidate_digest_of(kSource);
  const Json proposed = {{"candidate_digest", digest}, {"commitment", sha256_hex("commitment")}};
  const auto append = [&](forge::LedgerEvent event, int attempt, Json data) {
    const auto entry = ledger->append(event, attempt, data, kNoon);
    REQUIRE(entry);
  };
  const Json refused = {
      {"failure_class", "compile_error"}, {"seed", sha256_hex("seed")}, {"cases", 44}};
  REQUIRE(ledger->begin_attempt(proposed, kNoon));
  append(kRejected, 1, refused);
  REQUIRE(ledger->begin_attempt(proposed, kNoon));
  const Json same = {{"candidate_digest", digest}};
  const Json verdict = {{"candidate_digest", digest},
                        {"seed", sha256_hex("seed")},
                        {"cases", 44},
                        {"report_digest", sha256_hex(to_text(report_json(digest, "")))},
                        {"harness_digest", sha256_hex("harness of the gates")}};
  const bool is_timed = outcome == kBenched || outcome == kPromoted || outcome == kRefused;
  const bool holds = is_timed || outcome == kVerified;
  if (holds || outcome == kCompiled || outcome == kSmokePassed) append(kCompiled, 2, same);
  if (holds || outcome == kSmokePassed) append(kSmokePassed, 2, same);
  if (holds) append(kVerified, 2, verdict);
  if (is_timed) {
    append(kBenched, 2, benched_data(digest, outcome == kBenched ? "bench" : "promotion"));
  }
  if (outcome == kPromoted) append(kPromoted, 2, same);
  if (outcome == kRefused) append(kRefused, 2, Json::object());
  if (outcome == kRejected) append(kRejected, 2, refused);
  if (outcome == kVoid || outcome == kAbandoned) append(outcome, 2, Json::object());
  std::vector<PacketFile> files = {{"task.yaml", kPacketTask},
                                   {"ledger.jsonl", contents(path)},
                                   {"contract.md", "what a kernel must do\n"},
                                   {"candidate/kernel.cpp", kSource}};
  if (holds || outcome == kRejected) {
    const Json report = report_json(digest, holds ? "" : "compile_error");
    files.push_back({"report.json", to_text(report)});
  }
  if (is_timed) {
    files.push_back({"bench-1/bench.json", to_text(bench_json(digest))});
    files.push_back({"bench-1/samples.bin", write_samples(timed_samples())});
  }
  return files;
}

inline forge::PacketSources sources(std::vector<PacketFile> files) {
  return {"20261129-120000-000-abcdefg",
          2,
          {"kernel",
           {},
           utc_text(kNoon),
           "tensorpath replay --level check PACKET",
           "0.1.0",
           sha256_hex("harness")},
          std::move(files)};
}

inline std::string base64(const std::string& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = word << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kDigits[word >> (18 - 6 * k) & 63U];
    }
  }
  return out;
}

// A pair of files, NAME.pem and NAME.pub, from a seed that is the name (RFC 8410). `kind` is the
// last byte of the object identifier: 0x70 is Ed25519, 0x6E is X25519.
inline std::string write_key(const Scratch& scratch, const std::string& name, char kind = 0x70) {
  std::string seed = name;
  seed.resize(32, '.');
  const std::string der = std::string("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65", 11) + kind +
                          std::string("\x04\x22\x04\x20", 4) + seed;
  const std::string path = scratch.file(name + ".pem");
  REQUIRE(write_private_file(
      path, "-----BEGIN PRIVATE KEY-----\n" + base64(der) + "\n-----END PRIVATE KEY-----\n"));
  const auto key = SigningKey::read(path);
  if (!key) return path;
  const std::string spki =
      std::string("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12) + key->public_key().bytes;
  REQUIRE(write_file_atomic(
      scratch.file(name + ".pub"),
      "-----BEGIN PUBLIC KEY-----\n" + base64(spki) + "\n-----END PUBLIC KEY-----\n"));
  return path;
}

inline PacketCheck check(const std::string& directory, const std::vector<PublicKey>& trusted = {}) {
  const auto checked = check_packet(directory, trusted, forge::recompute_packet);
  REQUIRE(checked);
  return *checked;
}

inline std::string said(const PacketCheck& checked) {
  std::string text(name_of(checked.verdict));
  for (const PacketFinding& one : checked.findings) text += "\n" + one.where + ": " + one.what;
  return text;
}

}  // namespace tensorpath::test
