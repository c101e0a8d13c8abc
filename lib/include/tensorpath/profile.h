// Benchmark profiles: what somebody measured at one serving point, in a file of its own
// (tensorpath-profile(5)). Uses: 1) `profile list|show`; 2) a plan point that a profile matches in
// every key takes the measured figures; 3) `compare` puts two of them side by side.
//
// What the source does not state is unknown, never a default. Predictions are computed, not stored:
// only `measured` and `imported` profiles exist.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/units.h>
#include <tensorpath/catalog.h>
#include <tensorpath/workload.h>

namespace tensorpath {

struct ProfileSource {
  std::string tool;                   // what measured it, or the document it was taken from
  std::optional<std::string> sha256;  // of the file it came from
  std::optional<std::string> date;    // YYYY-MM-DD or YYYY-MM
};

// The serving point. Two points are the same only where both know every one of these.
struct ProfilePoint {
  std::optional<std::string> model, gpu;
  std::optional<int> n_gpus, replicas;  // of the whole deployment
  std::optional<std::string> engine, engine_version, weight_format, kv_format;
  std::optional<int> tp, pp, ep, attn_dp, max_batch;
  std::optional<std::string> spec;  // speculative decoding: "none" or the method
  std::optional<bool> disagg;
  std::optional<double> prefix_hit_rate;  // share of prompt tokens, 0..1
  std::optional<Arrivals> arrivals;
  std::optional<LengthDist> isl_tokens, osl_tokens;
};

struct ProfileStat {
  std::optional<double> mean, p50, p95, p99;
  [[nodiscard]] bool any() const { return mean || p50 || p95 || p99; }
};

struct Profile {
  std::string name;  // the file's stem; in JSON Lines with ":" and the line
  Provenance provenance = Provenance::kImported;
  ProfileSource source;
  ProfilePoint point;
  std::optional<std::int64_t> warmup_requests, measured_requests;
  ProfileStat ttft_ms, tpot_ms;        // DESIGN's definitions: TPOT leaves out the first token
  std::optional<double> output_tok_s;  // of the whole deployment
  std::optional<std::int64_t> errors;
  // What contradicts itself (DENOMINATOR_MISMATCH: ...). A flagged profile is shown, never used.
  std::vector<std::string> flags;
  // What is doubtful about its origin; it does not keep a profile from being used.
  std::vector<std::string> warnings;
  SourceLocation where;
};

// Reads one profile. Errors name file, line and column of every mistake. `first_line` is the line
// of the text in its file.
[[nodiscard]] Expected<Profile> parse_profile(std::string_view text, const std::string& file_name,
                                              int first_line = 1);
// A .json file holds one profile, a .jsonl file one a line; "-" reads either from standard input.
[[nodiscard]] Expected<std::vector<Profile>> read_profile_file(const std::string& path);
// The document of tensorpath-profile(5): every key, null where unknown. Reading it back gives an
// equal profile.
[[nodiscard]] Json profile_json(const Profile& profile);

// Little's law on a closed loop: the requests that the figures say were in flight. Nullopt where a
// figure is missing.
[[nodiscard]] std::optional<double> implied_concurrency(const Profile& profile);

// Every key known on both sides and equal; lengths, concurrency and rates within 5%.
[[nodiscard]] bool same_point(const ProfilePoint& a, const ProfilePoint& b);

class ProfileStore {
 public:
  // Reads DIR/profiles/*.json and *.jsonl of every directory; for equal names the first directory
  // wins. All mistakes of all files are reported together.
  [[nodiscard]] static Expected<ProfileStore> load(const std::vector<std::string>& directories);

  // Writes models, GPUs, engines and formats by their catalog names; unknown ones stay as they are.
  void use_names_of(const Catalog& catalog);

  [[nodiscard]] const std::vector<Profile>& profiles() const { return profiles_; }
  [[nodiscard]] Expected<const Profile*> profile(std::string_view name) const;
  // The profile that stands for a plan point, or null. Of several the newest, then the first.
  [[nodiscard]] const Profile* match(const ProfilePoint& point) const;

 private:
  std::vector<Profile> profiles_;  // by name
};

}  // namespace tensorpath
