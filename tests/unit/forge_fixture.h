// Runs and ledgers for tests.
#pragma once

#include "scratch.h"

#include <tensorpath/forge.h>

namespace tensorpath::test {

inline const WallTime kNoon = parse_utc("2026-11-29T12:00:00Z").value();
inline const std::string kTask = "op: rmsnorm\ndtype: fp16\n";
inline const std::vector<forge::RunFile> kFiles{{"task.yaml", kTask},
                                                {"contract/CONTRACT.md", "what a kernel must do\n"},
                                                {"contract/run.sh", "#!/bin/sh\n", true}};

inline std::string candidate(const std::string& name) { return sha256_hex(name); }
inline Json of_candidate(const std::string& name) {
  return {{"candidate_digest", candidate(name)}};
}
inline Json failed_by(const std::string& failure_class) {
  return {{"failure_class", failure_class}};
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A ledger file with its first line.
inline std::string new_ledger(const Scratch& scratch, const std::string& name = "ledger.jsonl") {
  std::string path = scratch.file(name);
  const auto line = forge::first_ledger_line(sha256_hex(kTask), Json::object(), kNoon);
  REQUIRE(line);
  REQUIRE(write_file_atomic(path, *line));
  return path;
}

// Two attempts: one promoted, one rejected; a torn line recovered on the way. 11 lines.
inline void fill(const std::string& path) {
  using enum forge::LedgerEvent;
  auto ledger = forge::Ledger::open(path);
  REQUIRE(ledger);
  REQUIRE(ledger->begin_attempt(of_candidate("a"), kNoon).value() == 1);
  for (const auto event : {kCompiled, kSmokePassed, kVerified}) {
    REQUIRE(ledger->append(event, 1, of_candidate("a"), kNoon));
  }
  std::ofstream(path, std::ios::app) << R"({"seq":6,"time":"20)";
  REQUIRE(ledger->append(kBenched, 1, of_candidate("a"), kNoon));
  REQUIRE(ledger->begin_attempt(of_candidate("b"), kNoon).value() == 2);
  REQUIRE(ledger->append(kCompiled, 2, of_candidate("b"), kNoon));
  REQUIRE(ledger->append(kPromoted, 1, of_candidate("a"), kNoon));
  REQUIRE(ledger->append(kRejected, 2, failed_by("wrong_result"), kNoon));
}

}  // namespace tensorpath::test
