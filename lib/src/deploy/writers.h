// The files of an export, each from a prepared launch.
#pragma once

#include "launch.h"

#include <vector>

#include <tensorpath/deploy.h>

namespace tensorpath::deploy {

// What a file says of itself in its first lines, after "# ".
[[nodiscard]] std::string provenance_line(const Launch& launch);

[[nodiscard]] std::string serve_script(const Launch& launch);
[[nodiscard]] Expected<std::string> bench_script(const Launch& launch);
// The release's template with BASE_MODEL and OUTPUT set; empty when nothing is to be quantised or
// the release has no template for the format.
[[nodiscard]] Expected<std::string> quantise_script(const Launch& launch);

// docker-compose.yaml, and nginx.conf when there are replicas to spread requests over.
[[nodiscard]] std::vector<ExportedFile> compose_files(const Launch& launch);
// k8s/*.yaml: configuration, Deployment (LeaderWorkerSet over several nodes) and Service.
[[nodiscard]] std::vector<ExportedFile> kubernetes_files(const Launch& launch);
// dynamo/graph.yaml and the start script of a disaggregated plan.
[[nodiscard]] Expected<std::vector<ExportedFile>> dynamo_files(const Launch& launch);
[[nodiscard]] std::string readme_page(const Launch& launch, const std::vector<ExportedFile>& files);

// Shared by Compose and Kubernetes.
[[nodiscard]] std::vector<std::vector<Word>> container_command(
    const Launch& launch, const std::vector<std::vector<Word>>& command);
[[nodiscard]] int load_seconds(const Launch& launch);  // generous: download, load, warm up
[[nodiscard]] int shared_memory_gib(const Launch& launch);
[[nodiscard]] bool local_weights(const Launch& launch);  // an absolute path or ./models

}  // namespace tensorpath::deploy
