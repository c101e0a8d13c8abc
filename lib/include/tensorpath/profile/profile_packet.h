// A benchmark profile as a packet: the document as it was read, its origin and what is doubted of
// it, under one digest that can be signed.
#pragma once

#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/evidence/check.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/profile.h>

namespace tensorpath {

// Kind, outcome ("measured", "imported") and blocks are filled in; the rest of `identity` is the
// caller's.
[[nodiscard]] Packet profile_packet(const Profile& profile, PacketIdentity identity);

// For check_packet: the block anew from the document in the packet.
[[nodiscard]] std::vector<PacketFinding> recompute_profile(const PacketView& packet);

}  // namespace tensorpath
