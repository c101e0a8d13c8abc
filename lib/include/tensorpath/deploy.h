// From a plan to the files that launch it: an engine's start script and configuration, Compose and
// Kubernetes manifests, the engine's own benchmark and a page that says what to expect.
// Uses: 1) `deploy PLAN.json`, 2) `recommend --out`. What an engine release understands is data
// (data/engines/<engine>/<release>): a mapping from plan fields to arguments, and the lists of all
// arguments, against which every argument is checked before anything is written.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/catalog.h>

namespace tensorpath {

struct ExportedFile {
  std::string path;  // relative, with '/' between folders: "k8s/deployment.yaml"
  std::string contents;
  bool executable = false;
};

struct ExportOptions {
  std::string engine_release;  // in place of the plan's own; empty: the plan's
};

// The files for plans[rank] of a plan document (tensorpath-plan(5)); touches no disk but to read
// the release's data. The document is untrusted: mistakes are errors that name the key
// ("plans[0].tp"). Errors of class kUsage besides: a rank that is not there, an unknown engine,
// release or GPU, a plan that the release cannot run, and an argument that the release does not
// have.
[[nodiscard]] Expected<std::vector<ExportedFile>> export_plan(
    const Json& plan_document, int rank, const Catalog& catalog,
    const std::vector<std::string>& data_directories, const ExportOptions& options = {});

// Writes them all or none: into a fresh directory beside `directory`, which is then renamed into
// place. A directory that holds something is replaced only with `force`, and only by that rename.
[[nodiscard]] Status write_export(const std::vector<ExportedFile>& files,
                                  const std::string& directory, bool force = false);

}  // namespace tensorpath
