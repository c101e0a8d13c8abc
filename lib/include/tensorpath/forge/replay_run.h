// `replay` beyond a check: the candidate of a packet is built again, judged on the cases that its
// seed reveals and on fresh ones, and timed again. Only a packet that was found whole is run, and
// what it has in it is run as any candidate is: in the sandbox.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tensorpath/evidence/check.h>
#include <tensorpath/harness/bench.h>
#include <tensorpath/harness/verify.h>

namespace tensorpath::forge {

enum class ReplayLevel : std::uint8_t { kCheck, kVerify, kBench };
[[nodiscard]] std::string_view name_of(ReplayLevel level);

struct ReplayOptions {
  ReplayLevel level = ReplayLevel::kCheck;
  int seeds = 1;                         // fresh ones, beside the revealed
  Recompute recompute;                   // for check_packet
  std::vector<PublicKey> trusted;        // not empty: the packet must be signed by one of them
  const Operators* operators = nullptr;  // those of this installation
  std::vector<std::string> baselines;    // directories with <op>/<name>/
  VerifyOptions verify;
  BenchOptions bench;
  std::function<void(const std::string& step)> on_step;
};

// One verification that was run again.
struct VerifiedAgain {
  bool revealed = true;  // the packet's own seed; else a fresh one
  VerifyReport report;
};

struct Replay {
  PacketCheck check;  // of the packet, and the findings of all levels
  std::vector<VerifiedAgain> verified;
  bool timed = false;
  BenchReport timing;
  std::vector<std::string> notes;  // what was not run, or was run with other means, and why
};

// `directory` as check_packet takes it. Errors: as check_packet's, and the machine's own.
[[nodiscard]] Expected<Replay> replay_packet(const std::string& directory,
                                             const ReplayOptions& options);

}  // namespace tensorpath::forge
