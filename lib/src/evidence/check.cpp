#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/check.h>
#include <tensorpath/evidence/file_hash.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kVerdicts{"REPRODUCED", "STALE", "DRIFTED",
                                                    "NOT_RUNNABLE_HERE", "TAMPERED"};
constexpr std::array<std::string_view, 4> kTrust{"unsigned", "unknown_signer", "trusted", "broken"};

class Checker {
 public:
  Checker(std::string directory, const std::vector<PublicKey>& trusted)
      : directory_(std::move(directory)), trusted_(trusted) {}

  PacketCheck run(const Recompute& recompute) {
    list_files();
    const auto text = read_file(path(kPacketFile), kMaxPacketJson);
    if (!text) {
      add(std::string(kPacketFile), text.error().diagnostics.front().message);
    } else if (!is_later_format(*text)) {
      if (const auto statement = parse_packet(*text, std::string(kPacketFile)); statement) {
        check_statement(*statement, *text, recompute);
      } else {
        for (const Diagnostic& one : statement.error().diagnostics) {
          add(std::string(kPacketFile), one.message);
        }
      }
    }
    out_.verdict = PacketVerdict::kReproduced;
    for (const PacketFinding& one : out_.findings) {
      out_.verdict = std::max(out_.verdict, one.verdict);
    }
    return std::move(out_);
  }

 private:
  void add(std::string where, std::string what) {
    out_.findings.push_back({PacketVerdict::kTampered, std::move(where), std::move(what)});
  }
  [[nodiscard]] std::string path(std::string_view name) const {
    return path_join(directory_, name);
  }

  // What is there, links and special files told apart from files.
  void list_files() {
    std::error_code error;
    fs::recursive_directory_iterator entry(directory_, error);
    for (const fs::recursive_directory_iterator end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().lexically_relative(directory_).generic_string();
      std::error_code ignored;
      const fs::file_status status = entry->symlink_status(ignored);
      if (fs::is_directory(status)) {
        directories_.insert(name);
        continue;
      }
      if (!fs::is_regular_file(status)) add(name, "is no regular file");
      if (present_.size() >= kMaxPacketFiles) {
        add(name, fmt::format("there are more than {} files", kMaxPacketFiles));
        return;
      }
      present_.insert(name);
    }
    if (error) add("", fmt::format("cannot be listed: {}", error.message()));
  }

  // A later format that is whole by its own word is no forgery; nothing else can be told of it.
  bool is_later_format(const std::string& text) {
    const auto tree = parse_json(text, std::string(kPacketFile));
    const Json::json_pointer version("/predicate/packet/version");
    const Json::json_pointer digest("/predicate/packet/content_digest");
    if (!tree || !tree->is_object() || !tree->contains(version) || !tree->contains(digest) ||
        !tree->at(version).is_number_integer() ||
        tree->at(version).get<std::int64_t>() <= kPacketVersion ||
        tree->at(digest) != content_digest(*tree) || canonical_text(*tree) != text) {
      return false;
    }
    out_.findings.push_back({PacketVerdict::kStale, std::string(kPacketFile),
                             fmt::format("is of format {}, and this tool knows {} at most",
                                         to_line(tree->at(version)), kPacketVersion)});
    return true;
  }

  void check_statement(const PacketStatement& statement, const std::string& text,
                       const Recompute& recompute) {
    out_.predicate = statement.predicate();
    check_subjects(statement);
    check_strays(statement);
    check_signature(statement, text);
    // Where digests are wrong, what follows from the files says nothing new.
    if (!out_.findings.empty() || !recompute) return;
    const auto read = [&](std::string_view name) { return read_subject(statement, name); };
    for (PacketFinding& one : recompute({statement, read})) {
      out_.findings.push_back(std::move(one));
    }
  }

  void check_subjects(const PacketStatement& statement) {
    for (const PacketSubject& one : statement.subjects) {
      const auto digest = sha256_file(path(one.name));
      if (!digest) {
        add(one.name, digest.error().diagnostics.front().message);
      } else if (*digest != one.digest) {
        add(one.name,
            fmt::format("its SHA-256 is {}, and the packet says {}", *digest, one.digest));
      }
    }
  }

  void check_strays(const PacketStatement& statement) {
    std::set<std::string> known{std::string(kPacketFile), std::string(kEnvelopeFile)};
    std::set<std::string> parents;
    for (const PacketSubject& one : statement.subjects) {
      known.insert(one.name);
      for (std::size_t slash = one.name.find('/'); slash != std::string::npos;
           slash = one.name.find('/', slash + 1)) {
        parents.insert(one.name.substr(0, slash));
      }
    }
    for (const std::string& name : present_) {
      if (!known.contains(name)) add(name, "is not named by the packet");
    }
    for (const std::string& name : directories_) {
      if (!parents.contains(name)) add(name, "is a directory that the packet does not have");
    }
  }

  void check_signature(const PacketStatement& statement, const std::string& text) {
    const Json& signer = statement.predicate().at("packet").at("signer");
    const bool has_envelope = present_.contains(std::string(kEnvelopeFile));
    if (signer.is_null()) {
      if (has_envelope) add(std::string(kEnvelopeFile), "is of a packet that names no signer");
      if (!trusted_.empty())
        add(std::string(kPacketFile), "is not signed, and a signer was asked for");
      return;
    }
    out_.trust = PacketTrust::kBroken;
    const auto key = signer_key(signer);
    if (!key) {
      add(std::string(kPacketFile), key.error().diagnostics.front().message);
      return;
    }
    out_.keyid = key->keyid();
    const auto envelope = read_file(path(kEnvelopeFile), 2 * kMaxPacketJson);
    const Status holds = envelope
                             ? check_envelope(*envelope, std::string(kEnvelopeFile), text, *key)
                             : Status(tl::unexpected(envelope.error()));
    if (!holds) {
      add(std::string(kEnvelopeFile), holds.error().diagnostics.front().message);
      return;
    }
    const bool trusted = std::any_of(trusted_.begin(), trusted_.end(),
                                     [&](const PublicKey& one) { return one.bytes == key->bytes; });
    out_.trust = trusted ? PacketTrust::kTrusted : PacketTrust::kUnknownSigner;
    if (!trusted && !trusted_.empty()) {
      add(std::string(kEnvelopeFile),
          fmt::format("the signer {} is not among those that were asked for", out_.keyid));
    }
  }

  // Between its first reading and this one a file may have been changed.
  [[nodiscard]] Expected<std::string> read_subject(const PacketStatement& statement,
                                                   std::string_view name) const {
    for (const PacketSubject& one : statement.subjects) {
      if (one.name != name) continue;
      auto contents = read_file(path(name));
      if (contents && sha256_hex(*contents) != one.digest) {
        return fail(ExitCode::kAnswerIsNo, fmt::format("{} changed while it was read", name));
      }
      return contents;
    }
    return fail(ExitCode::kAnswerIsNo, fmt::format("there is no {} in the packet", name));
  }

  std::string directory_;
  const std::vector<PublicKey>& trusted_;
  std::set<std::string> present_;
  std::set<std::string> directories_;
  PacketCheck out_;
};

}  // namespace

std::string_view name_of(PacketVerdict verdict) {
  return kVerdicts[static_cast<std::size_t>(verdict)];
}

std::string_view name_of(PacketTrust trust) { return kTrust[static_cast<std::size_t>(trust)]; }

std::string trust_sentence(PacketTrust trust, const std::string& keyid) {
  switch (trust) {
    case PacketTrust::kUnsigned:
      return "not signed: self-consistent at best, since whoever writes all of it anew can make it "
             "agree";
    case PacketTrust::kUnknownSigner:
      return fmt::format("signed with key {}, which you did not name: --trust says whom to believe",
                         keyid);
    case PacketTrust::kTrusted:
      return fmt::format("signed with key {}, which you trust", keyid);
    case PacketTrust::kBroken:
      return "its signature does not hold";
  }
  return {};
}

Expected<PacketCheck> check_packet(const std::string& directory,
                                   const std::vector<PublicKey>& trusted,
                                   const Recompute& recompute) {
  if (!directory_exists(directory)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is no packet: no such directory", quote_input(directory)),
                "a packet is a directory with packet.json in it");
  }
  return Checker(directory, trusted).run(recompute);
}

}  // namespace tensorpath
