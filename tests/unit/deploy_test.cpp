// Exports: every plan of tests/data/plans becomes files that parse, say what the plan says, and
// hold no argument that the engine's release lacks.
#include "catch.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/deploy.h>

using namespace tensorpath;
namespace fs = std::filesystem;

namespace {

const std::string kSource = TENSORPATH_SOURCE_DIR;
const std::vector<std::string> kData = {kSource + "/data"};

const Catalog& catalog() {
  static const Catalog loaded = [] {
    auto result = Catalog::load(kData);
    if (!result) FAIL(result.error().to_string());
    return std::move(*result);
  }();
  return loaded;
}

Json plan_file(const std::string& name) {
  auto document = read_json_file(kSource + "/tests/data/plans/" + name + ".json");
  if (!document) FAIL(document.error().to_string());
  return *document;
}

std::vector<ExportedFile> exported(const Json& document, int rank = 1) {
  auto files = export_plan(document, rank, catalog(), kData);
  if (!files) FAIL(files.error().to_string());
  return *files;
}

std::string refusal(const Json& document, int rank = 1, const ExportOptions& options = {},
                    const std::vector<std::string>& data = kData) {
  const auto files = export_plan(document, rank, catalog(), data, options);
  if (files) return "(exported)";
  CHECK(files.error().exit_code == ExitCode::kUsage);
  return files.error().to_string();
}

std::string contents(const std::vector<ExportedFile>& files, const std::string& path) {
  for (const ExportedFile& file : files) {
    if (file.path == path) return file.contents;
  }
  FAIL("no file " << path);
  return {};
}

YamlNode yaml_of(const std::vector<ExportedFile>& files, const std::string& path) {
  auto node = parse_yaml(contents(files, path), path);
  if (!node) FAIL(node.error().to_string());
  return *node;
}

// The node at a path of keys and list positions: "spec/template/spec/containers/0/image".
const YamlNode* at(const YamlNode& root, const std::string& path) {
  const YamlNode* node = &root;
  std::size_t begin = 0;
  while (node != nullptr && begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (node->is_sequence()) {
      const auto index = static_cast<std::size_t>(std::atoi(key.c_str()));
      node = index < node->items.size() ? &node->items[index] : nullptr;
    } else {
      node = node->find(key);
    }
    begin = end + 1;
  }
  return node;
}

std::string text_at(const YamlNode& root, const std::string& path) {
  const YamlNode* node = at(root, path);
  return node == nullptr ? "(absent)" : node->scalar;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

struct Scratch {
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "deploy_test.XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path;
};

}  // namespace

TEST_CASE("every plan of the fixtures is exported, and its YAML reads back") {
  int plans = 0;
  for (const std::string& name : list_files(kSource + "/tests/data/plans", ".json")) {
    const Json document = plan_file(name.substr(0, name.size() - 5));
    for (const Json& plan : document["plans"]) {
      const auto rank = plan["rank"].get<int>();
      INFO(name << ", rank " << rank);
      const auto files = exported(document, rank);
      ++plans;
      for (const ExportedFile& file : files) {
        INFO(file.path);
        CHECK(!file.contents.empty());
        CHECK(file.contents.back() == '\n');
        CHECK(file.executable == ends_with(file.path, ".sh"));
        if (file.executable) CHECK(file.contents.rfind("#!/usr/bin/env bash\n", 0) == 0);
        if (ends_with(file.path, ".yaml")) (void)yaml_of(files, file.path);
      }
      CHECK(!contents(files, "bench.sh").empty());
      CHECK(!contents(files, "serve.sh").empty());
      CHECK(!contents(files, "README.md").empty());
    }
  }
  CHECK(plans >= 20);
}

TEST_CASE("the same plan gives the same bytes") {
  const Json document = plan_file("dense_fp8_vllm");
  const auto first = exported(document);
  const auto second = exported(document);
  REQUIRE(first.size() == second.size());
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i].contents == second[i].contents);
}

TEST_CASE("vLLM's configuration says what the plan says") {
  const YamlNode config = yaml_of(exported(plan_file("dense_fp8_vllm")), "vllm.yaml");
  CHECK(text_at(config, "tensor-parallel-size") == "1");
  CHECK(text_at(config, "max-model-len") == "16384");
  CHECK(text_at(config, "max-num-seqs") == "128");
  CHECK(text_at(config, "kv-cache-dtype") == "fp8");
  // A checkpoint that is FP8 already tells the engine so itself.
  CHECK(text_at(config, "quantization") == "(absent)");
  // Without one the engine makes FP8 while loading.
  const YamlNode online = yaml_of(exported(plan_file("dense_fp8_vllm"), 2), "vllm.yaml");
  CHECK(text_at(online, "quantization") == "fp8");
}

TEST_CASE("limits of a replica are shared by its attention ranks") {
  Json document = plan_file("moe_tp8_sglang");
  Json& plan = document["plans"][0];
  plan["engine"] = "vllm";
  plan["engine_release"] = "0.24.0";
  plan["tp"] = 2;
  plan["attn_dp"] = 4;
  const YamlNode config = yaml_of(exported(document), "vllm.yaml");
  CHECK(text_at(config, "tensor-parallel-size") == "2");
  CHECK(text_at(config, "data-parallel-size") == "4");
  CHECK(text_at(config, "enable-expert-parallel") == "true");
  CHECK(text_at(config, "max-num-seqs") == "64");
  CHECK(text_at(config, "max-num-batched-tokens") == "4096");
}

TEST_CASE("speculative decoding reaches the engine in its own words") {
  const Json document = plan_file("speculative");
  const YamlNode eagle = yaml_of(exported(document, 1), "vllm.yaml");
  CHECK(text_at(eagle, "speculative-config/method") == "eagle3");
  CHECK(text_at(eagle, "speculative-config/model") == "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B");
  const YamlNode sglang = yaml_of(exported(document, 3), "sglang.yaml");
  CHECK(text_at(sglang, "speculative-num-draft-tokens") == "4");
  // No draft model in the plan: the script must not start a server that ignores it.
  const auto trtllm = exported(document, 4);
  CHECK(contents(trtllm, "serve.sh").find("names no EAGLE-3 draft model") != std::string::npos);
}

TEST_CASE("the Kubernetes manifests hang together") {
  const auto files = exported(plan_file("dense_fp8_vllm"));
  const YamlNode deployment = yaml_of(files, "k8s/deployment.yaml");
  const YamlNode service = yaml_of(files, "k8s/service.yaml");
  const YamlNode config = yaml_of(files, "k8s/configmap.yaml");
  const std::string container = "spec/template/spec/containers/0";
  CHECK(text_at(deployment, "apiVersion") == "apps/v1");
  CHECK(text_at(deployment, "kind") == "Deployment");
  CHECK(text_at(deployment, "spec/replicas") == "2");
  CHECK(text_at(deployment, container + "/image") == "vllm/vllm-openai:v0.24.0");
  const YamlNode* limits = at(deployment, container + "/resources/limits");
  REQUIRE(limits != nullptr);
  REQUIRE(limits->find("nvidia.com/gpu") != nullptr);
  CHECK(limits->find("nvidia.com/gpu")->scalar == "1");
  CHECK(text_at(deployment, container + "/env/0/valueFrom/secretKeyRef/optional") == "false");
  for (const char* probe : {"startupProbe", "readinessProbe", "livenessProbe"}) {
    CHECK(text_at(deployment, container + "/" + probe + "/httpGet/path") == "/health");
  }
  const YamlNode* labels = at(deployment, "spec/template/metadata/labels");
  const YamlNode* selector = at(service, "spec/selector");
  const YamlNode* match = at(deployment, "spec/selector/matchLabels");
  REQUIRE(labels != nullptr);
  REQUIRE(selector != nullptr);
  REQUIRE(match != nullptr);
  for (const YamlNode* chosen : {selector, match}) {
    for (const auto& [key, value] : chosen->entries) {
      REQUIRE(labels->find(key) != nullptr);
      CHECK(labels->find(key)->scalar == value.scalar);
    }
  }
  // What is mounted is what serve.sh reads.
  CHECK(text_at(config, "metadata/name") ==
        text_at(deployment, "spec/template/spec/volumes/0/configMap/name"));
  const YamlNode* data = at(config, "data");
  REQUIRE(data != nullptr);
  REQUIRE(data->find("vllm.yaml") != nullptr);
  CHECK(data->find("vllm.yaml")->scalar == contents(files, "vllm.yaml"));
}

TEST_CASE("other accelerators get their own images and resources") {
  const auto amd = exported(plan_file("mi300x_vllm"));
  const YamlNode deployment = yaml_of(amd, "k8s/deployment.yaml");
  CHECK(text_at(deployment, "spec/template/spec/containers/0/image") ==
        "vllm/vllm-openai-rocm:v0.24.0");
  const YamlNode* limits = at(deployment, "spec/template/spec/containers/0/resources/limits");
  REQUIRE(limits != nullptr);
  CHECK(limits->find("amd.com/gpu") != nullptr);
  const YamlNode compose = yaml_of(amd, "docker-compose.yaml");
  CHECK(text_at(compose, "services/replica-0/devices/0") == "/dev/kfd");

  const auto cpu = exported(plan_file("q4_llama_cpp_cpu"));
  CHECK(contents(cpu, "docker-compose.yaml").find("nvidia") == std::string::npos);
  CHECK(contents(cpu, "llama.env").find("LLAMA_ARG_CTX_SIZE=8192\n") != std::string::npos);
}

TEST_CASE("a disaggregated plan becomes a Dynamo graph of both pools") {
  for (const int rank : {1, 2, 3}) {
    INFO("rank " << rank);
    const auto files = exported(plan_file("disaggregated_r1"), rank);
    const YamlNode graph = yaml_of(files, "dynamo/graph.yaml");
    CHECK(text_at(graph, "apiVersion") == "nvidia.com/v1alpha1");
    CHECK(text_at(graph, "kind") == "DynamoGraphDeployment");
    CHECK(text_at(graph, "spec/services/Frontend/componentType") == "frontend");
    CHECK(text_at(graph, "spec/services/PrefillWorker/subComponentType") == "prefill");
    CHECK(text_at(graph, "spec/services/PrefillWorker/replicas") == "1");
    CHECK(text_at(graph, "spec/services/DecodeWorker/replicas") == "2");
    CHECK(text_at(graph, "spec/services/DecodeWorker/resources/limits/gpu") == "8");
    const YamlNode* words = at(graph, "spec/services/DecodeWorker/extraPodSpec/mainContainer/args");
    REQUIRE(words != nullptr);
    bool said = false;
    for (std::size_t i = 0; i + 1 < words->items.size(); ++i) {
      if (words->items[i].scalar != "--disaggregation-mode") continue;
      said = words->items[i + 1].scalar == "decode";
    }
    CHECK(said);
  }
}

TEST_CASE("weights that nobody offers come with the script that makes them") {
  const auto files = exported(plan_file("awq_self_quantised"));
  const std::string script = contents(files, "quantise.sh");
  CHECK(script.find("AWQModifier") != std::string::npos);
  CHECK(script.find("mistralai/Mistral-7B") != std::string::npos);
  CHECK(contents(files, "serve.sh").find("run ./quantise.sh first") != std::string::npos);
}

TEST_CASE("a replica over two nodes runs one command per node") {
  const auto files = exported(plan_file("two_nodes"));
  const YamlNode group = yaml_of(files, "k8s/leaderworkerset.yaml");
  CHECK(text_at(group, "spec/leaderWorkerTemplate/size") == "2");
  const YamlNode* worker =
      at(group, "spec/leaderWorkerTemplate/workerTemplate/spec/containers/0/command");
  REQUIRE(worker != nullptr);
  CHECK(std::any_of(worker->items.begin(), worker->items.end(),
                    [](const YamlNode& word) { return word.scalar == "--headless"; }));
}

TEST_CASE("an argument that the release lacks fails the export") {
  const Scratch scratch;
  const fs::path release = fs::path(scratch.path) / "engines/vllm/0.24.0";
  fs::create_directories(release.parent_path());
  fs::copy(kSource + "/data/engines/vllm/0.24.0", release, fs::copy_options::recursive);
  auto mapping = read_file((release / "mapping.yaml").string());
  REQUIRE(mapping);
  const std::string good = "--max-num-seqs";
  std::size_t replaced = 0;
  for (std::size_t at = 0; (at = mapping->find(good, at)) != std::string::npos; ++replaced) {
    mapping->replace(at, good.size(), "--max-num-seq-s");
  }
  REQUIRE(replaced > 0);
  REQUIRE(write_file_atomic((release / "mapping.yaml").string(), *mapping));
  const std::string told = refusal(plan_file("dense_fp8_vllm"), 1, {}, {scratch.path, kData[0]});
  INFO(told);
  CHECK(told.find("'--max-num-seq-s' is no argument of vllm serve in vllm 0.24.0") !=
        std::string::npos);
  CHECK(told.find("did you mean '--max-num-seqs'?") != std::string::npos);
  CHECK(told.find("mapping.yaml:") != std::string::npos);
}

TEST_CASE("mistakes in a plan are named, all at once") {
  Json document = plan_file("dense_fp8_vllm");
  Json& plan = document["plans"][0];
  SECTION("no such rank") {
    const std::string told = refusal(document, 7);
    CHECK(told.find("no plan of rank 7") != std::string::npos);
    CHECK(told.find("--rank 2") != std::string::npos);
  }
  SECTION("unknown names and wrong types") {
    plan["engine"] = "vlm";
    plan["gpu"] = "l40";
    plan["tp"] = "two";
    plan.erase("kv_format");
    const std::string told = refusal(document);
    INFO(told);
    CHECK(told.find("plans[0].engine: unknown engine 'vlm'") != std::string::npos);
    CHECK(told.find("did you mean 'vllm'?") != std::string::npos);
    CHECK(told.find("plans[0].gpu: unknown GPU 'l40'") != std::string::npos);
    CHECK(told.find("plans[0].tp: expected a whole number from 1 to") != std::string::npos);
    CHECK(told.find("plans[0].kv_format: missing") != std::string::npos);
  }
  SECTION("an unknown release lists the known ones") {
    const std::string told = refusal(document, 1, {"9.9"});
    CHECK(told.find("no data for vllm release '9.9'") != std::string::npos);
    CHECK(told.find("0.24.0") != std::string::npos);
  }
  SECTION("a release is a name, never a path") {
    plan["engine_release"] = "../vllm/0.24.0";
    CHECK(refusal(document).find("no data for vllm release") != std::string::npos);
  }
  SECTION("numbers that contradict each other") {
    plan["tp"] = 4;
    CHECK(refusal(document).find("is not pp x tp x attn_dp = 4") != std::string::npos);
  }
  SECTION("a KV format that the release has no word for") {
    plan["engine"] = "sglang";
    plan["engine_release"] = "0.5.23";
    plan["kv_format"] = "int8";
    const std::string told = refusal(document);
    CHECK(told.find("sglang 0.5.23 has no kv_cache_dtype for kv_format 'int8'") !=
          std::string::npos);
  }
  SECTION("an engine without an image for the GPU") {
    plan["engine"] = "tensorrt_llm";
    plan["engine_release"] = "1.2.1";
    plan["gpu"] = "mi300x";
    CHECK(refusal(document).find("has no container image for") != std::string::npos);
  }
  SECTION("a weights path that a shell or an engine would read otherwise") {
    plan["checkpoint"]["repo"] = "--trust-remote-code";
    CHECK(refusal(document).find("is no repository and no absolute path") != std::string::npos);
    plan["checkpoint"]["repo"] = "a\nb";
    CHECK(refusal(document).find("expected text of 1 to") != std::string::npos);
  }
  SECTION("no document at all") {
    CHECK(refusal(Json::array()).find("expected an object, found a list") != std::string::npos);
    CHECK(refusal(Json(nullptr)).find("expected an object") != std::string::npos);
  }
}

TEST_CASE("an export is written whole or not at all") {
  const Scratch scratch;
  const std::vector<ExportedFile> files = {{"serve.sh", "#!/bin/sh\n", true},
                                           {"k8s/service.yaml", "kind: Service\n", false}};
  const std::string out = scratch.path + "/new/deploy";
  REQUIRE(write_export(files, out));
  CHECK(read_file(out + "/k8s/service.yaml") == "kind: Service\n");
  CHECK(::access((out + "/serve.sh").c_str(), X_OK) == 0);

  const auto refused = write_export(files, out);
  REQUIRE(!refused);
  CHECK(refused.error().exit_code == ExitCode::kUsage);
  CHECK(refused.error().to_string().find("--force") != std::string::npos);

  REQUIRE(write_file_atomic(out + "/stale", "old\n"));
  REQUIRE(write_export(files, out + "/", true));
  CHECK(!file_exists(out + "/stale"));
  CHECK(file_exists(out + "/serve.sh"));

  // A name that cannot be written: nothing of the export stays, and the old one does.
  std::vector<ExportedFile> broken = files;
  broken.push_back({"serve.sh/inside", "x\n", false});
  REQUIRE(!write_export(broken, out, true));
  CHECK(read_file(out + "/serve.sh") == "#!/bin/sh\n");
  std::size_t left = 0;
  for (const auto& entry : fs::directory_iterator(scratch.path + "/new")) {
    INFO(entry.path().string());
    ++left;
  }
  CHECK(left == 1);
}
