#include <cerrno>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <tensorpath/base/random.h>

namespace tensorpath {

Expected<std::string> random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t have = 0; have < count;) {
    const ssize_t got = ::getrandom(bytes.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("no random bytes from the kernel: {}", std::strerror(errno)),
                  "a seccomp filter or a very old kernel may refuse getrandom(2)");
    }
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

Expected<Key> random_key() {
  const auto bytes = random_bytes(sizeof(Key));
  if (!bytes) return tl::unexpected(bytes.error());
  Key key{};
  std::memcpy(key.data(), bytes->data(), key.size());
  return key;
}

Key derive_key(const Key& key, std::string_view label) {
  Key out{};
  unsigned int size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(label.data());
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, label.size(), out.data(),
           &size) == nullptr) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");
  }
  return out;
}

std::string to_hex(const Key& key) {
  std::string out;
  for (const unsigned char byte : key) out += fmt::format("{:02x}", byte);
  return out;
}

std::optional<Key> key_from_hex(std::string_view hex) {
  Key key{};
  if (hex.size() != 2 * key.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(hex[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    key[i / 2] = static_cast<unsigned char>(key[i / 2] * std::size_t{16} + digit);
  }
  return key;
}

// Encrypting zeros yields the key stream; 16 KiB at a time keep the calls few.
struct Random::Cipher {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  std::array<std::uint64_t, 2048> buffer{};
  std::size_t used = 2048;
};

Random::Random(const Key& key) : cipher_(std::make_unique<Cipher>()) {
  const std::array<unsigned char, 16> start{};
  // The first half is the cipher's key; the second is spent on the label that derived it.
  if (EVP_EncryptInit_ex(cipher_->context, EVP_aes_128_ctr(), nullptr, key.data(), start.data()) !=
      1) {
    throw std::runtime_error("OpenSSL has no AES-128-CTR");
  }
}

Random::~Random() { EVP_CIPHER_CTX_free(cipher_->context); }

std::uint64_t Random::bits() {
  Cipher& cipher = *cipher_;
  if (cipher.used == cipher.buffer.size()) {
    cipher.buffer.fill(0);
    auto* bytes = reinterpret_cast<unsigned char*>(cipher.buffer.data());
    int written = 0;
    EVP_EncryptUpdate(cipher.context, bytes, &written, bytes, sizeof cipher.buffer);
    cipher.used = 0;
  }
  return cipher.buffer[cipher.used++];
}

double Random::uniform() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }

std::int64_t Random::between(std::int64_t low, std::int64_t high) {
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  if (span == 0) return static_cast<std::int64_t>(bits());
  // The remainder's bias is below 2^-24 for the spans used here (< 2^40).
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + bits() % span);
}

// The ziggurat of Marsaglia and Tsang (2000) in the form of Doornik (2005): 256 layers of equal
// area under exp(-x^2 / 2), the lowest of which holds the tail beyond kTail.
double Random::normal() {
  constexpr double kTail = 3.6541528853610088;
  constexpr double kArea = 0.00492867323399;
  struct Layers {
    std::array<double, 257> edge{};
    Layers() {
      const auto density = [](double x) { return std::exp(-0.5 * x * x); };
      edge[0] = kArea / density(kTail);  // as wide as the lowest layer would be without a tail
      edge[1] = kTail;
      for (std::size_t i = 2; i < 256; ++i) {
        edge[i] = std::sqrt(-2 * std::log(kArea / edge[i - 1] + density(edge[i - 1])));
      }
    }
  };
  static const Layers layers;
  while (true) {
    const std::uint64_t word = bits();
    const auto layer = static_cast<std::size_t>(word & 255U);
    const double u = 2 * (static_cast<double>(word >> 11U) * 0x1p-53) - 1;
    const double x = u * layers.edge[layer];
    if (std::fabs(x) < layers.edge[layer + 1]) return x;
    if (layer == 0) {
      double beyond = 0;
      double height = 0;
      do {
        beyond = -std::log(1 - uniform()) / kTail;
        height = -std::log(1 - uniform());
      } while (2 * height < beyond * beyond);
      return std::copysign(kTail + beyond, u);
    }
    const double upper = std::exp(-0.5 * layers.edge[layer] * layers.edge[layer]);
    const double lower = std::exp(-0.5 * layers.edge[layer + 1] * layers.edge[layer + 1]);
    if (upper + uniform() * (lower - upper) < std::exp(-0.5 * x * x)) return x;
  }
}

}  // namespace tensorpath
