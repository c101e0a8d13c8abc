#include "read.h"

#include "base/json_tree.h"
#include "document.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

using workload_file::Context;

constexpr const char* kSchema = "tensorpath.workload/v1";

std::string directory_of(const std::string& file_name) {
  const std::size_t slash = file_name.rfind('/');
  return slash == std::string::npos ? std::string{} : file_name.substr(0, slash + 1);
}

// The file's name without directory and extension; the type for what is no file: "<stdin>" and
// "<flags>".
std::string default_name(const std::string& file_name, const std::string& type) {
  if (file_name.starts_with('<') && file_name.ends_with('>')) return type;
  std::string name = file_name.substr(directory_of(file_name).size());
  const std::size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0) name.resize(dot);
  return name;
}

// The catalog's name for a model. A path is looked for next to the workload file first.
std::string model_name(const std::string& name, const SourceLocation& where, Context& context) {
  const std::string beside = path_join(context.directory, name);
  const bool path = name.find('/') != std::string::npos || name.ends_with(".json");
  const bool is_beside = path && (file_exists(beside) || directory_exists(beside));
  const auto model = context.catalog.model(is_beside ? beside : name);
  if (model) return (*model)->name;
  for (const Diagnostic& problem : model.error().diagnostics) {
    // A mistake inside a config.json has a place of its own.
    context.problems.add(problem.where.file.empty() ? where : problem.where, problem.message,
                         problem.hint);
  }
  return {};
}

void read_models(MapReader& reader, Context& context, Workload& workload) {
  const bool both = reader.has("models") && reader.has("model");
  if (both) {
    context.problems.add(reader.where("model"), "model and models are both given", "keep models");
  }
  const std::string_view key = reader.has("models") ? "models" : "model";
  const YamlNode* node = reader.node(key);
  (void)reader.node(key == "models" ? "model" : "models");
  if (node == nullptr || (node->is_sequence() && node->items.empty())) {
    context.problems.add(reader.where(key), "models is missing, expected one model or more",
                         "add 'models: [llama-3.1-8b]'");
    return;
  }
  const std::vector<std::string> names = reader.text_list(key);
  const bool in_place = node->is_sequence() && node->items.size() == names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const SourceLocation& where = in_place ? node->items[i].where : node->where;
    const std::string name = model_name(names[i], where, context);
    if (name.empty()) continue;
    if (std::find(workload.models.begin(), workload.models.end(), name) != workload.models.end()) {
      context.problems.add(where, fmt::format("models names {} twice", name), "remove one");
      continue;
    }
    workload.models.push_back(name);
  }
}

Priority priority_of(const std::string& word) {
  if (word == "latency") return Priority::kLatency;
  if (word == "throughput") return Priority::kThroughput;
  return word == "cost" ? Priority::kCost : Priority::kBalanced;
}

// Names become directories under --out, and stand in manifests and on the terminal.
void check_name(MapReader& reader, const std::string& name) {
  // File systems take 255 bytes a name; what is added to it must still fit, and a line of a table.
  constexpr std::size_t kMostBytes = 100;
  const auto refuse = [&](const std::string& why, const std::string& hint) {
    reader.diagnostics().add(
        reader.where("name"), why,
        reader.has("name") ? hint : "it comes from the file's name: add 'name: my-workload'");
  };
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (name.empty()) {
    refuse("name is empty", "remove it or fill it");
  } else if (control) {
    refuse(fmt::format("name holds a control character: {}", quote_input(name)), "use plain text");
  } else if (name.find_first_of("/\\") != std::string::npos) {
    refuse(fmt::format("name {} holds a slash or a backslash, but it names a directory of --out",
                       quote_input(name)),
           "write '-' in its place");
  } else if (name.front() == '.') {
    refuse(fmt::format("name {} starts with a dot, but it names a directory of --out",
                       quote_input(name)),
           "start it with a letter or a digit");
  } else if (name.size() > kMostBytes) {
    refuse(fmt::format("name is {} bytes long, at most {} are allowed", name.size(), kMostBytes),
           "shorten it");
  }
}

void read_head(MapReader& reader, const std::string& file_name, Context& context,
               Workload& workload) {
  if (const auto schema = reader.text("schema"); schema && *schema != kSchema) {
    context.problems.add(reader.where("schema"),
                         fmt::format("schema is {}, expected {}", quote_input(*schema), kSchema),
                         "this release reads that version only");
  }
  workload.name = reader.text("name").value_or(default_name(file_name, workload.type));
  // A type that is wrong leaves standard input without a name: that is no second mistake.
  if (reader.has("name") || !workload.name.empty()) check_name(reader, workload.name);
  (void)reader.node("type");  // read before the presets were merged
  read_models(reader, context, workload);
  if (const auto tokens_of = reader.text("tokens_of")) {
    workload.tokens_of = model_name(*tokens_of, reader.where("tokens_of"), context);
  }
  workload.quality_floor = reader.number("quality_floor", {0, 1, false});
  workload.priority = priority_of(
      reader.word("priority", {"latency", "throughput", "cost", "balanced"}).value_or("balanced"));
}

using SectionReader = void (*)(const YamlNode&, Context&, Workload&);

// What the parts of the document say, each for itself.
void read_document(const YamlNode& root, const std::string& file_name, Context& context,
                   Workload& workload) {
  static constexpr std::pair<const char*, SectionReader> kSections[] = {
      {"requests", workload_file::read_requests},
      {"arrivals", workload_file::read_arrivals},
      {"prefix", workload_file::read_prefix},
      {"session", workload_file::read_session},
      {"task", workload_file::read_task},
      {"slo", workload_file::read_slo},
      {"hardware", workload_file::read_hardware},
      {"cost", workload_file::read_cost},
      {"availability", workload_file::read_availability}};
  MapReader reader(root, "", context.problems);
  read_head(reader, file_name, context, workload);
  for (const auto& [key, read] : kSections) {
    if (const YamlNode* node = reader.node(key)) read(*node, context, workload);
  }
  reader.finish();
}

// The type comes first, because the presets depend on it.
std::string read_type(const YamlNode& root, Diagnostics& problems) {
  MapReader reader(root, "", problems);
  if (!root.is_map()) return {};
  std::string types;
  for (const std::string& type : workload_types()) types += (types.empty() ? "" : ", ") + type;
  reader.require("type", "one of: " + types);
  return reader.word("type", workload_types()).value_or("");
}

// A name that ends in .json, or text that is JSON, is read as such; everything else as YAML, which
// an object in braces may be too.
Expected<YamlNode> parse_document(std::string_view text, const std::string& file_name) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool braces = first != std::string_view::npos && text[first] == '{';
  if (text.size() <= YamlLimits{}.max_bytes &&
      (file_name.ends_with(".json") || (braces && parse_json(text, file_name)))) {
    return parse_json_tree(text, file_name);
  }
  return parse_yaml(text, file_name);
}

}  // namespace

Expected<Workload> parse_workload(std::string_view text, const std::string& file_name,
                                  Catalog& catalog) {
  auto tree = parse_document(text, file_name);
  if (!tree) return tl::unexpected(tree.error());
  Diagnostics problems;
  Context context{catalog, problems, directory_of(file_name)};
  Workload workload;
  const bool original = workload_file::is_original_request(*tree);
  YamlNode root =
      original ? workload_file::from_original_request(*tree, problems) : std::move(*tree);
  if (original) workload.filled = workload_file::fill_in_original(root);
  workload.source = file_name;
  workload.type = read_type(root, problems);
  if (!root.is_map()) return tl::unexpected(problems.to_error());
  if (!workload.type.empty()) {
    const auto lines = workload_file::fill_in(root, workload.type);
    workload.filled.insert(workload.filled.end(), lines.begin(), lines.end());
  }
  read_document(root, file_name, context, workload);
  // Checks between keys mean something only once each key is right; so they come with the others,
  // but only where the parts they compare could be read.
  if (!workload.type.empty() && !workload.models.empty()) {
    for (std::string& line : workload_file::fit_to_context(root, catalog, workload)) {
      // What was cut to fit replaces what the preset had said.
      const std::string key = line.substr(0, line.find('=') + 1);
      std::erase_if(workload.filled, [&](const std::string& old) { return old.starts_with(key); });
      workload.filled.push_back(std::move(line));
    }
  }
  workload_file::drop_preset_tpot(root, workload);
  if (!workload.type.empty()) workload_file::check_workload(root, workload, context);
  if (!problems.empty()) return tl::unexpected(problems.to_error());
  return workload;
}

Expected<Workload> read_workload(const std::string& path, Catalog& catalog) {
  const auto text = read_file(path, YamlLimits{}.max_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_workload(*text, path == "-" ? "<stdin>" : path, catalog);
}

}  // namespace tensorpath
