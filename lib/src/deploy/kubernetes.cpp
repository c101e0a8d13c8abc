// Kubernetes manifests: configuration, a Deployment of the replicas (a LeaderWorkerSet where a
// replica spans nodes) and a Service before them.
#include "shell.h"
#include "writers.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

constexpr int kProbeSeconds = 10;

std::string gpu_resource(const Gpu& gpu) {
  if (gpu.vendor == "nvidia") return "nvidia.com/gpu";
  return gpu.vendor == "amd" ? "amd.com/gpu" : "";
}

Json labels(const Launch& launch) {
  return {{"app.kubernetes.io/name", launch.name},
          {"app.kubernetes.io/component", "inference"},
          {"app.kubernetes.io/managed-by", "tensorpath"}};
}

Json metadata(const Launch& launch, const std::string& suffix = "") {
  return {{"name", launch.name + suffix}, {"labels", labels(launch)}};
}

Json probe(const Launch& launch, int period_s, int timeout_s, int failures) {
  return {{"httpGet", {{"path", launch.mapping.health}, {"port", "http"}}},
          {"periodSeconds", period_s},
          {"timeoutSeconds", timeout_s},
          {"failureThreshold", failures}};
}

// Host memory of a CPU plan: the weights, the KV cache, and room for the process.
std::string host_memory(const Launch& launch) {
  const PlanPoint& point = *launch.point;
  double bytes = launch.weight_bytes + 4 * kGiB;
  if (point.model != nullptr) {
    const Attention& attention = point.model->attention;
    const double per_token =
        2.0 * point.model->layers * attention.kv_heads * attention.head_dim * 2;
    const double tokens = static_cast<double>(point.max_context_tokens) * point.serve.max_batch;
    bytes += per_token * (point.kv_capacity_tokens > 0 ? point.kv_capacity_tokens : tokens);
  }
  return fmt::format("{:.0f}Gi", std::ceil(bytes / kGiB));
}

Json resources(const Launch& launch) {
  const Pool& pool = launch.point->serve;
  const std::string resource = gpu_resource(*pool.gpu);
  if (resource.empty()) {
    return {{"requests", {{"memory", host_memory(launch)}}},
            {"limits", {{"memory", host_memory(launch)}}}};
  }
  const int here = (pool.gpus_per_replica + launch.nodes() - 1) / launch.nodes();
  const Json gpus = {{resource, std::to_string(here)}};
  return {{"requests", gpus}, {"limits", gpus}};
}

Json environment(const Launch& launch) {
  Json list = Json::array();
  list.push_back(
      {{"name", "HF_TOKEN"},
       {"valueFrom",
        {{"secretKeyRef",
          {{"name", "hf-token"}, {"key", "token"}, {"optional", !launch.point->gated}}}}}});
  for (const auto& [name, value] : launch.environment) {
    list.push_back({{"name", name}, {"value", value}});
  }
  if (launch.nodes() > 1) {
    // LeaderWorkerSet sets both for every pod of a group.
    list.push_back({{"name", "MASTER_ADDR"}, {"value", "$(LWS_LEADER_ADDRESS)"}});
    list.push_back(
        {{"name", "NODE_RANK"},
         {"valueFrom",
          {{"fieldRef",
            {{"fieldPath", "metadata.labels['leaderworkerset.sigs.k8s.io/worker-index']"}}}}}});
  }
  return list;
}

Json volume_mounts(const Launch& launch) {
  const ConfigMapping& config = launch.mapping.config;
  Json list = Json::array();
  if (config.style != ConfigMapping::Style::kEnvironment) {
    list.push_back({{"name", "config"},
                    {"mountPath", fmt::format("{}/{}", kContainerFolder, config.file)},
                    {"subPath", config.file},
                    {"readOnly", true}});
  }
  list.push_back({{"name", "shm"}, {"mountPath", "/dev/shm"}});
  list.push_back({{"name", "weights-cache"}, {"mountPath", "/root/.cache/huggingface"}});
  if (local_weights(launch)) {
    const std::string path = launch.weights.quantise_first
                                 ? fmt::format("{}/models", kContainerFolder)
                                 : launch.weights.argument;
    list.push_back({{"name", "weights"}, {"mountPath", path}, {"readOnly", true}});
  }
  return list;
}

Json volumes(const Launch& launch) {
  Json list = Json::array();
  if (launch.mapping.config.style != ConfigMapping::Style::kEnvironment) {
    list.push_back({{"name", "config"}, {"configMap", {{"name", launch.name}}}});
  }
  list.push_back(
      {{"name", "shm"},
       {"emptyDir",
        {{"medium", "Memory"}, {"sizeLimit", fmt::format("{}Gi", shared_memory_gib(launch))}}}});
  list.push_back({{"name", "weights-cache"}, {"emptyDir", Json::object()}});
  if (local_weights(launch)) {
    // Where quantise.sh's result is to be on each node.
    const std::string path =
        launch.weights.quantise_first ? "/var/lib/tensorpath/models" : launch.weights.argument;
    list.push_back({{"name", "weights"}, {"hostPath", {{"path", path}}}});
  }
  return list;
}

Json container(const Launch& launch, const std::vector<std::vector<Word>>& command, bool leader) {
  Json out;
  out["name"] = "engine";
  out["image"] = launch.image;
  out["command"] = kubernetes_words(container_command(launch, command));
  out["workingDir"] = kContainerFolder;
  out["env"] = environment(launch);
  if (launch.mapping.config.style == ConfigMapping::Style::kEnvironment) {
    out["envFrom"] = Json::array({{{"configMapRef", {{"name", launch.name}}}}});
  }
  out["resources"] = resources(launch);
  out["volumeMounts"] = volume_mounts(launch);
  if (!leader) return out;
  out["ports"] = Json::array({{{"name", "http"}, {"containerPort", launch.mapping.port}}});
  // Until the start-up probe passes nothing else counts, so loading weights is no failure.
  out["startupProbe"] = probe(launch, kProbeSeconds, 5, load_seconds(launch) / kProbeSeconds);
  out["readinessProbe"] = probe(launch, kProbeSeconds, 5, 3);
  // A minute of silence: a busy engine answers late, a dead one not at all.
  out["livenessProbe"] = probe(launch, 15, 10, 4);
  return out;
}

Json pod(const Launch& launch, const std::vector<std::vector<Word>>& command, bool leader) {
  Json spec;
  // Requests in flight may finish before the pod goes.
  spec["terminationGracePeriodSeconds"] = 120;
  const std::string resource = gpu_resource(*launch.point->serve.gpu);
  if (!resource.empty()) {
    spec["tolerations"] =
        Json::array({{{"key", resource}, {"operator", "Exists"}, {"effect", "NoSchedule"}}});
  }
  spec["containers"] = Json::array({container(launch, command, leader)});
  spec["volumes"] = volumes(launch);
  Json marks = labels(launch);
  if (launch.nodes() > 1) marks["tensorpath/role"] = leader ? "leader" : "worker";
  return {{"metadata", {{"labels", marks}}}, {"spec", spec}};
}

Json selector(const Launch& launch) { return {{"app.kubernetes.io/name", launch.name}}; }

Json deployment(const Launch& launch) {
  Json out = {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"metadata", metadata(launch)}};
  Json& spec = out["spec"];
  spec["replicas"] = launch.point->serve.replicas;
  spec["progressDeadlineSeconds"] = load_seconds(launch) + 600;
  spec["selector"]["matchLabels"] = selector(launch);
  // Spare GPUs for a surge are rare: replace one replica at a time.
  spec["strategy"] = {{"type", "RollingUpdate"},
                      {"rollingUpdate", {{"maxSurge", 0}, {"maxUnavailable", 1}}}};
  spec["template"] = pod(launch, launch.command, true);
  return out;
}

Json leader_worker_set(const Launch& launch) {
  Json out = {{"apiVersion", "leaderworkerset.x-k8s.io/v1"},
              {"kind", "LeaderWorkerSet"},
              {"metadata", metadata(launch)}};
  Json& spec = out["spec"];
  spec["replicas"] = launch.point->serve.replicas;
  Json& group = spec["leaderWorkerTemplate"];
  group["size"] = launch.nodes();
  group["restartPolicy"] = "RecreateGroupOnPodRestart";
  group["leaderTemplate"] = pod(launch, launch.command, true);
  group["workerTemplate"] = pod(launch, launch.worker_command, false);
  return out;
}

Json service(const Launch& launch) {
  Json out = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", metadata(launch)}};
  Json& spec = out["spec"];
  spec["selector"] = selector(launch);
  if (launch.nodes() > 1) spec["selector"]["tensorpath/role"] = "leader";
  spec["ports"] =
      Json::array({{{"name", "http"}, {"port", launch.mapping.port}, {"targetPort", "http"}}});
  return out;
}

Json config_map(const Launch& launch) {
  Json out = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", metadata(launch)}};
  if (launch.mapping.config.style == ConfigMapping::Style::kEnvironment) {
    for (const Setting& setting : launch.settings) {
      out["data"][setting.flag->env] =
          setting.typed.is_boolean() ? (setting.typed.get<bool>() ? "1" : "0") : setting.value;
    }
  } else {
    out["data"][launch.mapping.config.file] = launch.config_text;
  }
  return out;
}

std::string node_note(const Launch& launch) {
  const Gpu& gpu = *launch.point->serve.gpu;
  if (gpu.vendor == "cpu") return "";
  const char* label = gpu.vendor == "amd" ? "amd.com/gpu.product-name" : "nvidia.com/gpu.product";
  return fmt::format(
      "# Pods must land on nodes with {}: where there are others, add a nodeSelector on\n"
      "# the label {} (`kubectl get nodes -L {}`).\n",
      comment_text(gpu.title), label, label);
}

}  // namespace

std::vector<ExportedFile> kubernetes_files(const Launch& launch) {
  const std::string head = fmt::format("# {}\n", provenance_line(launch));
  std::vector<ExportedFile> files;
  files.push_back({"k8s/configmap.yaml", head + to_yaml_text(config_map(launch)), false});
  std::string note = node_note(launch);
  if (launch.weights.quantise_first) {
    note += "# Put what quantise.sh made under /var/lib/tensorpath/models on each node.\n";
  }
  if (launch.nodes() > 1) {
    files.push_back({"k8s/leaderworkerset.yaml",
                     head + "# Needs the LeaderWorkerSet operator (https://lws.sigs.k8s.io).\n" +
                         note + to_yaml_text(leader_worker_set(launch)),
                     false});
  } else {
    files.push_back({"k8s/deployment.yaml", head + note + to_yaml_text(deployment(launch)), false});
  }
  files.push_back({"k8s/service.yaml", head + to_yaml_text(service(launch)), false});
  return files;
}

}  // namespace tensorpath::deploy
