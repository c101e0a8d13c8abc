// What packets that this program writes have in common, and what replay computes again of each
// kind.
#pragma once

#include "advice.h"

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/advise/recommendation_packet.h>
#include <tensorpath/evidence.h>

namespace tensorpath::cli {

// Of a packet that this program writes now; kind and outcome are the packet's.
[[nodiscard]] Expected<PacketIdentity> packet_identity();

// That of --sign; none where the path is empty.
[[nodiscard]] Expected<std::optional<SigningKey>> signing_key(const std::string& path);

// SHA-256 over the names and contents of every data file that a recommendation may depend on.
[[nodiscard]] Expected<std::string> data_digest(const Session& session);

// The plans of a packet's workload by this installation's data.
[[nodiscard]] Expected<Json> recommend_again(const Session& session,
                                             const RecommendationSources& sources);

// For check_packet, of every kind.
[[nodiscard]] std::vector<PacketFinding> recompute_any(const Session& session,
                                                       const PacketView& packet);

}  // namespace tensorpath::cli
