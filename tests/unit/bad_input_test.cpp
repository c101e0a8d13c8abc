// Every kind of bad workload: the place, what is wrong and how to mend it.
#include "catch.h"

#include <cstdlib>
#include <filesystem>

#include <tensorpath/base/file.h>
#include <tensorpath/workload.h>

using namespace tensorpath;

namespace {

Catalog& catalog() {
  static Catalog loaded = [] {
    auto result = Catalog::load({TENSORPATH_SOURCE_DIR "/data"});
    if (!result) FAIL(result.error().to_string());
    return std::move(*result);
  }();
  return loaded;
}

std::string error_of(const std::string& text, const std::string& name = "w.yaml") {
  const auto workload = parse_workload(text, name, catalog());
  if (workload) return "accepted";
  CHECK(workload.error().exit_code == ExitCode::kUsage);
  return workload.error().to_string();
}

void check_says(const std::string& text, const std::vector<std::string>& parts) {
  const std::string error = error_of(text);
  for (const std::string& part : parts) {
    INFO(text << "\n-> " << error << "\nmisses: " << part);
    CHECK(error.find(part) != std::string::npos);
  }
}

// Two lines, so that what follows starts in line 3.
const std::string kChat = "type: chat\nmodels: [llama-3.1-8b]\n";

}  // namespace

TEST_CASE("unknown keys get the nearest one") {
  check_says(kChat + "pritority: cost\n",
             {"w.yaml:3:1: unknown key 'pritority'", "did you mean 'priority'?"});
  check_says(kChat + "hardware: {max_gpu: 3}\n", {"w.yaml:3:12:", "did you mean 'max_gpus'?"});
}

TEST_CASE("a key without its unit is asked for it") {
  check_says(kChat + "slo: {ttft: 800}\n",
             {"w.yaml:3:7: unknown key 'ttft' in slo", "did you mean 'ttft_ms'?"});
  check_says(kChat + "arrivals: {rate: 3}\n", {"did you mean 'rate_rps'?"});
  check_says(kChat + "requests: {isl: 3}\n", {"did you mean 'isl_tokens'?"});
}

TEST_CASE("a unit in the value is told where it belongs") {
  check_says(kChat + "slo: {ttft_ms: {p95: 800ms}}\n",
             {"w.yaml:3:22: slo.ttft_ms.p95 is '800ms', expected a number",
              "the unit is in the key's name"});
}

TEST_CASE("a bound without its percentile is shown how to write it") {
  check_says(kChat + "slo: {ttft_ms: 800}\n",
             {"w.yaml:3:16: slo.ttft_ms is a number", "write ttft_ms: {p95: 800}"});
}

TEST_CASE("wrong types are named") {
  check_says(kChat + "session: 3\n", {"w.yaml:3:10: session is '3', expected a mapping"});
  check_says(kChat + "requests: {osl_tokens: [1]}\n",
             {"w.yaml:3:24: requests.osl_tokens is a list, expected a number"});
  check_says(kChat + "arrivals: {rate_rps: '12'}\n", {"w.yaml:3:22:", "without quotes"});
  check_says(kChat + "session: {turns: 1.5}\n", {"w.yaml:3:18:", "expected a whole number"});
  check_says(kChat + "hardware: {owned: h100}\n", {"w.yaml:3:19: hardware.owned is text"});
}

TEST_CASE("unknown names get the nearest one") {
  check_says("type: chat\nmodels: [qwen2.5-7b, llama-3.1-8bb]\n",
             {"w.yaml:2:22: unknown model 'llama-3.1-8bb'", "did you mean 'llama-3.1-8b'?"});
  check_says(kChat + "hardware: {allow: [l40s, h100_smx]}\n",
             {"w.yaml:3:26: unknown GPU 'h100_smx'", "did you mean 'h100_sxm'?"});
  check_says(kChat + "cost: {overrides: [{gpu: l40ss, usd_per_gpu_hour: 1}]}\n",
             {"w.yaml:3:26: unknown GPU 'l40ss'", "did you mean 'l40s'?"});
  check_says("type: caht\nmodels: [llama-3.1-8b]\n",
             {"w.yaml:1:7: type is 'caht', expected one of: chat", "did you mean 'chat'?"});
  check_says(kChat + "priority: latancy\n", {"w.yaml:3:11:", "did you mean 'latency'?"});
}

TEST_CASE("a name cannot move the cursor") {
  check_says(kChat + "name: \"a\\e[2J\"\n", {"w.yaml:3:7: name holds a control character"});
}

TEST_CASE("what is missing is named") {
  check_says("models: [llama-3.1-8b]\n", {"w.yaml:1:1: type is missing", "chat, codegen"});
  check_says("type: chat\n", {"w.yaml:1:1: models is missing"});
  check_says("type: chat\nmodels: []\n", {"w.yaml:2:9: models is missing"});
  check_says("", {"w.yaml:1:1: the document is empty, expected a mapping"});
  check_says("- a\n", {"w.yaml:1:1: the document is a list, expected a mapping"});
  check_says(kChat + "arrivals: {kind: closed}\n", {"arrivals.concurrency is missing"});
  check_says("type: batch\nmodel: llama-3.1-8b\narrivals: {kind: poisson}\n",
             {"w.yaml:3:11: arrivals.rate_rps is missing"});
}

TEST_CASE("YAML that could hide something is refused") {
  check_says(kChat + "slo:\n  ttft_ms: {p95: 1}\n  ttft_ms: {p95: 2}\n",
             {"w.yaml:5:3: key 'ttft_ms' appears twice", "the first is in line 4"});
  check_says("type: chat\nmodels:\n\t- llama-3.1-8b\n",
             {"w.yaml:3:1: a tab indents this line", "use spaces"});
  check_says("type: &t chat\nmodels: [llama-3.1-8b]\nname: *t\n", {"w.yaml:1:7: anchors"});
  check_says("type: !!str chat\n", {"w.yaml:1:7: tags"});
  check_says(kChat + "---\ntype: chat\n", {"w.yaml:3:1: a second document"});
}

TEST_CASE("a file of 10 MB is refused before it is read") {
  const std::string path =
      (std::filesystem::temp_directory_path() / "tensorpath-ten-megabytes.yaml").string();
  REQUIRE(write_file_atomic(path, kChat + "# " + std::string(10'000'000, 'x')));
  const auto workload = read_workload(path, catalog());
  std::filesystem::remove(path);
  REQUIRE(!workload);
  CHECK(workload.error().to_string().find("is larger than 1 MiB") != std::string::npos);
  CHECK(error_of(kChat + "# " + std::string(10'000'000, 'x')).find("larger than 1 MiB") !=
        std::string::npos);
}

TEST_CASE("negative, infinite and absurd numbers are refused") {
  check_says(kChat + "arrivals: {rate_rps: -3}\n", {"w.yaml:3:22: arrivals.rate_rps is -3"});
  check_says(kChat + "slo: {ttft_ms: {p95: .nan}}\n", {"w.yaml:3:22:", "must be finite"});
  check_says(kChat + "slo: {ttft_ms: {p95: nan}}\n", {"w.yaml:3:22:", "must be finite"});
  check_says(kChat + "slo: {ttft_ms: {p95: -.inf}}\n", {"w.yaml:3:22:", "must be finite"});
  check_says(kChat + "arrivals: {rate_rps: 1e999}\n", {"w.yaml:3:22:", "too large"});
  check_says(kChat + "cost: {max_usd_per_month: 0}\n", {"w.yaml:3:27:", "more than 0"});
  check_says(kChat + "requests: {isl_tokens: 0}\n", {"w.yaml:3:24:", "between 1 and"});
  check_says(kChat + "availability: {max_utilization: 1.4}\n", {"at most 1"});
  check_says(kChat + "cost: {max_usd_per_month: 12,000}\n",
             {"write numbers without ',' between the digits"});
}

TEST_CASE("contradictory objectives name both places") {
  check_says(
      kChat + "slo: {ttft_ms: {p50: 900, p95: 800}}\n",
      {"w.yaml:3:22: slo.ttft_ms.p50 is 900, more than slo.ttft_ms.p95 of 800 (w.yaml:3:32)"});
  check_says(
      kChat + "slo: {ttft_ms: {p95: 800}, e2e_ms: {p95: 500}}\n",
      {"w.yaml:3:42: slo.e2e_ms.p95 is 500, less than slo.ttft_ms.p95 of 800 (w.yaml:3:22)"});
  check_says(kChat + "slo: {tpot_ms: {p50: 40}, min_tok_s_user: 50}\n",
             {"w.yaml:3:43: slo.min_tok_s_user of 50 is a median TPOT of 20 ms",
              "slo.tpot_ms.p50 of 40 (w.yaml:3:22)"});
  check_says(
      kChat + "slo: {ttft_ms: {p95: 800}, goodput: {ttft_ms: 400}}\n",
      {"slo.goodput.ttft_ms is 400 for 95% of requests, tighter than slo.ttft_ms.p95 of 800"});
  check_says(kChat + "slo: {ttft_ms: {p95: 800}, goodput: {ttft_ms: 900}}\n",
             {"looser than slo.ttft_ms.p95 of 800"});
  check_says(kChat + "slo: {goodput: {min_share: 0.9}}\n", {"slo.goodput has no threshold"});
  check_says("type: embedding\nmodel: llama-3.2-1b\nslo: {tpot_ms: {p95: 30}}\n",
             {"w.yaml:3:16: slo.tpot_ms is bounded, but every answer is one token"});
}

TEST_CASE("objectives that only look alike are accepted") {
  CHECK(error_of(kChat + "slo: {ttft_ms: {p95: 800}, goodput: {ttft_ms: 800}}\n") == "accepted");
  CHECK(error_of(kChat + "slo: {tpot_ms: {p95: 40}, min_tok_s_user: 50}\n") == "accepted");
  CHECK(error_of(kChat + "slo: {tpot_ms: {p50: 30}, min_tok_s_user: 33}\n") == "accepted");
  CHECK(error_of(kChat + "slo: {ttft_ms: {p50: 800}, e2e_ms: {p95: 500}}\n") == "accepted");
}

TEST_CASE("contradictions between other keys name both places") {
  check_says(kChat + "arrivals: {kind: closed, concurrency: 8, rate_rps: 3}\n",
             {"w.yaml:3:52: arrivals.rate_rps does not go with kind closed (w.yaml:3:18)"});
  check_says(kChat +
                 "requests: {isl_tokens: {dist: uniform, min: 100, max: 9000}, osl_tokens: 500, "
                 "max_context_tokens: 8192}\n",
             {"w.yaml:3:24: the longest prompt of 9000 and the longest answer of 500",
              "requests.max_context_tokens of 8192 (w.yaml:3:99)", "raise", "9500"});
  check_says(kChat + "requests: {isl_tokens: {dist: uniform, min: 9, max: 3}}\n",
             {"requests.isl_tokens.min is 9, more than max of 3 (w.yaml:3:53)"});
  check_says(kChat + "requests: {isl_tokens: {p50: 900, p95: 300}}\n",
             {"requests.isl_tokens.p50 is 900, more than p95 of 300 (w.yaml:3:40)"});
  check_says(kChat + "requests: {isl_tokens: 500}\nprefix: {stable_tokens: 800}\n",
             {"w.yaml:4:25: 800 shared tokens", "longest prompt of 500 (w.yaml:3:24)"});
  check_says(kChat + "hardware: {allow: [l40s], owned: [{gpu: h100, count: 8}]}\n",
             {"w.yaml:3:34: hardware.owned has h100_sxm", "hardware.allow (w.yaml:3:19)"});
  check_says(kChat + "requests: {max_context_tokens: 5000000}\n",
             {"w.yaml:3:32: requests.max_context_tokens is 5000000, but llama-3.1-8b takes"});
  check_says("type: chat\nmodels: [llama-3.1-8b, llama-3.1-8b]\n",
             {"w.yaml:2:24: models names llama-3.1-8b twice"});
  check_says(kChat + "session: {turns: 1000, turn_input_tokens: 1000}\n",
             {"w.yaml:3:18: turn 1000 holds"});
}

TEST_CASE("several mistakes are reported at once, in file order") {
  const auto workload = parse_workload(
      "type: chat\nmodels: [foo]\nslo: {ttft: 1}\narrivals: {rate_rps: x}\nprioritty: cost\n",
      "w.yaml", catalog());
  REQUIRE(!workload);
  std::vector<int> lines;
  for (const Diagnostic& found : workload.error().diagnostics) lines.push_back(found.where.line);
  CHECK(lines == std::vector<int>{2, 3, 4, 5});
}

TEST_CASE("an unreadable value brings no second complaint with it") {
  const auto workload = parse_workload(
      kChat + "requests: {isl_tokens: many, osl_tokens: few, max_context_tokens: 100}\n", "w.yaml",
      catalog());
  REQUIRE(!workload);
  CHECK(workload.error().diagnostics.size() == 2);
}

TEST_CASE("mistakes in the original's request stand where they are in it") {
  check_says(
      "{\"model_id\": \"qwen2.5-7b\",\n \"workload_type\": \"chta\",\n"
      " \"constraints\": {\"max_p95_latency\": 3}}",
      {"w.yaml:2:19: type is 'chta'", "w.yaml:3:18: unknown key 'max_p95_latency'",
       "did you mean 'max_p95_latency_ms'?"});
  CHECK(error_of("{\"model_id\": \"qwen2.5-7b\",}", "request.json").find("request.json:1:27: ") ==
        0);
  CHECK(error_of("{\"model_id\": 1, \"model_id\": 2}", "request.json").find("appears twice") !=
        std::string::npos);
}

TEST_CASE("mistakes in a trace name its line") {
  const std::string path =
      (std::filesystem::temp_directory_path() / "tensorpath-bad-trace.txt").string();
  REQUIRE(write_file_atomic(path, "12\nabc\n-1\n"));
  check_says(kChat + "requests: {isl_tokens: {trace: " + path + "}}\n",
             {path + ":2:1: 'abc' is no length", path + ":3:1: '-1' is no length"});
  REQUIRE(write_file_atomic(path, "1\n5\n3\n"));
  check_says(kChat + "arrivals: {kind: trace, file: " + path + "}\n",
             {path + ":3:1: arrival at 3 s comes before the one above it", "sort the file"});
  REQUIRE(write_file_atomic(path, "# nothing\n"));
  check_says(kChat + "requests: {isl_tokens: {trace: " + path + "}}\n", {"the trace is empty"});
  std::filesystem::remove(path);
  check_says(kChat + "requests: {isl_tokens: {trace: " + path + "}}\n", {"no such trace file"});
  check_says(kChat + "requests: {isl_tokens: {trace: /dev/zero}}\n", {"no such trace file"});
}
