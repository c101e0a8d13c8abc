#include "vendor_library.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <tensorpath/base/yaml.h>

namespace tensorpath {
namespace {

struct VendorLibrary {
  std::string_view name;
  std::vector<std::string_view> flags;
  std::string_view header;
  std::string_view package;  // of Debian and Ubuntu
  // The variable that says how many threads the library starts. `own_threads` false: none, as the
  // baseline calls it from the threads of the pool.
  std::string_view threads_variable;
  bool own_threads;
  // Level and variable. A model that OpenBLAS is too old to know would run code without AVX.
  std::vector<std::pair<std::string_view, std::string_view>> by_level;
};

const std::vector<VendorLibrary>& vendor_libraries() {
  static const std::vector<VendorLibrary> kLibraries = {
      {"openblas",
       {"-lopenblas"},
       "cblas.h",
       "libopenblas-dev",
       "OPENBLAS_NUM_THREADS",
       false,
       {{"x86-64-v4", "OPENBLAS_CORETYPE=SkylakeX"}, {"x86-64-v3", "OPENBLAS_CORETYPE=Haswell"}}},
      // Its threads are OpenMP's, which a baseline may use as well: the two never compete then.
      {"onednn", {"-fopenmp", "-ldnnl"}, "dnnl.hpp", "libdnnl-dev", "OMP_NUM_THREADS", true, {}}};
  return kLibraries;
}

std::vector<const VendorLibrary*> find_all(const std::vector<std::string>& links) {
  std::vector<const VendorLibrary*> found;
  for (const VendorLibrary& library : vendor_libraries()) {
    if (std::find(links.begin(), links.end(), library.name) != links.end())
      found.push_back(&library);
  }
  return found;
}

}  // namespace

Expected<std::vector<std::string>> read_links(std::string_view yaml, const std::string& file) {
  const auto document = parse_yaml(yaml, file);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  MapReader map(*document, "", diagnostics);
  map.require("links", "the libraries that the baseline is linked with");
  std::vector<std::string> links = map.text_list("links");
  map.finish();
  for (const std::string& name : links) {
    if (find_all({name}).empty()) {
      diagnostics.add(map.where("links"), fmt::format("links: no library {}", quote_input(name)),
                      "openblas and onednn are known");
    }
  }
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  return links;
}

std::vector<std::string> link_flags(const std::vector<std::string>& links) {
  std::vector<std::string> flags;
  for (const VendorLibrary* library : find_all(links)) {
    flags.insert(flags.end(), library->flags.begin(), library->flags.end());
  }
  return flags;
}

std::vector<std::string> link_environment(const std::vector<std::string>& links, int threads,
                                          std::string_view level) {
  std::vector<std::string> environment;
  for (const VendorLibrary* library : find_all(links)) {
    environment.push_back(
        fmt::format("{}={}", library->threads_variable, library->own_threads ? threads : 1));
    for (const auto& [wanted, variable] : library->by_level) {
      if (wanted == level) environment.emplace_back(variable);
    }
  }
  return environment;
}

std::string missing_library(const std::vector<std::string>& links, std::string_view words) {
  for (const VendorLibrary* library : find_all(links)) {
    const bool no_header =
        words.find(fmt::format("fatal error: {}", library->header)) != std::string_view::npos;
    const bool no_object = words.find(library->flags.back()) != std::string_view::npos;
    if (no_header || no_object) return fmt::format("{} is not installed", library->package);
  }
  return {};
}

}  // namespace tensorpath
