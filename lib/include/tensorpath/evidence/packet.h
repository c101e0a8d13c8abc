// A packet: a directory with packet.json and the files that it is about. packet.json is an in-toto
// Statement v1: subjects with their digests (every other file of the directory) and a predicate of
// blocks, each always present. tensorpath-packet(5) says what they hold; the JSON Schema in
// data/schemas is what they are checked by.
//
// packet.json is its own canonical text, byte for byte: keys in byte order, two spaces of
// indentation, the shortest numbers that read back equal, one final newline. A packet may be signed
// by packet.dsse.json beside it (evidence/signature.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>

namespace tensorpath {

class SigningKey;

inline constexpr std::string_view kPacketFile = "packet.json";
inline constexpr std::string_view kEnvelopeFile = "packet.dsse.json";
inline constexpr int kPacketVersion = 1;
inline constexpr std::size_t kMaxPacketJson = 64U << 20;
inline constexpr std::size_t kMaxPacketFiles = 10'000;

struct PacketFile {
  std::string path;  // relative, inside, with '/'
  std::string contents;
};

// What a packet says of itself; the rest of the block `packet` is filled in when it is written.
struct PacketIdentity {
  std::string kind = "kernel";  // or recommendation, profile
  std::string outcome;          // the ledger's word
  std::string created;          // utc_text
  std::string replay_command;
  std::string harness_version;
  std::string harness_digest;  // of the program and library that made it
};

// Filled block by block. What is not set is null, and needs a reason.
class Packet {
 public:
  explicit Packet(const PacketIdentity& identity);

  // task, candidate, environment, validation, performance, emitted_code, security, agent or
  // economics.
  void set(std::string_view block, Json value);
  // Names a block that stays null, or anything else that was not measured.
  void not_measured(std::string_view what, std::string_view why);
  void add_claim(Json claim);
  void add_caveat(std::string_view text);
  // `words` for people, `symbols` for who computes it again.
  void add_formula(std::string_view name, std::string_view words, std::string_view symbols);
  void add_file(std::string path, std::string contents);

  [[nodiscard]] const Json& predicate() const { return predicate_; }
  [[nodiscard]] const std::vector<PacketFile>& files() const { return files_; }

 private:
  Json predicate_;
  std::vector<PacketFile> files_;
};

// Writes the directory, whole or not at all; signed where there is a key. Errors (usage): something
// is there already, or the packet breaks its own rules (which is a mistake of who filled it);
// (environment): it cannot be written.
[[nodiscard]] Status write_packet(const std::string& directory, const Packet& packet,
                                  const SigningKey* key = nullptr);

struct PacketSubject {
  std::string name;
  std::string digest;
};

// packet.json that was read and found to keep every rule that can be seen in it alone.
struct PacketStatement {
  Json tree;
  std::vector<PacketSubject> subjects;
  [[nodiscard]] const Json& predicate() const { return tree.at("predicate"); }
};

// Strict: every field there, of its type, and no other; canonical text; its own digest right; what
// is null named in not_measured. Each mistake is a diagnostic.
[[nodiscard]] Expected<PacketStatement> parse_packet(std::string_view text,
                                                     const std::string& file_name);

// The canonical text of a tree.
[[nodiscard]] std::string canonical_text(const Json& tree);
// Where two trees differ first, as a JSON pointer under `where`, whatever the order of their keys;
// empty when they do not.
[[nodiscard]] std::string first_difference(const Json& a, const Json& b, const std::string& where);
// SHA-256 of the canonical text with predicate.packet.content_digest as 64 zeros.
[[nodiscard]] std::string content_digest(const Json& statement);

}  // namespace tensorpath
