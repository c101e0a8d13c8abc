// Signatures of packets: a DSSE envelope with Ed25519, packet.dsse.json beside packet.json. Its
// payload is packet.json, byte for byte. The envelope is canonical text too.
// Private keys are read from their PEM file straight into OpenSSL and used there; they are copied
// nowhere and never printed. Make a pair with
//   openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out
//   pub.pem
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>

struct evp_pkey_st;

namespace tensorpath {

struct PublicKey {
  std::string bytes;                        // the 32 of Ed25519
  [[nodiscard]] std::string keyid() const;  // SHA-256 of them, hex
};

// A PEM file ("BEGIN PUBLIC KEY"). Errors (usage): no such file, another kind of key.
[[nodiscard]] Expected<PublicKey> read_public_key(const std::string& path);

class SigningKey {
 public:
  // A PEM file ("BEGIN PRIVATE KEY"). Errors (usage): no such file, others may read it, it is
  // encrypted, it is of another kind.
  [[nodiscard]] static Expected<SigningKey> read(const std::string& path);

  [[nodiscard]] PublicKey public_key() const;
  // {keyid, public_key}, as packet.signer has it.
  [[nodiscard]] Json signer() const;
  // The text of packet.dsse.json.
  [[nodiscard]] Expected<std::string> envelope(std::string_view packet_text) const;

 private:
  explicit SigningKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

// The key in packet.signer; nothing sensible where it is none.
[[nodiscard]] Expected<PublicKey> signer_key(const Json& signer);

// Is `envelope_text` an envelope of exactly `packet_text`, signed by `key`? The error says what is
// wrong.
[[nodiscard]] Status check_envelope(std::string_view envelope_text, const std::string& file_name,
                                    std::string_view packet_text, const PublicKey& key);

}  // namespace tensorpath
