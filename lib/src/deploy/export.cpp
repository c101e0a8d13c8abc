// export_plan: read, prepare, write into memory.
#include "launch.h"
#include "plan_point.h"
#include "writers.h"

#include <tensorpath/deploy.h>

namespace tensorpath {

using namespace deploy;

namespace {

Status add_serving_files(const Launch& launch, std::vector<ExportedFile>& files) {
  if (launch.point->disaggregated()) {
    auto graph = dynamo_files(launch);
    if (!graph) return tl::unexpected(graph.error());
    files = std::move(*graph);
    return {};
  }
  files.push_back({"serve.sh", serve_script(launch), true});
  files.push_back({launch.mapping.config.file, launch.config_text, false});
  // A replica over several nodes has manifests only where every node runs the same command.
  if (launch.nodes() > 1 && !launch.mapping.arguments_span_nodes) return {};
  if (launch.nodes() == 1) {
    for (ExportedFile& file : compose_files(launch)) files.push_back(std::move(file));
  }
  for (ExportedFile& file : kubernetes_files(launch)) files.push_back(std::move(file));
  return {};
}

}  // namespace

Expected<std::vector<ExportedFile>> export_plan(const Json& plan_document, int rank,
                                                const Catalog& catalog,
                                                const std::vector<std::string>& data_directories,
                                                const ExportOptions& options) {
  auto point = read_plan_point(plan_document, rank, catalog);
  if (!point) return tl::unexpected(point.error());
  if (!options.engine_release.empty()) point->engine_release = options.engine_release;
  auto mapping = load_release(data_directories, point->engine->name, point->engine_release);
  if (!mapping) return tl::unexpected(mapping.error());
  auto launch = prepare(*point, std::move(*mapping));
  if (!launch) return tl::unexpected(launch.error());

  std::vector<ExportedFile> files;
  if (auto added = add_serving_files(*launch, files); !added) {
    return tl::unexpected(added.error());
  }
  auto bench = bench_script(*launch);
  if (!bench) return tl::unexpected(bench.error());
  files.push_back({"bench.sh", std::move(*bench), true});
  auto quantise = quantise_script(*launch);
  if (!quantise) return tl::unexpected(quantise.error());
  if (!quantise->empty()) files.push_back({"quantise.sh", std::move(*quantise), true});
  files.push_back({"README.md", readme_page(*launch, files), false});
  return files;
}

}  // namespace tensorpath
