#include "base/json_tree.h"
#include "profile_check.h"
#include "profile_keys.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/profile.h>

namespace tensorpath {
namespace {

using profile_file::kArrivalKinds;
using profile_file::kSchema;

// Above anything that is built or measured; they keep products inside an int and catch slips.
constexpr double kMostGpus = 100'000;
constexpr double kMostRequests = 1e9;
constexpr double kMostTokens = 1e8;
constexpr double kLongestMs = 1e9;

std::optional<int> read_count(MapReader& map, std::string_view key, double most = kMostGpus) {
  const auto value = map.integer(key, {1, most, false});
  return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
}

std::optional<double> read_positive(MapReader& map, std::string_view key, double most) {
  return map.number(key, {0, most, true});
}

void read_provenance(MapReader& map, Profile& profile) {
  map.require("provenance", "measured or imported");
  const auto word = map.text("provenance");
  if (!word) return;
  if (*word == "measured") {
    profile.provenance = Provenance::kMeasured;
  } else if (*word == "imported") {
    profile.provenance = Provenance::kImported;
  } else if (*word == "estimated" || *word == "modeled" || *word == "calibrated" ||
             *word == "assumed") {
    map.diagnostics().add(
        map.where("provenance"),
        fmt::format("provenance is '{}', but only measurements are stored", *word),
        "predictions are computed when they are asked for: delete the file, run 'tensorpath "
        "estimate'");
  } else {
    map.diagnostics().add(
        map.where("provenance"),
        fmt::format("provenance is '{}', expected measured or imported", word->substr(0, 40)),
        suggestion(*word, {"measured", "imported"}));
  }
}

bool is_date(const std::string& text) {
  return days_of_date(text).has_value() || (text.size() == 7 && days_of_date(text + "-01"));
}

bool is_sha256(const std::string& text) {
  constexpr std::size_t kDigits = 64;
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void read_source(MapReader& map, Profile& profile) {
  map.require("source", "an object with the tool, the date and the SHA-256 of its file");
  const YamlNode* node = map.node("source");
  if (node == nullptr) return;
  MapReader source(*node, "source", map.diagnostics());
  source.require("tool", "what measured it, or the document it was taken from");
  profile.source.tool = source.text("tool").value_or("");
  profile.source.sha256 = source.text("sha256");
  profile.source.date = source.text("date");
  source.finish();
  if (profile.source.sha256 && !is_sha256(*profile.source.sha256)) {
    profile.warnings.emplace_back(
        "source.sha256 is no SHA-256 in lower-case hex, so no file can be held against it");
  }
  if (profile.source.date && !is_date(*profile.source.date)) {
    map.diagnostics().add(source.where("date"),
                          "source.date is no date, expected YYYY-MM-DD or YYYY-MM");
  }
}

std::optional<LengthDist> read_lengths(MapReader& map, std::string_view key) {
  if (!map.has(key)) {
    (void)map.node(key);
    return std::nullopt;
  }
  const YamlNode& node = *map.node(key);
  LengthDist dist;
  if (!node.is_map()) {
    const auto value = read_positive(map, key, kMostTokens);
    if (!value) return std::nullopt;
    dist.value = *value;
    return dist;
  }
  MapReader lengths(node, map.path_of(key), map.diagnostics());
  lengths.require("dist", "uniform or lognormal; lengths that are all equal are a plain number");
  const auto word = lengths.word("dist", {"uniform", "lognormal"});
  const auto required = [&](std::string_view name, std::string_view what) {
    lengths.require(name, what);
    return read_positive(lengths, name, kMostTokens).value_or(1);
  };
  const std::size_t before = map.diagnostics().size();
  if (word == "uniform") {
    dist.kind = LengthDist::Kind::kUniform;
    dist.min = required("min", "the shortest length");
    dist.max = required("max", "the longest length");
    if (dist.max < dist.min) {
      map.diagnostics().add(node.where, fmt::format("{}.max is below its min", map.path_of(key)));
    }
  } else if (word == "lognormal") {
    dist.kind = LengthDist::Kind::kLognormal;
    dist.p50 = required("p50", "the median length");
    dist.p95 = required("p95", "the 95th percentile");
    dist.min = read_positive(lengths, "min", kMostTokens).value_or(0);
    dist.max = read_positive(lengths, "max", kMostTokens).value_or(0);
    if (dist.p95 < dist.p50 || (dist.max > 0 && dist.max < dist.min)) {
      map.diagnostics().add(node.where,
                            fmt::format("{}: min, p50, p95 and max must rise", map.path_of(key)));
    }
  }
  lengths.finish();
  if (!word || map.diagnostics().size() != before) return std::nullopt;
  return dist;
}

void read_arrivals(MapReader& map, Profile& profile) {
  const YamlNode* node = map.node("arrivals");
  if (node == nullptr) return;
  MapReader reader(*node, "arrivals", map.diagnostics());
  std::vector<std::string> words;
  words.reserve(kArrivalKinds.size());
  for (const auto& [word, kind] : kArrivalKinds) words.emplace_back(word);
  reader.require("kind", "closed, poisson, gamma or all_at_once");
  const auto word = reader.word("kind", words);
  profile.warmup_requests = reader.integer("warmup", {0, kMostRequests, false});
  profile.measured_requests = reader.integer("requests", {1, kMostRequests, false});
  if (!word) return;
  Arrivals arrivals;
  for (const auto& [name, kind] : kArrivalKinds) {
    if (*word == name) arrivals.kind = kind;
  }
  const auto required = [&](std::string_view key, std::string_view what, double most) {
    reader.require(key, what);
    return read_positive(reader, key, most).value_or(1);
  };
  switch (arrivals.kind) {
    case Arrivals::Kind::kClosed:
      arrivals.concurrency =
          required("concurrency", "requests in flight over the whole deployment", kMostRequests);
      break;
    case Arrivals::Kind::kGamma:
      arrivals.cv = required("cv", "the coefficient of variation of the gaps", 1000);
      [[fallthrough]];
    case Arrivals::Kind::kPoisson:
      arrivals.rate_rps = required("rate_rps", "requests per second", kMostRequests);
      break;
    default:
      arrivals.count = required("count", "requests that start at once", kMostRequests);
  }
  reader.finish();
  profile.point.arrivals = arrivals;
}

void read_point(MapReader& map, ProfilePoint& point) {
  map.require("model", "a catalog name, or what the source calls it");
  point.model = map.text("model");
  point.gpu = map.text("gpu");
  point.n_gpus = read_count(map, "n_gpus");
  point.replicas = read_count(map, "replicas");
  point.engine = map.text("engine");
  point.engine_version = map.text("engine_version");
  point.weight_format = map.text("weight_format");
  point.kv_format = map.text("kv_format");
  // Their product stays inside an int.
  constexpr double kWidest = 1024;
  point.tp = read_count(map, "tp", kWidest);
  point.pp = read_count(map, "pp", kWidest);
  point.ep = read_count(map, "ep", kWidest * kWidest);
  point.attn_dp = read_count(map, "attn_dp", kWidest);
  point.max_batch = read_count(map, "max_batch", kMostGpus);
  point.spec = map.text("spec");
  point.disagg = map.boolean("disagg");
  point.prefix_hit_rate = map.number("prefix_hit_rate", {0, 1, false});
  point.isl_tokens = read_lengths(map, "isl_tokens");
  point.osl_tokens = read_lengths(map, "osl_tokens");
}

ProfileStat read_stat(MapReader& map, std::string_view key) {
  const YamlNode* node = map.node(key);
  if (node == nullptr) return {};
  MapReader reader(*node, std::string(key), map.diagnostics());
  ProfileStat stat;
  stat.mean = read_positive(reader, "mean", kLongestMs);
  stat.p50 = read_positive(reader, "p50", kLongestMs);
  stat.p95 = read_positive(reader, "p95", kLongestMs);
  stat.p99 = read_positive(reader, "p99", kLongestMs);
  reader.finish();
  return stat;
}

void append(Error& all, const Error& more) {
  all.diagnostics.insert(all.diagnostics.end(), more.diagnostics.begin(), more.diagnostics.end());
}

constexpr std::string_view kBlank = " \t\r\n";

// Whether the first line is a whole document and another one follows it.
bool is_json_lines(std::string_view text) {
  const std::size_t start = text.find_first_not_of(kBlank);
  const std::size_t end = start == std::string_view::npos ? start : text.find('\n', start);
  if (end == std::string_view::npos) return false;
  return text.find_first_not_of(kBlank, end) != std::string_view::npos &&
         parse_json(text.substr(start, end - start), "").has_value();
}

Expected<std::vector<Profile>> parse_lines(std::string_view text, const std::string& file_name,
                                           const std::string& stem) {
  std::vector<Profile> profiles;
  Error mistakes;
  int line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row = text.substr(begin, end - begin);
    begin = end + 1;
    ++line;
    if (row.find_first_not_of(kBlank) == std::string_view::npos) continue;
    Expected<Profile> profile = parse_profile(row, file_name, line);
    if (!profile) {
      append(mistakes, profile.error());
      continue;
    }
    profile->name = fmt::format("{}:{}", stem, line);
    profiles.push_back(std::move(*profile));
  }
  if (!mistakes.diagnostics.empty()) return tl::unexpected(std::move(mistakes));
  return profiles;
}

}  // namespace

Expected<Profile> parse_profile(std::string_view text, const std::string& file_name,
                                int first_line) {
  const Expected<YamlNode> document = parse_json_tree(text, file_name, first_line);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  Profile profile;
  profile.where = document->where;
  MapReader map(*document, "", diagnostics);
  map.require("schema", std::string(kSchema));
  const auto schema = map.text("schema");
  if (schema && *schema != kSchema) {
    diagnostics.add(map.where("schema"),
                    fmt::format("schema is '{}', expected {}", schema->substr(0, 40), kSchema));
  }
  read_provenance(map, profile);
  read_source(map, profile);
  read_point(map, profile.point);
  read_arrivals(map, profile);
  profile.ttft_ms = read_stat(map, "ttft_ms");
  profile.tpot_ms = read_stat(map, "tpot_ms");
  profile.output_tok_s = read_positive(map, "output_tok_s", 1e12);
  profile.errors = map.integer("errors", {0, kMostRequests, false});
  map.finish();
  if (diagnostics.empty()) profile_file::check_profile(*document, profile, diagnostics);
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  profile.flags = profile_file::flags_of(profile);
  return profile;
}

Expected<std::vector<Profile>> read_profile_file(const std::string& path) {
  Expected<std::string> text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  const bool standard_input = path == "-";
  const std::filesystem::path file(standard_input ? "stdin" : path);
  const std::string shown = standard_input ? "<stdin>" : path;
  if (file.extension() == ".jsonl" || (standard_input && is_json_lines(*text))) {
    return parse_lines(*text, shown, file.stem().string());
  }
  Expected<Profile> profile = parse_profile(*text, shown);
  if (!profile) return tl::unexpected(profile.error());
  profile->name = file.stem().string();
  return std::vector<Profile>{std::move(*profile)};
}

}  // namespace tensorpath
