// Checks a packet: every digest, every field, the signature, and whatever the caller can compute
// again from its files. Nothing in a packet is believed, and nothing of it is run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/evidence/signature.h>

namespace tensorpath {

// From the best to the worst.
enum class PacketVerdict : std::uint8_t {
  kReproduced,       // everything was found as the packet says
  kStale,            // whole, but of a format, compiler or driver that is not here any more
  kDrifted,          // measured again, and something else came out
  kNotRunnableHere,  // this machine lacks what it needs
  kTampered,         // it contradicts itself, its signature or the keys that were asked for
};
[[nodiscard]] std::string_view name_of(PacketVerdict verdict);  // "REPRODUCED"

struct PacketFinding {
  PacketVerdict verdict = PacketVerdict::kTampered;  // that it alone leads to
  std::string where;                                 // "packet.json /predicate/task", "samples.bin"
  std::string what;
};

// How much a signature says: unsigned is self-consistent at best, since whoever writes the whole of
// a packet anew can make all of it agree.
enum class PacketTrust : std::uint8_t { kUnsigned, kUnknownSigner, kTrusted, kBroken };
[[nodiscard]] std::string_view name_of(PacketTrust trust);  // "unknown_signer"
[[nodiscard]] std::string trust_sentence(PacketTrust trust, const std::string& keyid);

struct PacketCheck {
  PacketVerdict verdict = PacketVerdict::kTampered;
  PacketTrust trust = PacketTrust::kUnsigned;
  std::string keyid;  // of the signer; empty where there is none
  std::vector<PacketFinding> findings;
  Json predicate;  // null where packet.json could not be read
};

// A packet whose files are those that it names. `read` checks the digest again of what it returns.
struct PacketView {
  const PacketStatement& statement;
  std::function<Expected<std::string>(std::string_view name)> read;
};
// Computes again what follows from the files, and says what differs. Called only where every digest
// is right.
using Recompute = std::function<std::vector<PacketFinding>(const PacketView&)>;

// `trusted` not empty: the packet must be signed by one of them. Error (usage): there is no such
// directory. Everything else is a finding: what cannot be read is TAMPERED.
[[nodiscard]] Expected<PacketCheck> check_packet(const std::string& directory,
                                                 const std::vector<PublicKey>& trusted,
                                                 const Recompute& recompute);

}  // namespace tensorpath
