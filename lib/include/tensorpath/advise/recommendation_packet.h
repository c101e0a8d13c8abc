// A recommendation as a packet: the workload as it was given, the plans, and what both were made
// with, so that anybody who has the same data comes to the same plans, byte for byte.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <tensorpath/advise.h>
#include <tensorpath/base/error.h>
#include <tensorpath/evidence/check.h>
#include <tensorpath/evidence/packet.h>

namespace tensorpath {

// What a recommendation was made from.
struct RecommendationSources {
  std::string workload;  // the file's text
  std::string name;      // of the workload: a file without one is called by its own
  std::string priority;  // overrides the workload's; empty: it does not
  std::string prices;    // the text of --prices; empty: there was none
  AdviseOptions options;
  std::string data_digest;  // of the catalog, calibration and profiles
};

// `plan` is tensorpath.plan/v1; what it says of promoted kernels depends on a registry and is left
// out. Errors: a plan that is none.
[[nodiscard]] Expected<Packet> recommendation_packet(const RecommendationSources& sources,
                                                     Json plan, const PacketIdentity& identity);

// Recommends again. Error: this installation cannot (another catalog, files that are not there).
using RecommendAgain = std::function<Expected<Json>(const RecommendationSources& sources)>;

// For check_packet: every block anew from the files, and where `data_digest` is that of the packet,
// the plans anew from the workload; another one is STALE.
[[nodiscard]] std::vector<PacketFinding> recompute_recommendation(const PacketView& packet,
                                                                  const std::string& data_digest,
                                                                  const RecommendAgain& again);

}  // namespace tensorpath
