// README.md of an export: what runs, from which weights, what to expect of it and how to check.
#include "shell.h"
#include "writers.h"

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

// A Markdown cell or paragraph of untrusted text: one line, no table or code breaks.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : comment_text(text)) {
    if (c == '|' || c == '`' || c == '<') out += '\\';
    out += c;
  }
  return out;
}

std::optional<double> number_at(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::string shown(const std::optional<double>& value) { return value ? human_number(*value) : "-"; }

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string band_text(const Json& metric) {
  if (!metric.is_object() || !metric.contains("band")) return "-";
  const Json& band = metric["band"];
  const auto lo = number_at(band, "lo");
  const auto hi = number_at(band, "hi");
  const auto level = number_at(band, "level");
  if (!lo || !hi || !level || *level <= 0) return "-";
  const std::string of = text_at(band, "of");
  return fmt::format("{} to {} ({:.0f}%{}{})", human_number(*lo), human_number(*hi), *level * 100,
                     of.empty() ? "" : " of ", plain(of));
}

std::string prediction_part(const Launch& launch) {
  struct Row {
    const char* key;
    const char* title;
    const char* bench;
  };
  static constexpr Row kLatencies[] = {{"ttft_ms", "TTFT, ms", "ttft"},
                                       {"tpot_ms", "TPOT, ms", "tpot"},
                                       {"e2e_ms", "end to end, ms", "e2el"}};
  static constexpr Row kRates[] = {{"output_tok_s", "output tokens/s", ""},
                                   {"tok_s_gpu", "tokens/s/GPU", ""},
                                   {"tok_s_user", "tokens/s/user", ""},
                                   {"goodput_rps", "goodput, requests/s", ""}};
  const Json& metrics = launch.point->metrics;
  if (!metrics.is_object() || metrics.empty()) return "";
  std::string text =
      "## What to expect\n\n"
      "| | mean | p50 | p95 | band | how it is known |\n|---|---:|---:|---:|---|---|\n";
  for (const Row& row : kLatencies) {
    const auto found = metrics.find(row.key);
    if (found == metrics.end() || !found->is_object()) continue;
    text += fmt::format("| {} (`{}`) | {} | {} | {} | {} | {} |\n", row.title, row.bench,
                        shown(number_at(*found, "mean")), shown(number_at(*found, "p50")),
                        shown(number_at(*found, "p95")), band_text(*found),
                        plain(text_at(*found, "provenance")));
  }
  for (const Row& row : kRates) {
    const auto found = metrics.find(row.key);
    if (found == metrics.end() || !found->is_object()) continue;
    text += fmt::format("| {} | {} | | | {} | {} |\n", row.title, shown(number_at(*found, "value")),
                        band_text(*found), plain(text_at(*found, "provenance")));
  }
  if (const auto usd = number_at(launch.point->cost, "usd_per_month")) {
    text += fmt::format("\n{} a month for {} GPU{}.\n", human_usd(*usd), launch.point->gpu_count,
                        launch.point->gpu_count == 1 ? "" : "s");
  }
  return text + "\n";
}

std::string weights_part(const Launch& launch) {
  const PlanPoint& point = *launch.point;
  std::string text = "## Weights\n\n";
  if (!launch.weights.quantise_first) {
    text += fmt::format("`{}`{}.\n", comment_text(launch.weights.argument),
                        launch.weights.on_hub ? " from Hugging Face" : " on every host");
  } else {
    text += fmt::format(
        "No {} checkpoint of {} is known, so make one from `{}`: `{}` is where it is expected.\n",
        plain(point.weight_format), plain(point.model_name), comment_text(launch.weights.original),
        comment_text(launch.weights.argument));
    if (!point.checkpoint_how.empty()) text += "\n" + plain(point.checkpoint_how) + "\n";
  }
  if (point.gated) {
    text += fmt::format(
        "\nThe licence must be accepted on Hugging Face first; then `export HF_TOKEN=...`, and on "
        "Kubernetes\n`kubectl create secret generic {} --from-literal={}=\"$HF_TOKEN\"`.\n",
        point.disaggregated() ? "hf-token-secret" : "hf-token",
        point.disaggregated() ? "HF_TOKEN" : "token");
  }
  return text + "\n";
}

bool has_file(const std::vector<ExportedFile>& files, const std::string& path) {
  for (const ExportedFile& file : files) {
    if (file.path == path) return true;
  }
  return false;
}

std::string start_part(const Launch& launch, const std::vector<ExportedFile>& files) {
  const PlanPoint& point = *launch.point;
  std::string text = "## Start\n\n```sh\n";
  if (has_file(files, "quantise.sh")) text += "./quantise.sh                       # once\n";
  if (point.disaggregated()) {
    text +=
        "kubectl apply -f dynamo/graph.yaml  # the Dynamo platform must be installed\n"
        "./serve.sh frontend                 # or one process each by hand: frontend, prefill, "
        "decode\n";
  } else {
    text += "./serve.sh                          # one replica on this host, engine installed\n";
    if (has_file(files, "docker-compose.yaml")) {
      text +=
          "docker compose up -d                # in containers\n"
          "kubectl apply -f k8s/               # or on a cluster\n";
    }
  }
  text += "```\n\n";
  text += fmt::format(
      "| | |\n|---|---|\n| engine | {} |\n| image | `{}` |\n",
      point.disaggregated() && launch.mapping.dynamo
          ? fmt::format("{}, orchestrated by Dynamo {} (whose image runs {})",
                        launch.mapping.label(), launch.mapping.dynamo->release,
                        launch.mapping.dynamo->bundles)
          : launch.mapping.label(),
      point.disaggregated() && launch.mapping.dynamo ? launch.mapping.dynamo->image : launch.image);
  const auto pool_row = [&text](const char* title, const Pool& pool) {
    text += fmt::format("| {} | {} x {} GPU{} ({}), tp {} pp {} ep {} attention dp {} |\n", title,
                        pool.replicas, pool.gpus_per_replica, pool.gpus_per_replica == 1 ? "" : "s",
                        plain(pool.gpu->title), pool.tp, pool.pp, pool.ep, pool.attn_dp);
  };
  if (point.prefill) {
    pool_row("prefill workers", *point.prefill);
    pool_row("decode workers", point.serve);
    text += fmt::format("| KV transfer | {} |\n", point.kv_transfer);
  } else {
    pool_row("replicas", point.serve);
  }
  text += fmt::format("| weights, KV cache | {}, {} |\n| model name for clients | `{}` |\n",
                      plain(point.weight_format), plain(point.kv_format),
                      comment_text(launch.served_name));
  for (const std::string& note : launch.notes) text += fmt::format("\n- {}", comment_text(note));
  if (!launch.notes.empty()) text += "\n";
  if (point.spec.method == "eagle3" && point.spec.draft_repo.empty()) {
    text += fmt::format(
        "\nThe plan counts on EAGLE-3 but names no draft model: put one in place of `{}`.\n",
        kDraftPlaceholder);
  }
  return text + "\n";
}

std::string check_part(const Launch& launch) {
  std::string text =
      "## Check\n\n```sh\n./bench.sh          # the workload's lengths and arrivals: compare with "
      "the table above\n";
  if (!launch.point->disaggregated()) {
    text +=
        "./bench.sh closed   # fixed lengths in a closed loop: adds a row to measured.csv\n"
        "tensorpath validate --measured measured.csv\n";
  }
  return text + "```\n";
}

}  // namespace

std::string readme_page(const Launch& launch, const std::vector<ExportedFile>& files) {
  const PlanPoint& point = *launch.point;
  return fmt::format("# {}: {}\n\n{}.\n\n", plain(point.model_name), plain(launch.headline()),
                     provenance_line(launch)) +
         start_part(launch, files) + weights_part(launch) + prediction_part(launch) +
         check_part(launch);
}

}  // namespace tensorpath::deploy
