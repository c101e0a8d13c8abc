// Entries for the tests of the registry: one that is whole, and files to go with it.
#pragma once

#include "scratch.h"

#include <tensorpath/registry.h>

namespace tensorpath::test {

inline const std::string kPacketText = "{\"packet\": 1}\n";

inline registry::CaseResult case_of(std::int64_t rows, double ratio) {
  registry::CaseResult one;
  one.shape = {{"rows", rows}, {"hidden", 4096}};
  one.weight = 1;
  one.baseline = "tuned";
  one.baseline_us = 10 * ratio;
  one.kernel_us = 10;
  one.ratio = ratio;
  one.lower = ratio - 0.05;
  one.upper = ratio + 0.05;
  return one;
}

inline registry::Entry rmsnorm_entry() {
  registry::Entry entry;
  entry.op = "rmsnorm";
  entry.op_digest = sha256_hex("rmsnorm");
  entry.language = "cpp";
  entry.gpu = "host";
  entry.architecture = "x86-64-v3";
  entry.dtype = "fp32";
  entry.attributes = {{"eps", 1e-6}};
  entry.dims = {{"rows", 1, 64}, {"hidden", 4096, 4096}};
  entry.layouts = {"contiguous", "strided"};
  entry.tuned_shape = {{"rows", 16}, {"hidden", 4096}};
  entry.falls_back_to = "the operator's tuned baseline";
  entry.toolchain = {"g++ (Debian 12.2.0-14) 12.2.0", "-O3 -march=x86-64-v3", "", "A Processor"};
  entry.candidate_digest = sha256_hex("candidate");
  entry.packet = "packet/packet.json";
  entry.packet_sha256 = sha256_hex(kPacketText);
  entry.run_id = "20261129-120000-000-00abcde";
  entry.attempt = 3;
  entry.promoted_at = parse_utc("2026-11-29T15:33:16.123456Z").value();
  entry.performance.baseline = "tuned";
  entry.performance.ratio = 1.23;
  entry.performance.lower = 1.15;
  entry.performance.upper = 1.31;
  entry.performance.sol_score = 0.75;
  entry.performance.cases = {case_of(16, 1.25), case_of(64, 1.2)};
  return entry;
}

inline const std::vector<registry::EntryFile>& entry_files() {
  static const std::vector<registry::EntryFile> files = {{"kernel.cpp", "int k;\n"},
                                                         {"packet/packet.json", kPacketText}};
  return files;
}

inline std::string publish_or_throw(const std::string& root, const registry::Entry& entry) {
  auto id = registry::publish(root, entry, entry_files());
  if (!id) throw std::runtime_error(id.error().to_string());
  return *id;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tensorpath::test
