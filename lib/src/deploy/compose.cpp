// docker-compose.yaml: the replicas that one host holds, and a load balancer before several.
#include "shell.h"
#include "writers.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

constexpr const char* kBalancerImage = "nginx:1.27-alpine";

// How many replicas share a host: those whose GPUs it has.
int replicas_on_host(const Launch& launch) {
  const Pool& pool = launch.point->serve;
  if (launch.cpu()) return 1;
  const int per_host = std::max(1, pool.gpu->gpus_per_node / std::max(1, pool.gpus_per_replica));
  return std::min(pool.replicas, per_host);
}

Json device_ids(int first, int count) {
  Json ids = Json::array();
  for (int i = 0; i < count; ++i) ids.push_back(std::to_string(first + i));
  return ids;
}

void add_gpus(const Launch& launch, int replica, Json& service) {
  const Pool& pool = launch.point->serve;
  const int first = replica * pool.gpus_per_replica;
  if (pool.gpu->vendor == "nvidia") {
    service["deploy"]["resources"]["reservations"]["devices"] =
        Json::array({{{"driver", "nvidia"},
                      {"device_ids", device_ids(first, pool.gpus_per_replica)},
                      {"capabilities", Json::array({"gpu"})}}});
  } else if (pool.gpu->vendor == "amd") {
    service["devices"] = Json::array({"/dev/kfd", "/dev/dri"});
    service["group_add"] = Json::array({"video"});
    service["security_opt"] = Json::array({"seccomp=unconfined"});
    std::string ids;
    for (int i = 0; i < pool.gpus_per_replica; ++i) {
      ids += fmt::format("{}{}", i == 0 ? "" : ",", first + i);
    }
    service["environment"]["HIP_VISIBLE_DEVICES"] = ids;
  }
}

Json bind_mount(const std::string& from, const std::string& to, bool read_only) {
  Json mount = {{"type", "bind"}, {"source", from}, {"target", to}};
  if (read_only) mount["read_only"] = true;
  return mount;
}

Json volumes(const Launch& launch) {
  const ConfigMapping& config = launch.mapping.config;
  Json list = Json::array();
  if (config.style != ConfigMapping::Style::kEnvironment) {
    list.push_back(
        bind_mount("./" + config.file, fmt::format("{}/{}", kContainerFolder, config.file), true));
  }
  list.push_back(bind_mount("${HF_HOME:-~/.cache/huggingface}", "/root/.cache/huggingface", false));
  if (launch.weights.quantise_first) {
    list.push_back(bind_mount("./models", fmt::format("{}/models", kContainerFolder), true));
  } else if (!launch.weights.on_hub) {
    std::string path = launch.weights.argument;
    for (std::size_t at = 0; (at = path.find('$', at)) != std::string::npos; at += 2) {
      path.insert(at, "$");
    }
    list.push_back(bind_mount(path, path, true));
  }
  return list;
}

Json healthcheck(const Launch& launch) {
  const std::string url =
      fmt::format("http://127.0.0.1:{}{}", launch.mapping.port, launch.mapping.health);
  Json test = Json::array({"CMD", "curl", "-fsS", "-o", "/dev/null", url});
  if (!launch.mapping.probe_with_curl) {
    test = {"CMD", "python3", "-c",
            fmt::format("import urllib.request; urllib.request.urlopen('{}', timeout=5)", url)};
  }
  return {{"test", test},
          {"interval", "15s"},
          {"timeout", "10s"},
          {"retries", 4},
          {"start_period", fmt::format("{}s", load_seconds(launch))}};
}

Json service(const Launch& launch, int replica, int published_port) {
  Json out;
  out["image"] = launch.image;
  out["entrypoint"] = compose_words(container_command(launch, launch.command));
  out["working_dir"] = kContainerFolder;
  out["environment"]["HF_TOKEN"] =
      launch.point->gated ? "${HF_TOKEN:?the weights are gated; export HF_TOKEN}" : "${HF_TOKEN:-}";
  for (const auto& [name, value] : launch.environment) out["environment"][name] = value;
  if (launch.mapping.config.style == ConfigMapping::Style::kEnvironment) {
    out["env_file"] = Json::array({launch.mapping.config.file});
  }
  out["ports"] = Json::array({fmt::format("{}:{}", published_port, launch.mapping.port)});
  out["volumes"] = volumes(launch);
  out["shm_size"] = fmt::format("{}gb", shared_memory_gib(launch));
  out["restart"] = "unless-stopped";
  out["healthcheck"] = healthcheck(launch);
  add_gpus(launch, replica, out);
  return out;
}

std::string balancer_text(const Launch& launch, int count) {
  std::string text =
      fmt::format("# {}\nevents {{}}\nhttp {{\n  upstream replicas {{\n    least_conn;\n",
                  provenance_line(launch));
  for (int i = 0; i < count; ++i) {
    text += fmt::format("    server replica-{}:{} max_fails=0;\n", i, launch.mapping.port);
  }
  // Buffering would hold streamed tokens back; an answer may take minutes.
  text += fmt::format(
      "  }}\n  server {{\n    listen {};\n    client_max_body_size 64m;\n    location / {{\n"
      "      proxy_pass http://replicas;\n      proxy_http_version 1.1;\n"
      "      proxy_set_header Connection \"\";\n      proxy_buffering off;\n"
      "      proxy_read_timeout 3600s;\n    }}\n  }}\n}}\n",
      launch.mapping.port);
  return text;
}

}  // namespace

std::vector<std::vector<Word>> container_command(const Launch& launch,
                                                 const std::vector<std::vector<Word>>& command) {
  std::vector<std::vector<Word>> rows = command;
  if (!launch.mapping.container_program.empty() && !rows.empty() && !rows[0].empty()) {
    rows[0][0].text = launch.mapping.container_program;
  }
  return rows;
}

int load_seconds(const Launch& launch) {
  // A first start downloads at 100 MB/s and reads again at 1 GB/s; kernels, graphs and warm-up take
  // some minutes more. Half an hour where the size is not known.
  if (launch.weight_bytes <= 0) return 1800;
  const double seconds = 300 + launch.weight_bytes / 100e6 + launch.weight_bytes / 1e9;
  return static_cast<int>(std::clamp(std::ceil(seconds / 60) * 60, 600.0, 14400.0));
}

int shared_memory_gib(const Launch& launch) {
  // NCCL and the engines' worker processes pass tensors through /dev/shm; Docker's 64 MB is not
  // enough.
  if (launch.cpu()) return 1;
  return launch.point->serve.gpus_per_replica > 1 ? 16 : 4;
}

bool local_weights(const Launch& launch) { return !launch.weights.on_hub; }

std::vector<ExportedFile> compose_files(const Launch& launch) {
  const int count = replicas_on_host(launch);
  const int port = launch.mapping.port;
  Json root;
  root["name"] = launch.name;
  for (int i = 0; i < count; ++i) {
    root["services"][fmt::format("replica-{}", i)] =
        service(launch, i, count == 1 ? port : port + 1 + i);
  }
  std::string text =
      fmt::format("# {}\n# {}\n", provenance_line(launch), comment_text(launch.headline()));
  std::vector<ExportedFile> files;
  if (count > 1) {
    Json balancer;
    balancer["image"] = kBalancerImage;
    balancer["ports"] = Json::array({fmt::format("{}:{}", port, port)});
    balancer["volumes"] = Json::array({bind_mount("./nginx.conf", "/etc/nginx/nginx.conf", true)});
    balancer["restart"] = "unless-stopped";
    for (int i = 0; i < count; ++i) {
      balancer["depends_on"][fmt::format("replica-{}", i)] = {{"condition", "service_started"}};
    }
    root["services"]["balancer"] = balancer;
    files.push_back({"nginx.conf", balancer_text(launch, count), false});
  }
  if (count < launch.point->serve.replicas) {
    text +=
        fmt::format("# {} of {} replicas: as many as one host holds. Start the rest on others.\n",
                    count, launch.point->serve.replicas);
  }
  files.push_back({"docker-compose.yaml", text + to_yaml_text(root), false});
  return files;
}

}  // namespace tensorpath::deploy
