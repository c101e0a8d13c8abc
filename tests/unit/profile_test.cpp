// Benchmark profiles: what is read is what was written, what cannot be is refused with its place,
// and a profile stands for a plan point only where everything is known and equal.
#include "catch.h"

#include <filesystem>
#include <string>

#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/profile.h>

using namespace tensorpath;

namespace {

// A whole profile; the keys that tests change come first.
const std::string kWhole = R"({"schema": "tensorpath.profile/v1", "provenance": "imported",
 "source": {"tool": "vllm bench serve", "sha256": null, "date": "2026-08-21"},
 "model": "llama-3.1-70b", "gpu": "h200_sxm", "n_gpus": 4, "replicas": 1,
 "engine": "vllm", "engine_version": "0.24.0", "weight_format": "fp8", "kv_format": "bf16",
 "tp": 4, "pp": 1, "ep": 1, "attn_dp": 1, "max_batch": 256, "spec": "none", "disagg": false,
 "prefix_hit_rate": 0,
 "arrivals": {"kind": "closed", "concurrency": 64, "warmup": 128, "requests": 640},
 "isl_tokens": {"dist": "uniform", "min": 820, "max": 1024},
 "osl_tokens": {"dist": "uniform", "min": 820, "max": 1024},
 "ttft_ms": {"mean": 400, "p95": null}, "tpot_ms": {"mean": 25.0, "p95": null},
 "output_tok_s": 2520, "errors": 0})";

std::string with(const std::string& from, const std::string& to) {
  std::string text = kWhole;
  const std::size_t at = text.find(from);
  INFO(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

Profile whole() {
  Expected<Profile> profile = parse_profile(kWhole, "p.json");
  INFO((profile ? std::string() : profile.error().to_string()));
  REQUIRE(profile);
  return *profile;
}

Diagnostic mistake_in(const std::string& text) {
  const Expected<Profile> profile = parse_profile(text, "p.json");
  INFO(text);
  REQUIRE_FALSE(profile);
  REQUIRE_FALSE(profile.error().diagnostics.empty());
  return profile.error().diagnostics.front();
}

bool says(const Diagnostic& diagnostic, const std::string& text) {
  return diagnostic.to_string().find(text) != std::string::npos;
}

// A data directory with a profiles/ folder that goes away with the test.
class ScratchData {
 public:
  explicit ScratchData(const std::string& name)
      : path_(std::filesystem::temp_directory_path() /
              ("tensorpath-profile-" + std::to_string(getpid()) + "-" + name)) {
    REQUIRE(make_directories((path_ / "profiles").string()));
  }
  ~ScratchData() { std::filesystem::remove_all(path_); }
  ScratchData(const ScratchData&) = delete;
  ScratchData& operator=(const ScratchData&) = delete;

  void add(const std::string& file, const std::string& text) const {
    REQUIRE(write_file_atomic((path_ / "profiles" / file).string(), text));
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  return text;
}

}  // namespace

TEST_CASE("a profile is read as it was written") {
  const Profile profile = whole();
  CHECK(profile.provenance == Provenance::kImported);
  CHECK(profile.source.tool == "vllm bench serve");
  CHECK(profile.point.model == "llama-3.1-70b");
  CHECK(profile.point.n_gpus == 4);
  CHECK(profile.point.disagg == false);
  CHECK(profile.point.arrivals->concurrency == 64);
  CHECK(profile.measured_requests == 640);
  CHECK(profile.point.isl_tokens->mean() == 922);
  CHECK(profile.ttft_ms.mean == 400.0);
  CHECK_FALSE(profile.ttft_ms.p95.has_value());
  CHECK(profile.output_tok_s == 2520.0);
  CHECK(profile.flags.empty());
  const std::string written = to_text(profile_json(profile));
  const Expected<Profile> again = parse_profile(written, "again.json");
  INFO(written);
  REQUIRE(again);
  CHECK(to_text(profile_json(*again)) == written);
}

TEST_CASE("what a source does not state is unknown") {
  const Expected<Profile> profile = parse_profile(
      R"({"schema": "tensorpath.profile/v1", "provenance": "measured", "source": {"tool": "t"},
          "model": "m", "output_tok_s": 1})",
      "p.json");
  REQUIRE(profile);
  CHECK_FALSE(profile->point.gpu.has_value());
  CHECK_FALSE(profile->point.tp.has_value());
  CHECK_FALSE(profile->point.arrivals.has_value());
  CHECK_FALSE(profile->ttft_ms.any());
  CHECK_FALSE(profile->source.date.has_value());
}

TEST_CASE("a source that cannot be traced is doubted, and used") {
  const auto profile =
      parse_profile(with("\"sha256\": null", "\"sha256\": \"of the file\""), "p.json");
  REQUIRE(profile);
  REQUIRE(profile->warnings.size() == 1);
  CHECK(profile->warnings.front().find("source.sha256") == 0);
  CHECK(profile->flags.empty());
}

TEST_CASE("predictions are never stored") {
  for (const std::string word : {"estimated", "modeled", "calibrated", "assumed"}) {
    const Diagnostic found = mistake_in(with("imported", word));
    CHECK(says(found, "only measurements are stored"));
    CHECK(found.where.line == 1);
  }
  CHECK(says(mistake_in(with("imported", "importd")), "did you mean 'imported'"));
}

TEST_CASE("mistakes name the place and the right word") {
  CHECK(says(mistake_in(with("\"kv_format\"", "\"kv_fromat\"")), "did you mean 'kv_format'"));
  const Diagnostic type = mistake_in(with("\"tp\": 4", "\"tp\": \"4\""));
  CHECK(says(type, "p.json:5:8: tp is '4', expected a number"));
  CHECK(says(mistake_in(with("\"output_tok_s\"", "\"output_tok\"")), "output_tok_s"));
  CHECK(says(mistake_in(with("profile/v1", "profile/v2")), "expected tensorpath.profile/v1"));
  CHECK(says(mistake_in(with("2026-08-21", "last week")), "YYYY-MM-DD"));
  CHECK(says(mistake_in(with("\"closed\"", "\"open\"")), "arrivals.kind"));
  CHECK(says(mistake_in(with("\"uniform\"", "\"normal\"")), "isl_tokens.dist"));
  CHECK(says(mistake_in(with("\"concurrency\": 64", "\"rate_rps\": 3")), "arrivals.concurrency"));
  CHECK(says(mistake_in("{"), "p.json:1:"));
  CHECK(says(mistake_in(with("\"tp\": 4,", "\"tp\": 4, \"tp\": 8,")), "tp"));
}

TEST_CASE("what cannot be is refused") {
  CHECK(says(mistake_in(with("\"mean\": 400", "\"mean\": -400")), "ttft_ms.mean"));
  CHECK(says(mistake_in(with("\"output_tok_s\": 2520", "\"output_tok_s\": 0")), "output_tok_s"));
  CHECK(says(mistake_in(with("\"prefix_hit_rate\": 0", "\"prefix_hit_rate\": 1.5")),
             "prefix_hit_rate"));
  CHECK(says(mistake_in(with("\"n_gpus\": 4", "\"n_gpus\": 8")),
             "n_gpus is 8, but replicas * tp * pp * attn_dp is 4"));
  CHECK(says(mistake_in(with("\"ep\": 1", "\"ep\": 3")), "expected a divisor"));
  CHECK(says(mistake_in(with("\"mean\": 400, \"p95\": null", "\"p50\": 400, \"p95\": 300")),
             "a higher percentile cannot be lower"));
  CHECK(says(mistake_in(with("\"errors\": 0", "\"errors\": 641")), "641 errors in 640 requests"));
  CHECK(says(mistake_in(with("\"min\": 820, \"max\": 1024", "\"min\": 1024, \"max\": 820")),
             "below its min"));
}

TEST_CASE("figures that break Little's law are flagged and never used") {
  // 2520 / 922 requests per second, 0.4 s + 921 * 0.025 s each: 64 in flight.
  CHECK(*implied_concurrency(whole()) == Approx(64).epsilon(0.01));
  const Expected<Profile> wrong =
      parse_profile(with("\"output_tok_s\": 2520", "\"output_tok_s\": 5040"), "p.json");
  REQUIRE(wrong);
  REQUIRE(wrong->flags.size() == 1);
  CHECK(wrong->flags.front().find("DENOMINATOR_MISMATCH") == 0);
  const ScratchData data("little");
  data.add("wrong.json", with("\"output_tok_s\": 2520", "\"output_tok_s\": 5040"));
  const auto store = ProfileStore::load({data.path()});
  REQUIRE(store);
  CHECK(store->profiles().size() == 1);
  CHECK(store->match(whole().point) == nullptr);
}

TEST_CASE("a profile stands for a point only where every key is known and equal") {
  const ProfilePoint point = whole().point;
  CHECK(same_point(point, point));
  const auto differs = [&](auto change) {
    ProfilePoint other = point;
    change(other);
    return !same_point(point, other) && !same_point(other, point);
  };
  CHECK(differs([](ProfilePoint& p) { p.model = "llama-3.3-70b"; }));
  CHECK(differs([](ProfilePoint& p) { p.gpu = "h100_sxm"; }));
  CHECK(differs([](ProfilePoint& p) { p.n_gpus = 8; }));
  CHECK(differs([](ProfilePoint& p) { p.replicas = 2; }));
  CHECK(differs([](ProfilePoint& p) { p.engine = "sglang"; }));
  CHECK(differs([](ProfilePoint& p) { p.engine_version = "0.23.0"; }));
  CHECK(differs([](ProfilePoint& p) { p.weight_format = "bf16"; }));
  CHECK(differs([](ProfilePoint& p) { p.kv_format = "fp8"; }));
  CHECK(differs([](ProfilePoint& p) { p.kv_format.reset(); }));
  CHECK(differs([](ProfilePoint& p) { p.tp = 2; }));
  CHECK(differs([](ProfilePoint& p) { p.pp = 2; }));
  CHECK(differs([](ProfilePoint& p) { p.ep = 4; }));
  CHECK(differs([](ProfilePoint& p) { p.attn_dp = 4; }));
  CHECK(differs([](ProfilePoint& p) { p.max_batch.reset(); }));
  CHECK(differs([](ProfilePoint& p) { p.spec = "eagle3"; }));
  CHECK(differs([](ProfilePoint& p) { p.disagg = true; }));
  CHECK(differs([](ProfilePoint& p) { p.prefix_hit_rate = 0.5; }));
  CHECK(differs([](ProfilePoint& p) { p.arrivals.reset(); }));
  CHECK(differs([](ProfilePoint& p) { p.arrivals->kind = Arrivals::Kind::kAllAtOnce; }));
  CHECK(differs([](ProfilePoint& p) { p.arrivals->concurrency = 68; }));
  CHECK(differs([](ProfilePoint& p) { p.isl_tokens->max = 1300; }));
  CHECK(differs([](ProfilePoint& p) { p.osl_tokens.reset(); }));
}

TEST_CASE("loads and lengths within five percent are one point") {
  const ProfilePoint point = whole().point;
  ProfilePoint other = point;
  other.arrivals->concurrency = 66;
  other.isl_tokens->min = 840;
  other.isl_tokens->max = 1050;
  CHECK(same_point(point, other));
}

TEST_CASE("a store reads JSON and JSON Lines, and the first directory wins") {
  const ScratchData first("first");
  const ScratchData second("second");
  first.add("a.json", kWhole);
  second.add("a.json", with("\"output_tok_s\": 2520", "\"output_tok_s\": 2400"));
  second.add("runs.jsonl", one_line(kWhole) + "\n\n" + one_line(kWhole) + "\n");
  const auto store = ProfileStore::load({first.path(), second.path(), "/nowhere"});
  REQUIRE(store);
  REQUIRE(store->profiles().size() == 3);
  CHECK(store->profiles()[0].name == "a");
  CHECK(store->profiles()[0].output_tok_s == 2520.0);
  CHECK(store->profiles()[1].name == "runs:1");
  CHECK(store->profiles()[2].name == "runs:3");
  const auto unknown = store->profile("run:1");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().to_string().find("runs:1") != std::string::npos);
}

TEST_CASE("all broken files are reported, JSON Lines with the line") {
  const ScratchData data("broken");
  data.add("a.json", "{}");
  data.add("b.jsonl", one_line(kWhole) + "\n" + one_line(with("\"tp\": 4", "\"tp\": -4")) + "\n");
  const auto store = ProfileStore::load({data.path()});
  REQUIRE_FALSE(store);
  const std::string text = store.error().to_string();
  CHECK(text.find("a.json:1:1: schema is missing") != std::string::npos);
  CHECK(text.find("b.jsonl:2:") != std::string::npos);
}

TEST_CASE("of several matches the newest stands") {
  const ScratchData data("newest");
  data.add("a.json", kWhole);
  data.add("b.json", with("2026-08-21", "2026-09-01"));
  const auto store = ProfileStore::load({data.path()});
  REQUIRE(store);
  const Profile* found = store->match(whole().point);
  REQUIRE(found != nullptr);
  CHECK(found->name == "b");
}

TEST_CASE("profiles answer to the catalog's names") {
  const ScratchData data("names");
  data.add("a.json", with("llama-3.1-70b", "meta-llama/Llama-3.1-70B-Instruct"));
  auto store = ProfileStore::load({data.path()});
  REQUIRE(store);
  const auto catalog = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
  REQUIRE(catalog);
  store->use_names_of(*catalog);
  CHECK(store->match(whole().point) != nullptr);
}

TEST_CASE("the shipped profiles are the four that were imported") {
  const auto store = ProfileStore::load({TENSORPATH_SOURCE_DIR "/data"});
  INFO((store ? std::string() : store.error().to_string()));
  REQUIRE(store);
  REQUIRE(store->profiles().size() == 4);
  const auto catalog = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
  REQUIRE(catalog);
  for (const Profile& profile : store->profiles()) {
    CAPTURE(profile.name);
    CHECK(profile.provenance == Provenance::kImported);
    CHECK(profile.point.gpu == "rtx_4070");
    CHECK(catalog->find_model(*profile.point.model) != nullptr);
    CHECK(catalog->find_format(*profile.point.weight_format) != nullptr);
    // Their table has a p95 TTFT and a rate; everything else is unknown, so they match no plan.
    CHECK(profile.ttft_ms.p95.has_value());
    CHECK(profile.output_tok_s.has_value());
    CHECK_FALSE(profile.ttft_ms.mean.has_value());
    CHECK_FALSE(profile.point.arrivals.has_value());
  }
  const auto qwen = store->profile("rtx_4070-qwen2.5-7b-awq_4");
  REQUIRE(qwen);
  CHECK((*qwen)->ttft_ms.p95 == 160.0);
  CHECK((*qwen)->output_tok_s == 79.0);
}
