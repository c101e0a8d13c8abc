// The packet of an attempt, for who holds the lock of its run.
#pragma once

#include <string>

#include <tensorpath/forge/packet_run.h>

namespace tensorpath::forge {

// From the files of the attempt as they are. Errors: as packet_run.
[[nodiscard]] Expected<Packet> packet_of(const RunDirectory& run, const LedgerHistory& ledger,
                                         const Operators& operators, int attempt,
                                         const PacketRequest& request);
// ATTEMPT/packet, or the next free packet-2, packet-3, ...
[[nodiscard]] std::string next_packet(const std::string& attempt_directory);

}  // namespace tensorpath::forge
