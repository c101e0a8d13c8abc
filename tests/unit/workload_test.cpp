// Reading workloads: the shipped files, presets, the original's request, traces, derived figures.
#include "catch.h"

#include <cstdlib>
#include <filesystem>

#include <tensorpath/base/file.h>
#include <tensorpath/workload.h>

using namespace tensorpath;

namespace {

const std::string kData = TENSORPATH_SOURCE_DIR "/data";

Catalog& catalog() {
  static Catalog loaded = [] {
    auto result = Catalog::load({kData});
    if (!result) FAIL(result.error().to_string());
    return std::move(*result);
  }();
  return loaded;
}

Workload read(const std::string& text, const std::string& name = "test.yaml") {
  auto workload = parse_workload(text, name, catalog());
  if (!workload) FAIL(text << "\n" << workload.error().to_string());
  return *workload;
}

bool was_filled(const Workload& workload, const std::string& start) {
  for (const std::string& line : workload.filled) {
    if (line.rfind(start, 0) == 0) return true;
  }
  return false;
}

const std::string kChat = "type: chat\nmodels: [llama-3.1-8b]\n";

}  // namespace

TEST_CASE("the example says what it says") {
  const auto workload = read_workload(kData + "/workloads/support-chat.yaml", catalog());
  if (!workload) FAIL(workload.error().to_string());
  CHECK(workload->name == "support-chat");
  CHECK(workload->models == std::vector<std::string>{"qwen2.5-7b", "llama-3.1-8b"});
  CHECK(workload->isl_tokens.p95 == 6000);
  CHECK(workload->osl_tokens.to_string() == "uniform 100..500");
  CHECK(workload->arrivals.rate_rps == 12);
  CHECK(!workload->prefix.hit_rate);  // null means absent
  CHECK(workload->session.turns == 3);
  CHECK(workload->slo.ttft_ms.p95 == 800);
  CHECK(!workload->slo.ttft_ms.p50);
  CHECK(workload->slo.goodput->min_share == 0.95);
  CHECK(workload->hardware.owned.at(0).usd_per_gpu_hour == 0.9);
  CHECK(workload->cost.override_usd_per_gpu_hour.at("l40s") == 1.10);
  CHECK(workload->availability.spare_replicas == 1);
  CHECK(workload->quality_floor == 0.95);
}

TEST_CASE("every shipped workload reads, and reads back from what it is written as") {
  std::vector<std::string> types;
  for (const std::string& name : list_files(kData + "/workloads", "")) {
    INFO(name);
    const auto workload = read_workload(kData + "/workloads/" + name, catalog());
    if (!workload) FAIL(workload.error().to_string());
    types.push_back(workload->type);
    const Json written = to_json(*workload);
    const Workload again = read(to_text(written), "again.json");
    CHECK(to_line(to_json(again)) == to_line(written));
    CHECK(to_line(to_json(read(to_yaml_text(written)))) == to_line(written));
  }
  for (const std::string& type : workload_types()) {
    INFO(type);
    CHECK(std::find(types.begin(), types.end(), type) != types.end());
  }
}

TEST_CASE("a type and a model are enough, and what was filled is listed") {
  for (const std::string& type : workload_types()) {
    INFO(type);
    const Workload workload = read("type: " + type + "\nmodel: llama-3.1-8b\n");
    CHECK(workload.models == std::vector<std::string>{"llama-3.1-8b"});
    CHECK(workload.name == "test");
    CHECK(workload.isl_tokens.mean() > 0);
    CHECK(workload.osl_tokens.mean() >= 1);
    CHECK(workload.max_context_tokens >=
          workload.isl_tokens.max_value() + workload.osl_tokens.max_value());
    CHECK(was_filled(workload, "requests.isl_tokens = "));
    CHECK(was_filled(workload, "requests.max_context_tokens = "));
    CHECK(was_filled(workload, "cost.region = us-east (default)"));
    CHECK(was_filled(workload, "priority = "));
  }
}

TEST_CASE("the manual names every value of every preset") {
  const auto page = read_file(TENSORPATH_SOURCE_DIR "/man/tensorpath-workload.5");
  REQUIRE(page);
  for (const std::string& type : workload_types()) {
    const std::size_t start = page->find("Preset " + type + "\n");
    REQUIRE(start != std::string::npos);
    const std::string section = page->substr(start, page->find("\n.Ss ", start) - start);
    const std::string rest = page->substr(page->find(".Ss Defaults of every type"));
    for (const PresetRow& row : preset_rows(type)) {
      const std::string item = row.key + ": " + row.value + "\"";
      INFO(type << " " << item);
      CHECK((section.find(item) != std::string::npos || rest.find(item) != std::string::npos));
    }
  }
}

TEST_CASE("every type works with every model, whatever its context") {
  for (const std::string& type : workload_types()) {
    for (const Model& model : catalog().models()) {
      INFO(type << " " << model.name);
      CHECK(read("type: " + type + "\nmodel: " + model.name + "\n").max_context_tokens <=
            model.max_context_tokens);
    }
  }
}

TEST_CASE("what the file says is never filled or changed") {
  const Workload workload = read(kChat +
                                 "priority: cost\nrequests: {isl_tokens: 3000}\n"
                                 "arrivals: {rate_rps: 3.5}\n");
  CHECK(workload.priority == Priority::kCost);
  CHECK(workload.isl_tokens.value == 3000);
  CHECK(workload.arrivals.rate_rps == 3.5);
  CHECK(!was_filled(workload, "priority"));
  CHECK(!was_filled(workload, "requests.isl_tokens"));
  CHECK(!was_filled(workload, "arrivals.rate_rps"));
  CHECK(was_filled(workload, "requests.osl_tokens"));
}

TEST_CASE("a stated objective keeps the preset's objectives out") {
  const Workload workload = read(kChat + "slo: {ttft_ms: {p95: 300}}\n");
  CHECK(workload.slo.ttft_ms.p95 == 300);
  CHECK(!workload.slo.tpot_ms.any());
  CHECK(read(kChat).slo.tpot_ms.any());
}

TEST_CASE("a preset's history does not join prompts that the file gives") {
  CHECK(read("type: agent\nmodel: llama-3.1-8b\n").session.turns > 1);
  CHECK(read("type: agent\nmodel: llama-3.1-8b\nrequests: {isl_tokens: 4000}\n").session.turns ==
        1);
}

TEST_CASE("preset lengths shrink to the context; the file's own never do") {
  const Workload workload = read(kChat + "requests: {max_context_tokens: 2048}\n");
  CHECK(workload.isl_tokens.max_value() + workload.osl_tokens.max_value() <= 2048);
  CHECK(was_filled(workload, "requests.isl_tokens = lognormal"));
  CHECK(!parse_workload(kChat + "requests: {max_context_tokens: 2048, isl_tokens: 3000}\n", "t",
                        catalog()));
}

TEST_CASE("arrivals are known by their keys") {
  using Kind = Arrivals::Kind;
  CHECK(read(kChat + "arrivals: {concurrency: 8}\n").arrivals.kind == Kind::kClosed);
  CHECK(read(kChat + "arrivals: {count: 100}\n").arrivals.kind == Kind::kAllAtOnce);
  CHECK(read(kChat + "arrivals: {rate_rps: 2, cv: 3}\n").arrivals.cv == 3);
  CHECK(read(kChat + "arrivals: {rate_rps: 2}\n").arrivals.kind == Kind::kPoisson);
  CHECK(read(kChat + "arrivals: {kind: gamma, rate_rps: 2}\n").arrivals.cv == 2);
}

TEST_CASE("owned hardware and no rate ask for the load") {
  const Workload workload =
      read(kChat + "hardware: {owned: [{gpu: h100, count: 8, usd_per_gpu_hour: 1}]}\n");
  CHECK(workload.arrivals.open());
  CHECK(workload.arrivals.rate_rps == 0);
  CHECK(workload.hardware.owned.at(0).gpu == "h100_sxm");  // an alias becomes the name
  CHECK(to_json(workload)["arrivals"]["rate_rps"].is_null());
}

TEST_CASE("an empty list of owned hardware asks for nothing") {
  CHECK(read(kChat + "hardware: {owned: []}\n").arrivals.rate_rps == 6);
}

TEST_CASE("the original's JSON request is a workload") {
  const Workload workload =
      read(R"({"model_id":"qwen2.5-7b","workload_type":"chat","optimization_priority":"cost",)"
           R"("constraints":{"max_p95_latency_ms":250,"max_monthly_budget_usd":300,)"
           R"("min_throughput_tps":50}})",
           "request.json");
  CHECK(workload.models == std::vector<std::string>{"qwen2.5-7b"});
  CHECK(workload.type == "chat");
  CHECK(workload.priority == Priority::kCost);
  CHECK(workload.slo.ttft_ms.p95 == 250);
  CHECK(workload.cost.max_usd_per_month == 300);
  CHECK(workload.slo.min_output_tok_s == 50);
  // It sized no load, so one request at a time is what it asks for.
  CHECK(workload.arrivals.kind == Arrivals::Kind::kClosed);
  CHECK(workload.arrivals.concurrency == 1);
  CHECK(was_filled(workload, "arrivals.concurrency = 1 (preset of the original's requests)"));
}

TEST_CASE("the original's compare request names several models") {
  const Workload workload = read(
      "{\n\t\"model_ids\": [\"qwen2.5-7b\", \"llama3.2-3b\"],\n\t\"workload_type\": \"chat\",\n"
      "\t\"optimization_priority\": \"balanced\"\n}\n");
  CHECK(workload.models == std::vector<std::string>{"qwen2.5-7b", "llama-3.2-3b"});
}

TEST_CASE("a workload in braces is read whether it is JSON or YAML") {
  CHECK(read("{\"type\": \"chat\", \"models\": [\"llama-3.1-8b\"]}").type == "chat");
  CHECK(read("{type: chat, models: [llama-3.1-8b]}").type == "chat");
}

TEST_CASE("the prefix hit rate follows the formula of the manual") {
  Workload workload = read(kChat +
                           "requests: {isl_tokens: 1000, osl_tokens: 200}\n"
                           "prefix: {stable_tokens: 400}\n");
  CHECK(workload.prefix_hit_rate() == Approx(0.4));
  CHECK(workload.mean_prompt_tokens() == 1000);
  workload.session.turns = 3;
  workload.session.turn_input_tokens = 100;
  // Prompts 1000, 1300, 1600; found 400, 1200, 1500.
  CHECK(workload.prefix_hit_rate() == Approx(3100.0 / 3900));
  CHECK(workload.mean_prompt_tokens() == 1300);
  workload.prefix.hit_rate = 0.25;
  CHECK(workload.prefix_hit_rate() == 0.25);
}

TEST_CASE("a shared prefix longer than some prompts counts for what they have") {
  const Workload workload = read(kChat +
                                 "requests: {isl_tokens: {dist: uniform, min: 100, max: 300}, "
                                 "osl_tokens: 10}\nprefix: {stable_tokens: 300}\n");
  CHECK(workload.prefix_hit_rate() == Approx(1.0));
}

TEST_CASE("traces are read next to the workload file") {
  std::string pattern = (std::filesystem::temp_directory_path() / "tensorpath-wl-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  REQUIRE(write_file_atomic(pattern + "/lengths.txt", "# tokens\n300\n\n100 # short\r\n200\n"));
  REQUIRE(write_file_atomic(pattern + "/arrivals.txt", "0\n0.5\n1.0\n2.0\n"));
  REQUIRE(write_file_atomic(pattern + "/w.yaml",
                            kChat + "requests: {isl_tokens: {trace: lengths.txt}, osl_tokens: 50}\n"
                                    "arrivals: {kind: trace, file: arrivals.txt}\n"));
  const auto workload = read_workload(pattern + "/w.yaml", catalog());
  std::filesystem::remove_all(pattern);
  if (!workload) FAIL(workload.error().to_string());
  CHECK(workload->isl_tokens.sample == std::vector<double>{100, 200, 300});
  CHECK(workload->arrivals.rate_rps == Approx(1.5));
  CHECK(workload->arrivals.cv == Approx(0.35355339));
}

TEST_CASE("the same input gives the same workload, byte for byte") {
  const std::string text = kChat + "requests: {isl_tokens: {p50: 700, p95: 2100}}\n";
  CHECK(to_text(to_json(read(text))) == to_text(to_json(read(text))));
  CHECK(read(text).filled == read(text).filled);
}

TEST_CASE("what is no file is named by its type") {
  CHECK(read(kChat, "<flags>").name == "chat");
  CHECK(read(kChat, "<stdin>").name == "chat");
  CHECK(read(kChat, "dir/support.yaml").name == "support");
}

TEST_CASE("answers of one token drop a preset's bound on TPOT and no other") {
  const Workload one = read(kChat + "requests: {osl_tokens: {dist: uniform, min: 1, max: 1}}\n");
  CHECK(!one.slo.tpot_ms.any());
  CHECK(one.slo.ttft_ms.p95 == 2000);
  CHECK(!was_filled(one, "slo.tpot_ms.p95"));
  const Workload two = read(kChat + "requests: {osl_tokens: 2}\n");
  CHECK(two.slo.tpot_ms.p95 == 100);
  CHECK(was_filled(two, "slo.tpot_ms.p95"));
}

TEST_CASE("regions are those of the prices, as people write them") {
  CHECK(read(kChat + "cost: {region: any}\n").cost.region == "any");
  CHECK(read(kChat + "cost: {region: US-East}\n").cost.region == "US-East");
  // One without prices of its own is no mistake; one that is nearly a known one is.
  CHECK(read(kChat + "cost: {region: atlantis}\n").cost.region == "atlantis");
  const auto misspelt = parse_workload(kChat + "cost: {region: us-eats}\n", "w.yaml", catalog());
  REQUIRE_FALSE(misspelt);
  CHECK(misspelt.error().to_string().find("us-east") != std::string::npos);
}
