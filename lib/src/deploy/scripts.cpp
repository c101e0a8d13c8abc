// serve.sh, bench.sh and quantise.sh.
#include "shell.h"
#include "writers.h"

#include <algorithm>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

std::string script_head(const Launch& launch, const std::string& what) {
  return fmt::format(
      "#!/usr/bin/env bash\n# {}\n# {}\nset -euo pipefail\ncd \"$(dirname "
      "\"${{BASH_SOURCE[0]}}\")\"\n",
      what, provenance_line(launch));
}

// What must be there before an engine starts, each with the way to mend it.
std::string requirements(const Launch& launch) {
  std::string text;
  if (launch.point->gated) {
    text +=
        ": \"${HF_TOKEN:?the weights are gated: accept the licence on Hugging Face, then export "
        "HF_TOKEN}\"\n";
  }
  if (launch.weights.quantise_first) {
    text += fmt::format(
        "if [ ! -e {0} ]; then\n  echo \"{0} is not there: run ./quantise.sh first\" >&2\n"
        "  exit 3\nfi\n",
        launch.weights.argument);
  }
  if (launch.point->spec.method == "eagle3" && launch.point->spec.draft_repo.empty()) {
    // The bracket keeps the pattern from finding itself.
    text += fmt::format(
        "if grep -qs 'SET-THE-[D]RAFT-MODEL' serve.sh {0}; then\n"
        "  echo \"the plan names no EAGLE-3 draft model: write one into {1}\" >&2\n"
        "  exit 3\nfi\n",
        launch.mapping.config.file,
        launch.mapping.gguf_weights ? "serve.sh" : launch.mapping.config.file);
  }
  for (const auto& [name, value] : launch.environment) {
    text += fmt::format("export {}={}\n", name, shell_quote(value));
  }
  return text;
}

constexpr const char* kMeasuredHead =
    "model,gpu,n_gpus,backend,backend_version,quant,tp,ep,attention_dp,concurrency,isl,osl,"
    "length_ratio,ttft_ms_mean,tpot_ms_mean,measured_on,origin";

// Python that turns the benchmark's own output into "ttft tpot" in ms.
std::string result_reader(const std::string& style) {
  if (style == "sglang") {
    return "row = json.loads(open(sys.argv[1]).read().strip().splitlines()[-1])\n"
           "print(row['mean_ttft_ms'], row['mean_tpot_ms'])\n";
  }
  if (style == "batched") {
    return "rows = [json.loads(l) for l in open(sys.argv[1]) if l.startswith('{')]\n"
           "row = rows[-1]\n"
           "print(1000 * row['t_pp'], 1000 * row['t_tg'] / row['tg'])\n";
  }
  return "row = json.load(open(sys.argv[1]))\nprint(row['mean_ttft_ms'], row['mean_tpot_ms'])\n";
}

std::string backend_name(const std::string& engine) {
  return engine == "tensorrt_llm" ? "trtllm" : engine;
}

// A cell of RFC 4180.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

// Appends one row for `tensorpath validate --measured`: a replica with its share of the closed
// loop.
std::string measured_part(const Launch& launch, const Facts& facts) {
  const PlanPoint& point = *launch.point;
  const Pool& pool = point.serve;
  if (point.disaggregated()) {
    return "record() { :; }  # rows of measured.csv describe aggregated serving\n\n";
  }
  const std::string fixed =
      fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},1.0", csv_cell(point.model_name),
                  pool.gpu->name, pool.gpus_per_replica, backend_name(point.engine->name),
                  csv_cell(launch.mapping.release), csv_cell(point.weight_format), pool.tp, pool.ep,
                  pool.attn_dp, (bench_concurrency(point) + pool.replicas - 1) / pool.replicas,
                  facts.text("bench_isl"), facts.text("bench_osl"));
  return fmt::format(
      "record() {{\n"
      "  read -r ttft tpot < <(python3 - \"$1\" <<'PYTHON'\n"
      "import json\nimport sys\n\n{}PYTHON\n  )\n"
      "  [ -e measured.csv ] || echo {} > measured.csv\n"
      "  echo {}\",$ttft,$tpot,$(date +%F),bench.sh\" >> measured.csv\n"
      "  echo \"added a row to measured.csv; compare: tensorpath validate --measured "
      "measured.csv\"\n"
      "}}\n\n",
      result_reader(launch.mapping.bench_result), kMeasuredHead, shell_quote(fixed));
}

Expected<std::string> bench_command(const Launch& launch, bool closed, Facts& facts) {
  facts = launch.facts;
  add_bench_facts(*launch.point, closed, facts);
  const CommandMapping& bench = launch.mapping.bench;
  auto arguments = apply_rules(bench.arguments, bench.flags, facts, launch.mapping);
  if (!arguments) return tl::unexpected(arguments.error());
  std::vector<std::vector<Word>> rows(1);
  for (const std::string& word : bench.command) rows[0].push_back({word, "", ""});
  for (auto& row : rows_of(*arguments)) rows.push_back(std::move(row));
  const bool batched = launch.mapping.bench_result == "batched";
  return shell_command(rows, "    ", "\"$@\"") + (batched ? " | tee \"$RESULT\"" : "");
}

std::string bench_usage(const Launch& launch) {
  const bool batched = launch.mapping.bench_result == "batched";
  std::string text = "# Usage: ./bench.sh [load|closed] [further arguments of the benchmark]\n";
  text += "#   load    the workload's lengths and arrivals: compare with README.md\n";
  text += "#   closed  fixed lengths in a closed loop: adds a row to measured.csv\n";
  if (batched) text += "# It loads the model by itself: stop the server first.\n";
  if (!launch.point->load.lengths_known) {
    text +=
        "# The workload takes its lengths from a trace; these are the defaults, set your own.\n";
  }
  if (launch.point->serve.replicas > 1 || launch.point->disaggregated()) {
    text += "# BASE_URL must reach the whole deployment: its load balancer, Service or frontend.\n";
  }
  return text;
}

}  // namespace

std::string provenance_line(const Launch& launch) {
  std::string name =
      launch.point->workload_name.empty() ? "(no name)" : launch.point->workload_name;
  // Markdown would read these in the README.
  const auto is_markup = [](char c) { return c == '`' || c == '|' || c == '<'; };
  std::replace_if(name.begin(), name.end(), is_markup, ' ');
  return comment_text(
      fmt::format("Written by `tensorpath deploy` from plan rank {} of workload '{}'",
                  launch.point->rank, name));
}

std::string serve_script(const Launch& launch) {
  const PlanPoint& point = *launch.point;
  std::string text = script_head(
      launch, comment_text(fmt::format("One replica of {}: {}. Further arguments go last and win.",
                                       point.model_name, launch.headline())));
  text += requirements(launch);
  if (launch.mapping.config.style == ConfigMapping::Style::kEnvironment) {
    text += fmt::format("set -a\n. ./{}\nset +a\n", launch.mapping.config.file);
  }
  if (launch.nodes() > 1 && launch.mapping.arguments_span_nodes) {
    text += fmt::format(
        "# A replica spans {} nodes: run this on each, with the same MASTER_ADDR.\n"
        ": \"${{MASTER_ADDR:?the address of the first node}}\"\n"
        ": \"${{NODE_RANK:?0 on the first node, then 1, 2, ...}}\"\n"
        "if [ \"$NODE_RANK\" != 0 ]; then\n  exec {}\nfi\n",
        launch.nodes(), shell_command(launch.worker_command, "    ", "\"$@\""));
  }
  return text + "exec " + shell_command(launch.command, "  ", "\"$@\"") + "\n";
}

Expected<std::string> bench_script(const Launch& launch) {
  Facts open;
  Facts closed;
  auto load_command = bench_command(launch, false, open);
  if (!load_command) return tl::unexpected(load_command.error());
  auto closed_command = bench_command(launch, true, closed);
  if (!closed_command) return tl::unexpected(closed_command.error());

  std::string text = script_head(
      launch,
      fmt::format("Measures what was predicted, with {}'s own benchmark.", launch.mapping.label()));
  text.insert(text.find("set -euo"), bench_usage(launch));
  text += fmt::format(
      "export BASE_URL=${{BASE_URL:-http://127.0.0.1:{}}}\nmode=${{1:-load}}\n[ $# -gt 0 ] && "
      "shift\n"
      "export RESULT=\"$PWD/bench-$mode.json\"\n\n",
      launch.mapping.port);
  text += measured_part(launch, closed);
  text += fmt::format(
      "case $mode in\n  load)\n    {}\n    ;;\n  closed)\n    rm -f \"$RESULT\"\n    {}\n"
      "    record \"$RESULT\"\n    ;;\n  *)\n    echo \"usage: ./bench.sh [load|closed]\" >&2\n"
      "    exit 2\n    ;;\nesac\n",
      *load_command, *closed_command);
  return text;
}

Expected<std::string> quantise_script(const Launch& launch) {
  if (!launch.weights.quantise_first) return std::string();
  auto recipe =
      read_template(launch.mapping, fmt::format("quantise_{}.sh", launch.point->weight_format));
  if (!recipe) return tl::unexpected(recipe.error());
  if (!*recipe) return std::string();
  return script_head(launch, comment_text(fmt::format(
                                 "Makes the {} weights of {} that serve.sh loads.",
                                 launch.point->weight_format, launch.point->model_name))) +
         fmt::format("BASE_MODEL=${{BASE_MODEL:-{}}}\nOUTPUT={}\n\n",
                     shell_quote(launch.weights.original), shell_quote(launch.weights.argument)) +
         **recipe;
}

}  // namespace tensorpath::deploy
