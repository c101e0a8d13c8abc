// What a catalog file may not say: each mistake is refused with its place and what to do.
#include "catch.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <tensorpath/catalog.h>

using namespace tensorpath;
namespace fs = std::filesystem;

namespace {

const std::string kGpu = R"(schema: tensorpath.gpu/v1
name: test_gpu
title: Test GPU
aliases: [tg]
vendor: nvidia
architecture: sm_90
family: hopper
market: datacenter
hbm_bytes: 1000000000
hbm_gb_s: 1000
l2_mib: 50
sm_count: 100
dense_tflops: {fp32: 1, bf16: 2, fp16: 2, fp8: 4, int8: 4, fp4: null}
link: {kind: nvlink, gb_s_per_direction: 100, domain_gpus: 8}
scale_out_gb_s: 50
power_w: 500
gpus_per_node: 8
sources:
  - {figures: ["*"], text: "made up", date: 2026-01}
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string refusal(const std::string& text) {
  const Status status = check_catalog_text(text, "x.yaml");
  return status ? "accepted" : status.error().to_string();
}

bool says(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

// A data directory that is gone with the test.
class DataDirectory {
 public:
  DataDirectory() {
    std::string pattern = (fs::temp_directory_path() / "catalog_files_XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~DataDirectory() { fs::remove_all(path_); }
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((fs::path(path_) / file).parent_path());
    std::ofstream(fs::path(path_) / file) << text;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string load_refusal(const DataDirectory& directory) {
  const auto catalog = Catalog::load({directory.path()});
  return catalog ? "accepted" : catalog.error().to_string();
}

}  // namespace

TEST_CASE("a sound file is accepted") { CHECK(refusal(kGpu) == "accepted"); }

TEST_CASE("an unknown key is refused with the nearest one") {
  const std::string said = refusal(replaced(kGpu, "power_w:", "powr_w:"));
  INFO(said);
  CHECK(says(said, "x.yaml:16:1"));
  CHECK(says(said, "powr_w"));
  CHECK(says(said, "did you mean 'power_w'"));
}

TEST_CASE("a missing key is named with what it is") {
  const std::string said = refusal(replaced(kGpu, "hbm_gb_s: 1000\n", ""));
  INFO(said);
  CHECK(says(said, "hbm_gb_s"));
  CHECK(says(said, "memory bandwidth in GB/s"));
}

TEST_CASE("a wrong type is refused at its place") {
  const std::string said = refusal(replaced(kGpu, "sm_count: 100", "sm_count: many"));
  INFO(said);
  CHECK(says(said, "x.yaml:12:11"));
}

TEST_CASE("a forgotten dtype is no zero") {
  const std::string said = refusal(replaced(kGpu, ", fp4: null", ""));
  INFO(said);
  CHECK(says(said, "dense_tflops.fp4"));
  CHECK(says(said, "or null"));
}

TEST_CASE("a link needs a bandwidth") {
  CHECK(says(refusal(replaced(kGpu, "direction: 100", "direction: 0")), "bandwidth above 0"));
}

TEST_CASE("a figure without a source is refused") {
  SECTION("no sources at all") {
    const std::string text = kGpu.substr(0, kGpu.find("sources:"));
    CHECK(says(refusal(text), "sources"));
  }
  SECTION("one key not covered") {
    const std::string said = refusal(
        replaced(kGpu, "\"*\"",
                 "vendor, architecture, family, market, hbm_bytes, hbm_gb_s, l2_mib, sm_count, "
                 "dense_tflops, link, scale_out_gb_s, gpus_per_node"));
    INFO(said);
    CHECK(says(said, "x.yaml:16:10"));
    CHECK(says(said, "'power_w' has no source"));
  }
  SECTION("parts of a mapping cover it") {
    const std::string text =
        replaced(kGpu, "\"*\"",
                 "vendor, architecture, family, market, hbm_bytes, hbm_gb_s, l2_mib, sm_count, "
                 "dense_tflops, link.kind, link.gb_s_per_direction, link.domain_gpus, "
                 "scale_out_gb_s, gpus_per_node, power_w");
    CHECK(refusal(text) == "accepted");
  }
  SECTION("a source for a key that is not there") {
    const std::string said = refusal(replaced(kGpu, "\"*\"", "\"*\", hbm_byte"));
    INFO(said);
    CHECK(says(said, "'hbm_byte' is no key of this file"));
    CHECK(says(said, "hbm_bytes"));
  }
  SECTION("without a text") {
    CHECK(says(refusal(replaced(kGpu, "text: \"made up\", ", "")), "text"));
  }
  SECTION("without a date") { CHECK(says(refusal(replaced(kGpu, ", date: 2026-01", "")), "date")); }
  SECTION("with a date that is none") {
    CHECK(says(refusal(replaced(kGpu, "2026-01", "2026-13")), "'2026-13' is no date"));
  }
}

TEST_CASE("all mistakes of a file are told at once") {
  std::string text = replaced(kGpu, "vendor: nvidia", "vendor: nvida");
  text = replaced(text, "power_w: 500", "power_w: -5");
  const std::string said = refusal(text);
  INFO(said);
  CHECK(says(said, "nvida"));
  CHECK(says(said, "power_w"));
}

TEST_CASE("a file of another schema is refused") {
  CHECK(says(refusal(replaced(kGpu, "gpu/v1", "gpu/v9")), "tensorpath.gpu/v1"));
  CHECK(says(refusal("a: 1\n"), "schema"));
}

TEST_CASE("a model's shapes must agree with each other") {
  const std::string model = R"(schema: tensorpath.model/v1
name: m
title: M
huggingface: a/m
native_format: bf16
tokenizer: t
license: mit
layers: 4
hidden: 64
ffn: 128
vocab: 100
tied_embeddings: false
max_context_tokens: 1024
attention: {heads: 8, kv_heads: 2, head_dim: 8}
sources:
  - {figures: ["*"], text: "made up", date: 2026-01}
)";
  CHECK(refusal(model) == "accepted");
  CHECK(says(refusal(replaced(model, "kv_heads: 2", "kv_heads: 3")), "do not divide"));
  CHECK(says(refusal(replaced(model, "head_dim: 8}", "head_dim: 8, window_tokens: 9}")),
             "windowed_layers"));
  CHECK(says(refusal(replaced(model, "head_dim: 8}",
                              "head_dim: 8, window_tokens: 9, windowed_layers: 5}")),
             "5 windowed layers of 4"));
  CHECK(says(refusal(replaced(model, "ffn: 128\n", "")), "'ffn' is missing"));
  CHECK(says(refusal(replaced(model, "vocab: 100\n",
                              "vocab: 100\nmoe: {experts: 2, experts_per_token: 3, "
                              "expert_ffn: 8}\n")),
             "3 experts per token of 2"));
}

TEST_CASE("names that no other file defines are refused") {
  const DataDirectory data;
  data.write("gpus/test_gpu.yaml", kGpu);
  SECTION("a price of an unknown GPU") {
    data.write("pricing/p.yaml", R"(schema: tensorpath.prices/v1
prices:
  - {gpu: test_gpv, usd_per_gpu_hour: 1, provider: P, region: any, commitment: on_demand, date: 2026-01-01, min_gpus: 1, source: "s"}
)");
    const std::string said = load_refusal(data);
    INFO(said);
    CHECK(says(said, "p.yaml:3:11"));
    CHECK(says(said, "unknown GPU 'test_gpv'"));
    CHECK(says(said, "test_gpu"));
  }
  SECTION("an engine with an unknown format") {
    data.write("engines/e.yaml", R"(schema: tensorpath.engine/v1
name: e
title: E
release: "1"
image: e:1
architectures: [sm_90]
formats:
  - {format: fp9, native: [sm_90]}
kv_formats: []
unsupported_models: []
memory: {kind: utilisation, fraction: 0.9, runtime_gib: 1, graph_gib: 1}
scheduler: {max_batch: 1, max_batched_tokens: 1, chunked_prefill: true, prefix_cache: true}
features: {windowed_kv_pool: true, pp: true, ep: true, attention_dp: true, disaggregation: true}
simplicity: 1
sources:
  - {figures: ["*"], text: "made up", date: 2026-01}
)");
    const std::string said = load_refusal(data);
    INFO(said);
    CHECK(says(said, "e.yaml:8:14"));
    CHECK(says(said, "unknown weight format 'fp9'"));
  }
}

TEST_CASE("one name means one thing within a directory") {
  const DataDirectory data;
  data.write("gpus/a.yaml", kGpu);
  data.write("gpus/b.yaml", replaced(kGpu, "name: test_gpu", "name: other_gpu"));
  const std::string said = load_refusal(data);
  INFO(said);
  CHECK(says(said, "'tg' is taken by 'test_gpu'"));
}

TEST_CASE("a file with the other ending is not passed over in silence") {
  const DataDirectory data;
  data.write("gpus/test_gpu.yml", kGpu);
  CHECK(says(load_refusal(data), ".yaml"));
}

TEST_CASE("a directory that is not there, and one with nothing in it") {
  const DataDirectory data;
  const auto absent = Catalog::load({data.path() + "/absent"});
  REQUIRE_FALSE(absent);
  CHECK(says(absent.error().to_string(), "no such data directory"));
  const auto empty = Catalog::load({data.path()});
  REQUIRE_FALSE(empty);
  CHECK(empty.error().exit_code == ExitCode::kEnvironment);
}
