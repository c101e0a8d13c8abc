#include <tensorpath/base/file.h>
#include <tensorpath/profile/profile_packet.h>

namespace tensorpath {
namespace {

constexpr const char* kProfileFile = "profile.json";
constexpr const char* kBlock = "profile";

template <typename Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json block_of(const Profile& profile, const std::string& document) {
  return {{"name", profile.name},
          {"document_digest", sha256_hex(document)},
          {"provenance", to_string(profile.provenance)},
          {"tool", profile.source.tool},
          {"source_digest", or_null(profile.source.sha256)},
          {"date", or_null(profile.source.date)},
          {"flags", profile.flags},
          {"warnings", profile.warnings}};
}

void add_gaps(Packet& packet) {
  for (const char* block : {"task", "candidate", "validation", "emitted_code", "security"}) {
    packet.not_measured(block, "this is a profile of a server, and no kernel");
  }
  packet.not_measured("environment", "what the source says of it is in the profile's point");
  packet.not_measured("performance",
                      "the figures are the profile's own; no raw samples came with it");
  packet.not_measured("agent", "no model had a part in it");
  packet.not_measured("economics", "a profile has no prices");
  packet.not_measured("recommendation", "this is a profile");
}

PacketFinding tampered(std::string where, std::string what) {
  return {PacketVerdict::kTampered, std::move(where), std::move(what)};
}

}  // namespace

Packet profile_packet(const Profile& profile, PacketIdentity identity) {
  identity.kind = "profile";
  identity.outcome = to_string(profile.provenance);
  std::string document = to_text(profile_json(profile));
  Packet packet(identity);
  packet.set(kBlock, block_of(profile, document));
  add_gaps(packet);
  packet.add_caveat(
      "A profile is somebody's measurement; what its source did not state is unknown.");
  if (!profile.flags.empty()) {
    packet.add_caveat("Its figures contradict each other; it never stands for a plan.");
  }
  packet.add_file(kProfileFile, std::move(document));
  return packet;
}

std::vector<PacketFinding> recompute_profile(const PacketView& packet) {
  const Json& said = packet.statement.predicate();
  const auto text = packet.read(kProfileFile);
  if (!text) return {tampered(kProfileFile, text.error().diagnostics.front().message)};
  auto profile = parse_profile(*text, kProfileFile);
  if (!profile) return {tampered(kProfileFile, profile.error().diagnostics.front().message)};
  profile->name = said.at(kBlock).at("name").get<std::string>();
  const Packet again = profile_packet(*profile, {});
  if (again.files().front().contents != *text) {
    return {tampered(kProfileFile, "was written by something else")};
  }
  const Json& found = again.predicate();
  for (const auto& [block, value] : found.items()) {
    if (block == "packet") continue;
    const std::string place = first_difference(value, said.at(block), "/predicate/" + block);
    if (!place.empty()) {
      return {tampered("packet.json " + place, "does not follow from the packet's files")};
    }
  }
  if (found.at("packet").at("outcome") != said.at("packet").at("outcome")) {
    return {tampered("packet.json /predicate/packet/outcome", "is not the profile's provenance")};
  }
  return {};
}

}  // namespace tensorpath
