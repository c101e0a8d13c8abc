// Randomness that nobody can guess, and streams that a seed gives back.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <tensorpath/base/error.h>

namespace tensorpath {

using Key = std::array<unsigned char, 32>;

// From the kernel. Error (environment) where it has no getrandom(2); never fewer or weaker bytes.
[[nodiscard]] Expected<std::string> random_bytes(std::size_t count);
[[nodiscard]] Expected<Key> random_key();
// HMAC-SHA256(key, label): neither the key nor another label's key follows from it.
[[nodiscard]] Key derive_key(const Key& key, std::string_view label);
[[nodiscard]] std::string to_hex(const Key& key);
[[nodiscard]] std::optional<Key> key_from_hex(std::string_view hex);

// A stream of bits from a key: AES-128 in counter mode. Equal keys give equal streams.
class Random {
 public:
  explicit Random(const Key& key);
  ~Random();
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;

  [[nodiscard]] std::uint64_t bits();
  [[nodiscard]] double uniform();                                           // in [0, 1)
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high);  // both inclusive
  [[nodiscard]] double normal();                                            // standard
  [[nodiscard]] bool chance(double probability) { return uniform() < probability; }

 private:
  struct Cipher;
  std::unique_ptr<Cipher> cipher_;
};

}  // namespace tensorpath
