#include "corpus.h"

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::selftest {
namespace {

// Small enough that a cheat that spins or hoards is over soon, large enough for every honest
// kernel.
constexpr double kCallSeconds = 2;
constexpr double kCompileSeconds = 4;
constexpr std::uint64_t kMemory = 128ULL << 20;
constexpr std::uint64_t kCompileMemory = 800ULL << 20;

Expected<Specimen> read_specimen(const std::string& directory, const Operators& operators) {
  const std::string path = path_join(directory, "kernel.yaml");
  const auto document = read_yaml_file(path);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  MapReader map(*document, "", diagnostics);
  Specimen specimen;
  specimen.directory = directory;
  specimen.name = directory.substr(directory.rfind('/') + 1);
  specimen.about = map.text("about").value_or("");
  specimen.mechanism = map.text("mechanism").value_or("");
  specimen.caught_as = map.text_list("catch");
  specimen.defence = map.text_list("defence");
  const std::string op = map.text("op").value_or("");
  const std::string language = map.text("language").value_or("cpp");
  std::string task = fmt::format("op: {}\nlanguage: {}\ndtype: {}\n", op, language,
                                 map.text("dtype").value_or("fp32"));
  if (const auto isa = map.text("isa")) task += fmt::format("architecture: {}\n", *isa);
  for (const std::string_view key : {"shape", "attributes"}) {
    const YamlNode* node = map.node(key);
    if (node == nullptr) continue;
    task += fmt::format("{}:\n", key);
    for (const auto& [name, value] : node->entries) {
      task +=
          value.is_sequence() && value.items.size() == 2
              ? fmt::format("  {}: [{}, {}]\n", name, value.items[0].scalar, value.items[1].scalar)
              : fmt::format("  {}: {}\n", name, value.scalar);
    }
  }
  map.finish();
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  auto read = read_task(task, path, operators);
  if (!read) return tl::unexpected(read.error());
  specimen.task = std::move(*read);
  specimen.task.limits.call_s = kCallSeconds;
  specimen.task.limits.compile_s = kCompileSeconds;
  specimen.task.limits.memory_bytes = kMemory;
  specimen.task.limits.compile_memory_bytes = kCompileMemory;
  return specimen;
}

}  // namespace

Expected<std::vector<Specimen>> read_corpus(const std::string& root, const Operators& operators) {
  std::vector<Specimen> corpus;
  Error problems;
  for (const std::string& name : list_directories(root)) {
    const std::string directory = path_join(root, name);
    if (!file_exists(path_join(directory, "kernel.yaml"))) continue;
    auto specimen = read_specimen(directory, operators);
    if (specimen) {
      corpus.push_back(std::move(*specimen));
    } else {
      for (const Diagnostic& one : specimen.error().diagnostics)
        problems.diagnostics.push_back(one);
    }
  }
  if (!problems.diagnostics.empty()) return tl::unexpected(problems);
  return corpus;
}

}  // namespace tensorpath::selftest
