// A disaggregated plan as a Dynamo graph (DynamoGraphDeployment, nvidia.com/v1alpha1), and the same
// processes as a script for hosts without Kubernetes.
#include "shell.h"
#include "writers.h"

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

constexpr int kSystemPort = 9090;  // where Dynamo's workers answer /live and /health

struct Process {
  std::string role;
  std::vector<std::vector<Word>> command;
};

std::vector<std::vector<Word>> rows_for(const std::vector<std::string>& command,
                                        const std::vector<Setting>& settings) {
  std::vector<std::vector<Word>> rows(1);
  for (const std::string& word : command) rows[0].push_back({word, "", ""});
  for (auto& row : rows_of(settings)) rows.push_back(std::move(row));
  return rows;
}

Expected<Process> worker(const Launch& launch, const Pool& pool, const std::string& role) {
  const DynamoMapping& dynamo = *launch.mapping.dynamo;
  Facts facts = pool_facts(*launch.point, launch.mapping, launch.weights, pool, role);
  facts.set("served_name", launch.served_name);
  const auto why = first_text(launch.mapping.refusals, facts);
  if (!why) return tl::unexpected(why.error());
  if (!why->empty()) {
    return fail(ExitCode::kUsage, fmt::format("the {} workers cannot run on {}: {}", role,
                                              launch.mapping.label(), *why));
  }
  auto arguments = apply_rules(dynamo.worker.arguments, dynamo.worker.flags, facts, launch.mapping);
  if (!arguments) return tl::unexpected(arguments.error());
  return Process{role, rows_for(dynamo.worker.command, *arguments)};
}

Expected<Process> frontend(const Launch& launch) {
  const DynamoMapping& dynamo = *launch.mapping.dynamo;
  auto arguments =
      apply_rules(dynamo.frontend_arguments, dynamo.frontend_flags, launch.facts, launch.mapping);
  if (!arguments) return tl::unexpected(arguments.error());
  return Process{"frontend", rows_for(dynamo.frontend_command, *arguments)};
}

Json main_container(const Launch& launch, const Process& process) {
  Json words = kubernetes_words(process.command);
  Json command = Json::array();
  Json arguments = Json::array();
  const std::size_t program = process.command.front().size();
  for (std::size_t i = 0; i < words.size(); ++i) {
    (i < program ? command : arguments).push_back(words[i]);
  }
  Json out;
  out["image"] = launch.mapping.dynamo->image;
  out["workingDir"] = kContainerFolder;
  out["command"] = command;
  out["args"] = arguments;
  return out;
}

Json http_probe(const char* path, int port, int period_s, int timeout_s, int failures) {
  return {{"httpGet", {{"path", path}, {"port", port}}},
          {"periodSeconds", period_s},
          {"timeoutSeconds", timeout_s},
          {"failureThreshold", failures}};
}

void add_local_weights(const Launch& launch, Json& pod) {
  if (!local_weights(launch)) return;
  const bool made_here = launch.weights.quantise_first;
  const std::string inside =
      made_here ? fmt::format("{}/models", kContainerFolder) : launch.weights.argument;
  const std::string outside = made_here ? "/var/lib/tensorpath/models" : launch.weights.argument;
  pod["mainContainer"]["volumeMounts"] =
      Json::array({{{"name", "weights"}, {"mountPath", inside}, {"readOnly", true}}});
  pod["volumes"] = Json::array({{{"name", "weights"}, {"hostPath", {{"path", outside}}}}});
}

Json frontend_service(const Launch& launch, const Process& process) {
  Json out;
  out["componentType"] = "frontend";
  out["replicas"] = 1;
  if (launch.point->gated) out["envFromSecret"] = "hf-token-secret";
  out["readinessProbe"] = http_probe("/health", launch.mapping.port, 10, 10, 6);
  out["livenessProbe"] = http_probe("/live", launch.mapping.port, 15, 10, 4);
  out["extraPodSpec"]["mainContainer"] = main_container(launch, process);
  add_local_weights(launch, out["extraPodSpec"]);
  return out;
}

Json worker_service(const Launch& launch, const Process& process, const Pool& pool) {
  Json out;
  out["componentType"] = "worker";
  out["subComponentType"] = process.role;
  out["replicas"] = pool.replicas;
  if (launch.point->gated) out["envFromSecret"] = "hf-token-secret";
  const int nodes = pool.nodes();
  if (nodes > 1) out["multinode"]["nodeCount"] = nodes;
  const Json gpus = {{"gpu", std::to_string((pool.gpus_per_replica + nodes - 1) / nodes)}};
  out["resources"] = {{"requests", gpus}, {"limits", gpus}};
  out["sharedMemory"]["size"] = fmt::format("{}Gi", pool.gpus_per_replica > 1 ? 80 : 16);
  out["envs"] = Json::array(
      {{{"name", "DYN_SYSTEM_PORT"}, {"value", std::to_string(kSystemPort)}},
       {{"name", "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS"}, {"value", "[\"generate\"]"}}});
  for (const auto& [name, value] : launch.environment) {
    out["envs"].push_back({{"name", name}, {"value", value}});
  }
  out["livenessProbe"] = http_probe("/live", kSystemPort, 15, 10, 4);
  out["readinessProbe"] = http_probe("/health", kSystemPort, 10, 10, 6);
  Json& pod = out["extraPodSpec"];
  pod["mainContainer"] = main_container(launch, process);
  pod["mainContainer"]["startupProbe"] =
      http_probe("/health", kSystemPort, 10, 10, load_seconds(launch) / 10);
  add_local_weights(launch, pod);
  return out;
}

std::string serve_text(const Launch& launch, const std::vector<Process>& processes) {
  std::string text = fmt::format(
      "#!/usr/bin/env bash\n"
      "# One process of {} without Kubernetes: ./serve.sh frontend|prefill|decode.\n# {}\n"
      "# The processes find each other through files on one host; over several, point\n"
      "# DYN_DISCOVERY_BACKEND and its settings at your etcd (Dynamo's documentation).\n"
      "# Give each worker its GPUs with CUDA_VISIBLE_DEVICES.\n"
      "set -euo pipefail\ncd \"$(dirname \"${{BASH_SOURCE[0]}}\")\"\n",
      comment_text(launch.point->model_name), provenance_line(launch));
  if (launch.point->gated) {
    text +=
        ": \"${HF_TOKEN:?the weights are gated: accept the licence on Hugging Face, then export "
        "HF_TOKEN}\"\n";
  }
  text += "export DYN_DISCOVERY_BACKEND=${DYN_DISCOVERY_BACKEND:-file}\n";
  for (const auto& [name, value] : launch.environment) {
    text += fmt::format("export {}={}\n", name, shell_quote(value));
  }
  text += "role=${1:-}\n[ $# -gt 0 ] && shift\ncase $role in\n";
  for (const Process& process : processes) {
    text += fmt::format("  {})\n    exec {}\n    ;;\n", process.role,
                        shell_command(process.command, "      ", "\"$@\""));
  }
  return text +
         "  *)\n    echo \"usage: ./serve.sh frontend|prefill|decode\" >&2\n    exit 2\n    "
         ";;\nesac\n";
}

}  // namespace

Expected<std::vector<ExportedFile>> dynamo_files(const Launch& launch) {
  if (!launch.mapping.dynamo) {
    return fail(ExitCode::kUsage,
                fmt::format("{} cannot be deployed disaggregated here", launch.mapping.label()),
                "choose an aggregated plan of another rank");
  }
  auto front = frontend(launch);
  if (!front) return tl::unexpected(front.error());
  auto prefill = worker(launch, *launch.point->prefill, "prefill");
  if (!prefill) return tl::unexpected(prefill.error());
  auto decode = worker(launch, launch.point->serve, "decode");
  if (!decode) return tl::unexpected(decode.error());

  Json graph = {{"apiVersion", "nvidia.com/v1alpha1"},
                {"kind", "DynamoGraphDeployment"},
                {"metadata", {{"name", launch.name}}}};
  Json& services = graph["spec"]["services"];
  services["Frontend"] = frontend_service(launch, *front);
  services["PrefillWorker"] = worker_service(launch, *prefill, *launch.point->prefill);
  services["DecodeWorker"] = worker_service(launch, *decode, launch.point->serve);
  const std::string head = fmt::format(
      "# {}\n# Needs the Dynamo platform {} on the cluster; its image runs {}.\n",
      provenance_line(launch), launch.mapping.dynamo->release, launch.mapping.dynamo->bundles);
  std::vector<ExportedFile> files;
  files.push_back({"dynamo/graph.yaml", head + to_yaml_text(graph), false});
  files.push_back({"serve.sh", serve_text(launch, {*front, *prefill, *decode}), true});
  return files;
}

}  // namespace tensorpath::deploy
