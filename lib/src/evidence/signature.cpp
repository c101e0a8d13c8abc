#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/evidence/packet.h>
#include <tensorpath/evidence/signature.h>

namespace tensorpath {
namespace {

constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kSignatureSize = 64;
constexpr const char* kMakeKey = "openssl genpkey -algorithm ed25519 -out key.pem makes one";

using Key = std::shared_ptr<EVP_PKEY>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(bytes),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Strict: what base64() writes, and nothing else.
Expected<std::string> from_base64(const std::string& text) {
  std::string out(3 * (text.size() / 4), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes_of(text),
                                   static_cast<int>(text.size()));
  if (size < 0 || text.size() % 4 != 0) return fail(ExitCode::kUsage, "is no base64");
  std::size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') ++padding;
  out.resize(static_cast<std::size_t>(size) - padding);
  if (base64(out) != text) return fail(ExitCode::kUsage, "is no base64");
  return out;
}

// What DSSE signs (its PAE): the type is bound, and no length can be moved into another field.
std::string signed_bytes(std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", kPayloadType.size(), kPayloadType, payload.size(),
                     payload);
}

// Only Ed25519 will do. `key` may be null.
Status check_kind(const Key& key, const std::string& path, const char* kind) {
  ERR_clear_error();
  if (!key) {
    return fail(ExitCode::kUsage, fmt::format("{} holds no {} key in PEM", quote_input(path), kind),
                kMakeKey);
  }
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519) return {};
  return fail(ExitCode::kUsage, fmt::format("the key in {} is not of Ed25519", quote_input(path)),
              kMakeKey);
}

PublicKey public_part(const Key& key) {
  std::array<unsigned char, kKeySize> raw{};
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1) size = 0;
  return {std::string(reinterpret_cast<const char*>(raw.data()), size)};
}

Expected<File> open_key(const std::string& path, bool is_private) {
  FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return system_failure(ExitCode::kUsage, "cannot read the key", path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(ExitCode::kUsage, fmt::format("the key {} is no regular file", quote_input(path)));
  }
  if (is_private && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(ExitCode::kUsage,
                fmt::format("the private key {} is open to others (mode {:04o})", quote_input(path),
                            status.st_mode & 07777U),
                fmt::format("chmod 600 {}; if others may have read it, make a new one", path));
  }
  const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  std::FILE* file = copy < 0 ? nullptr : ::fdopen(copy, "r");
  if (file == nullptr) return system_failure(ExitCode::kEnvironment, "cannot read", path, errno);
  // The buffer of a FILE would keep a copy of the key after it was freed.
  if (is_private) std::setvbuf(file, nullptr, _IONBF, 0);
  return File(file);
}

// An encrypted key asks for a password here, and gets none.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

std::string PublicKey::keyid() const { return sha256_hex(bytes); }

Expected<PublicKey> read_public_key(const std::string& path) {
  const auto file = open_key(path, false);
  if (!file) return tl::unexpected(file.error());
  const Key key(PEM_read_PUBKEY(file->get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (const Status fine = check_kind(key, path, "public"); !fine) {
    return tl::unexpected(fine.error());
  }
  return public_part(key);
}

Expected<SigningKey> SigningKey::read(const std::string& path) {
  const auto file = open_key(path, true);
  if (!file) return tl::unexpected(file.error());
  bool encrypted = false;
  Key key(PEM_read_PrivateKey(file->get(), nullptr, no_password, &encrypted), EVP_PKEY_free);
  if (!key && encrypted) {
    ERR_clear_error();
    return fail(ExitCode::kUsage, fmt::format("the private key {} is encrypted", quote_input(path)),
                "decrypt it into a file that only you can read (openssl pkey -in IN -out OUT)");
  }
  if (const Status fine = check_kind(key, path, "private"); !fine) {
    return tl::unexpected(fine.error());
  }
  return SigningKey(std::move(key));
}

PublicKey SigningKey::public_key() const { return public_part(key_); }

Json SigningKey::signer() const {
  const PublicKey key = public_key();
  return {{"keyid", key.keyid()}, {"public_key", base64(key.bytes)}};
}

Expected<std::string> SigningKey::envelope(std::string_view packet_text) const {
  const std::string message = signed_bytes(packet_text);
  std::string signature(kSignatureSize, '\0');
  std::size_t size = signature.size();
  const Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes_of(message), message.size()) != 1 ||
      size != kSignatureSize) {
    ERR_clear_error();
    return fail(ExitCode::kEnvironment, "OpenSSL cannot sign with this key");
  }
  return canonical_text({{"payload", base64(packet_text)},
                         {"payloadType", kPayloadType},
                         {"signatures", Json::array({{{"keyid", public_key().keyid()},
                                                      {"sig", base64(signature)}}})}});
}

Expected<PublicKey> signer_key(const Json& signer) {
  const auto bytes = from_base64(signer.at("public_key").get<std::string>());
  if (!bytes || bytes->size() != kKeySize) {
    return fail(ExitCode::kUsage, "the signer's public key is none");
  }
  PublicKey key{*bytes};
  if (key.keyid() != signer.at("keyid")) {
    return fail(ExitCode::kUsage, "the signer's keyid is not that of its key");
  }
  return key;
}

Status check_envelope(std::string_view envelope_text, const std::string& file_name,
                      std::string_view packet_text, const PublicKey& key) {
  const auto wrong = [&](std::string what) { return fail_at({file_name, 0, 0}, std::move(what)); };
  const auto tree = parse_json(envelope_text, file_name);
  if (!tree) return tl::unexpected(tree.error());
  try {
    if (tree->size() != 3 || tree->at("signatures").size() != 1 ||
        tree->at("signatures")[0].size() != 2 || canonical_text(*tree) != envelope_text) {
      return wrong("is no canonical envelope with one signature");
    }
    const Json& one = tree->at("signatures")[0];
    if (tree->at("payloadType") != kPayloadType) return wrong("is of another type of payload");
    const auto payload = from_base64(tree->at("payload").get<std::string>());
    if (!payload || *payload != packet_text) return wrong("its payload is not packet.json");
    if (one.at("keyid") != key.keyid()) return wrong("was signed with another key");
    const auto signature = from_base64(one.at("sig").get<std::string>());
    const std::string message = signed_bytes(packet_text);
    const Key public_key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(key.bytes),
                                                     key.bytes.size()),
                         EVP_PKEY_free);
    const Context context(EVP_MD_CTX_new());
    const bool holds =
        signature && signature->size() == kSignatureSize && public_key && context &&
        EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, public_key.get()) == 1 &&
        EVP_DigestVerify(context.get(), bytes_of(*signature), signature->size(), bytes_of(message),
                         message.size()) == 1;
    ERR_clear_error();
    if (!holds) return wrong("its signature is not that of the key over packet.json");
  } catch (const Json::exception& error) {
    return wrong(fmt::format("is no DSSE envelope: {}", error.what()));
  }
  return {};
}

}  // namespace tensorpath
