#include "packet_evidence.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/forge.h>
#include <tensorpath/profile/profile_packet.h>
#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 7> kData = {"calibration", "engines", "formats", "gpus",
                                                   "models",      "pricing", "profiles"};

// For --prices, which takes a file.
class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    std::string directory = (fs::temp_directory_path() / "tensorpath-prices-XXXXXX").string();
    if (::mkdtemp(directory.data()) == nullptr) return;
    directory_ = directory;
    if (!write_file_atomic(path(), text)) directory_.clear();
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  ~TextFile() {
    std::error_code ignored;
    if (!directory_.empty()) fs::remove_all(directory_, ignored);
  }
  [[nodiscard]] std::string path() const { return path_join(directory_, "prices.yaml"); }

 private:
  std::string directory_;
};

}  // namespace

Expected<PacketIdentity> packet_identity() {
  auto harness = harness_digest();
  if (!harness) return tl::unexpected(harness.error());
  PacketIdentity identity;
  identity.created = utc_text(wall_now());
  identity.replay_command = "tensorpath replay PACKET";
  identity.harness_version = kVersion;
  identity.harness_digest = std::move(*harness);
  return identity;
}

Expected<std::optional<SigningKey>> signing_key(const std::string& path) {
  if (path.empty()) return std::optional<SigningKey>();
  auto key = SigningKey::read(path);
  if (!key) return tl::unexpected(key.error());
  return std::optional<SigningKey>(std::move(*key));
}

Expected<std::string> data_digest(const Session& session) {
  std::string all;
  for (const std::string& root : session.search_path()) {
    for (const std::string_view name : kData) {
      const fs::path directory = fs::path(root) / name;
      std::vector<std::string> files;
      std::error_code error;
      for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
           it.increment(error)) {
        if (it->is_regular_file(error)) files.push_back(it->path().string());
      }
      std::sort(files.begin(), files.end());
      for (const std::string& file : files) {
        const auto digest = sha256_file(file);
        if (!digest) return tl::unexpected(digest.error());
        all += fmt::format("{}\n{}\n", fs::path(file).lexically_relative(root).generic_string(),
                           *digest);
      }
    }
  }
  return sha256_hex(all);
}

Expected<Json> recommend_again(const Session& session, const RecommendationSources& sources) {
  AdviceFlags flags;
  flags.today = sources.options.today;
  std::optional<TextFile> prices;
  if (!sources.prices.empty()) prices.emplace(sources.prices);
  if (prices) flags.prices = prices->path();
  auto advice = load_advice(session, flags);
  if (!advice) return tl::unexpected(advice.error());
  auto workload = parse_workload(sources.workload, "workload.yaml", advice->catalog);
  if (!workload) return tl::unexpected(workload.error());
  workload->name = sources.name;
  set_priority(*workload, sources.priority);
  Advisor advisor(advice->catalog, advice->calibration, &advice->profiles);
  const auto recommendation = advisor.recommend(*workload, sources.options);
  if (!recommendation) return tl::unexpected(recommendation.error());
  return to_json(*recommendation);
}

std::vector<PacketFinding> recompute_any(const Session& session, const PacketView& packet) {
  const Json& kind = packet.statement.predicate().at("packet").at("kind");
  if (kind == "profile") return recompute_profile(packet);
  if (kind == "kernel") return forge::recompute_packet(packet);
  const auto digest = data_digest(session);
  if (!digest) {
    return {{PacketVerdict::kNotRunnableHere, "", digest.error().diagnostics.front().message}};
  }
  return recompute_recommendation(packet, *digest, [&](const RecommendationSources& sources) {
    return recommend_again(session, sources);
  });
}

}  // namespace tensorpath::cli
