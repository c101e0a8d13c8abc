// `forge packet`: the packet of an attempt, or of a run without one, whatever its outcome, and what
// `replay` computes again from the files of one. Both build the blocks by the same code: a packet's
// predicate is a function of its files and of few recorded facts (run, attempt, time, harness).
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/evidence/check.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath::forge {

// What a packet is built from.
struct PacketSources {
  std::string run_id;
  int attempt = 0;
  PacketIdentity identity;  // its outcome is the ledger's
  // task.yaml, ledger.jsonl and what there is of operator.yaml, contract.md, candidate/*,
  // report.json, bench-<n>/bench.json and bench-<n>/samples.bin.
  std::vector<PacketFile> files;
};

// Errors (usage): a file is missing or malformed, or two of them contradict each other.
[[nodiscard]] Expected<Packet> assemble_packet(const PacketSources& sources);

struct PacketRequest {
  int attempt = 0;      // 0: the latest; of the run itself where there is none
  std::string out;      // empty: attempts/<n>/packet, or the next free packet-2, packet-3, ...
  std::string version;  // of this program
  WallTime created;
};

struct AttemptPacket {
  int attempt = 0;
  std::string state;  // state_sentence() of the ledger
  std::string directory;
  Json predicate;
};

// Errors (usage): there is no such attempt, or what it left contradicts its ledger; (limit):
// somebody is at work on the run.
[[nodiscard]] Expected<AttemptPacket> packet_run(const RunDirectory& run,
                                                 const Operators& operators,
                                                 const PacketRequest& request,
                                                 const SigningKey* key = nullptr);

// For check_packet: the ledger's chain, digests that the ledger holds, statistics from the samples,
// claims, and every block anew.
[[nodiscard]] std::vector<PacketFinding> recompute_packet(const PacketView& packet);

}  // namespace tensorpath::forge
