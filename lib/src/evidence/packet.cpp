#include "base/building_directory.h"
#include "json_schema.h"
#include "packet_rules.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/evidence/signature.h>

namespace tensorpath {
namespace {

constexpr std::size_t kDigestSize = 64;

Json sorted(const Json& tree) {
  if (tree.is_array()) {
    Json out = Json::array();
    for (const Json& item : tree) out.push_back(sorted(item));
    return out;
  }
  if (!tree.is_object()) return tree;
  std::vector<std::string> keys;
  for (const auto& item : tree.items()) keys.push_back(item.key());
  std::sort(keys.begin(), keys.end());
  Json out = Json::object();
  for (const std::string& key : keys) out[key] = sorted(tree.at(key));
  return out;
}

Json statement_of(const Packet& packet, const SigningKey* key) {
  std::vector<PacketFile> files = packet.files();
  std::sort(files.begin(), files.end(),
            [](const PacketFile& a, const PacketFile& b) { return a.path < b.path; });
  Json subjects = Json::array();
  for (const PacketFile& file : files) {
    subjects.push_back({{"name", file.path}, {"digest", {{"sha256", sha256_hex(file.contents)}}}});
  }
  Json statement = {{"_type", kStatementType},
                    {"subject", subjects},
                    {"predicateType", kPredicateType},
                    {"predicate", packet.predicate()}};
  Json& self = statement["predicate"]["packet"];
  if (key != nullptr) self["signer"] = key->signer();
  self["content_digest"] = content_digest(statement);
  return statement;
}

}  // namespace

Packet::Packet(const PacketIdentity& identity) {
  predicate_["packet"] = {
      {"version", kPacketVersion},
      {"kind", identity.kind},
      {"outcome", identity.outcome},
      {"created", identity.created},
      {"replay_command", identity.replay_command},
      {"harness", {{"version", identity.harness_version}, {"digest", identity.harness_digest}}},
      {"signer", nullptr},
      {"content_digest", std::string(kDigestSize, '0')}};
  for (const std::string_view block : kBlocks) predicate_[std::string(block)] = nullptr;
  for (const char* list : {"claims", "caveats", "not_measured", "formulas"}) {
    predicate_[list] = Json::array();
  }
}

void Packet::set(std::string_view block, Json value) {
  predicate_[std::string(block)] = std::move(value);
}

void Packet::not_measured(std::string_view what, std::string_view why) {
  predicate_["not_measured"].push_back({{"what", what}, {"why", why}});
}

void Packet::add_claim(Json claim) { predicate_["claims"].push_back(std::move(claim)); }

void Packet::add_caveat(std::string_view text) { predicate_["caveats"].push_back(text); }

void Packet::add_formula(std::string_view name, std::string_view words, std::string_view symbols) {
  predicate_["formulas"].push_back({{"name", name}, {"words", words}, {"symbols", symbols}});
}

void Packet::add_file(std::string path, std::string contents) {
  files_.push_back({std::move(path), std::move(contents)});
}

Status write_packet(const std::string& directory, const Packet& packet, const SigningKey* key) {
  const std::string text = canonical_text(statement_of(packet, key));
  if (const auto read = parse_packet(text, std::string(kPacketFile)); !read) {
    return tl::unexpected(read.error());
  }
  std::filesystem::path target(directory);
  if (!target.has_filename()) target = target.parent_path();
  const std::string parent = target.has_parent_path() ? target.parent_path().string() : ".";
  if (Status made = make_directories(parent); !made) return made;
  remove_abandoned_buildings(parent);
  auto place = BuildingDirectory::make(parent, target.filename().string());
  if (!place) return tl::unexpected(place.error());
  for (const PacketFile& file : packet.files()) {
    if (Status written = place->write(file.path, file.contents, false); !written) return written;
  }
  if (key != nullptr) {
    const auto envelope = key->envelope(text);
    if (!envelope) return tl::unexpected(envelope.error());
    Status written = place->write(std::string(kEnvelopeFile), *envelope, false);
    if (!written) return written;
  }
  if (Status written = place->write(std::string(kPacketFile), text, false); !written) {
    return written;
  }
  const auto moved = place->move_to(target.string());
  if (!moved) return tl::unexpected(moved.error());
  if (!*moved) {
    return fail(ExitCode::kUsage, fmt::format("{} is there already", quote_input(directory)),
                "a packet replaces nothing: name another directory");
  }
  return {};
}

std::string canonical_text(const Json& tree) { return to_text(sorted(tree)); }

std::string first_difference(const Json& a, const Json& b, const std::string& where) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      std::string place = where + pointer_step(key);
      if (!b.contains(key)) return place;
      std::string inner = first_difference(value, b.at(key), place);
      if (!inner.empty()) return inner;
    }
    return a.size() == b.size() ? std::string() : where;
  }
  if (a.is_array() && b.is_array()) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      std::string inner = first_difference(a[i], b[i], fmt::format("{}/{}", where, i));
      if (!inner.empty()) return inner;
    }
    return a.size() == b.size() ? std::string() : where;
  }
  return a == b ? std::string() : where;
}

std::string content_digest(const Json& statement) {
  Json copy = statement;
  copy["predicate"]["packet"]["content_digest"] = std::string(kDigestSize, '0');
  return sha256_hex(canonical_text(copy));
}

Expected<PacketStatement> parse_packet(std::string_view text, const std::string& file_name) {
  auto tree = parse_json(text, file_name);
  if (!tree) return tl::unexpected(tree.error());
  const std::vector<SchemaMistake> mistakes = packet_mistakes(*tree, text);
  if (!mistakes.empty()) {
    Error error;
    for (const SchemaMistake& one : mistakes) {
      error.diagnostics.push_back(
          {{file_name, 0, 0}, fmt::format("{}: {}", one.where, one.what), {}});
    }
    return tl::unexpected(std::move(error));
  }
  PacketStatement statement;
  for (const Json& one : tree->at("subject")) {
    statement.subjects.push_back(
        {one.at("name").get<std::string>(), one.at("digest").at("sha256").get<std::string>()});
  }
  statement.tree = std::move(*tree);
  return statement;
}

}  // namespace tensorpath
