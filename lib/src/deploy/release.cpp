#include "release.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>

namespace tensorpath::deploy {
namespace {

// Reads one mapping.yaml; the argument lists it names are read beside it.
class MappingReader {
 public:
  explicit MappingReader(std::string directory) : directory_(std::move(directory)) {}

  Expected<ReleaseMapping> read() {
    const std::string path = path_join(directory_, "mapping.yaml");
    auto root = read_yaml_file(path);
    if (!root) return tl::unexpected(root.error());
    ReleaseMapping mapping;
    mapping.directory = directory_;
    MapReader reader(*root, "", mistakes_);
    (void)reader.word("schema", {"tensorpath.engine_mapping/v1"});
    mapping.engine = reader.text("engine").value_or("");
    mapping.release = reader.text("release").value_or("");
    reader.require("serve", "the server's command");
    reader.require("images", "at least one container image");
    if (const YamlNode* tables = reader.node("tables")) read_tables(*tables, mapping);
    mapping.images = guarded_list(reader.node("images"), "image");
    mapping.refusals = guarded_list(reader.node("refuse"), "why");
    mapping.notes = guarded_list(reader.node("notes"), "text");
    mapping.online_formats = reader.text_list("online_formats");
    mapping.gguf_weights = reader.word("weights", {"gguf", "huggingface"}) == "gguf";
    mapping.arguments_span_nodes =
        reader.word("several_nodes", {"arguments", "launcher"}) == "arguments";
    read_environment(reader.node("environment"), mapping);
    if (const YamlNode* serve = reader.node("serve")) read_serve(*serve, mapping);
    if (const YamlNode* bench = reader.node("bench")) {
      MapReader fields(*bench, "bench", mistakes_);
      mapping.bench_result = fields.word("result", {"vllm", "sglang", "batched"}).value_or("");
      mapping.bench = read_command(fields);
      fields.finish();
    }
    if (const YamlNode* dynamo = reader.node("dynamo")) read_dynamo(*dynamo, mapping);
    reader.finish();
    if (!mistakes_.empty()) return tl::unexpected(mistakes_.to_error());
    return mapping;
  }

 private:
  std::vector<Condition> conditions(MapReader& reader) {
    std::vector<Condition> when;
    for (const std::string& text : reader.text_list("when")) {
      auto condition = parse_condition(text, reader.where("when"));
      if (condition) {
        when.push_back(*condition);
      } else {
        add(condition.error());
      }
    }
    return when;
  }

  void add(const Error& error) {
    for (const Diagnostic& found : error.diagnostics) {
      mistakes_.add(found.where, found.message, found.hint);
    }
  }

  std::vector<Guarded> guarded_list(const YamlNode* list, const char* key) {
    std::vector<Guarded> out;
    if (list == nullptr) return out;
    for (const YamlNode& item : list->items) {
      MapReader reader(item, key, mistakes_);
      Guarded guarded;
      guarded.where = item.where;
      reader.require(key, "text");
      guarded.text = reader.text(key).value_or("");
      guarded.when = conditions(reader);
      reader.finish();
      out.push_back(std::move(guarded));
    }
    return out;
  }

  void read_environment(const YamlNode* list, ReleaseMapping& mapping) {
    if (list == nullptr) return;
    for (const YamlNode& item : list->items) {
      MapReader reader(item, "environment", mistakes_);
      Guarded guarded;
      guarded.where = item.where;
      const std::string name = reader.text("name").value_or("");
      guarded.text = reader.text("value").value_or("");
      guarded.when = conditions(reader);
      reader.finish();
      mapping.environment.emplace_back(name, std::move(guarded));
    }
  }

  void read_tables(const YamlNode& node, ReleaseMapping& mapping) {
    for (const auto& [name, table] : node.entries) {
      MapReader reader(table, "tables." + name, mistakes_);
      ValueTable values;
      values.where = table.where;
      values.of = reader.text("of").value_or("");
      if (const YamlNode* entries = reader.node("values")) {
        for (const auto& [from, to] : entries->entries) values.values[from] = to.scalar;
      }
      reader.finish();
      mapping.tables[name] = std::move(values);
    }
  }

  FlagList flag_list(MapReader& reader, const char* key) {
    const auto name = reader.text(key);
    if (!name) {
      mistakes_.add(reader.where(key), fmt::format("{} is missing", reader.path_of(key)),
                    "name the file that lists the command's arguments");
      return {};
    }
    auto list = FlagList::read(path_join(directory_, *name));
    if (list) return std::move(*list);
    add(list.error());
    return {};
  }

  std::vector<ArgumentRule> rules(const YamlNode* list, const FlagList& flags,
                                  bool in_file = false) {
    std::vector<ArgumentRule> out;
    if (list == nullptr) return out;
    for (const YamlNode& item : list->items) {
      MapReader reader(item, "argument", mistakes_);
      ArgumentRule rule;
      rule.where = item.where;
      reader.require("flag", "an argument of the command");
      rule.flag = reader.text("flag").value_or("");
      rule.value = reader.text("value").value_or("");
      rule.variable = reader.text("variable").value_or("");
      rule.suffix = reader.text("suffix").value_or("");
      rule.split = reader.boolean("split").value_or(false);
      rule.when = conditions(reader);
      reader.finish();
      check(rule, flags, in_file);
      out.push_back(std::move(rule));
    }
    return out;
  }

  // The gate: an argument outside the release's list never gets further than this.
  void check(const ArgumentRule& rule, const FlagList& flags, bool in_file) {
    if (rule.flag.empty() || flags.size() == 0) return;
    const FlagSpec* flag = flags.find(rule.flag);
    if (flag == nullptr) {
      mistakes_.add(rule.where,
                    fmt::format("'{}' is no argument of {} in {}", rule.flag, flags.command(),
                                release_label()),
                    flags.hint_for(rule.flag));
      return;
    }
    const bool has_value = !rule.value.empty() || !rule.variable.empty();
    const bool is_switch = flag->kind == FlagSpec::Kind::kSwitch;
    if (is_switch && in_file && has_value) return;  // a key that is true or false
    if (is_switch == has_value) {
      mistakes_.add(rule.where, fmt::format("'{}' {}", rule.flag,
                                            has_value ? "takes no value" : "takes a value"));
    }
  }

  std::string release_label() const {
    const std::size_t slash = directory_.find_last_of('/');
    const std::size_t before = directory_.find_last_of('/', slash - 1);
    return directory_.substr(before + 1, slash - before - 1) + " " + directory_.substr(slash + 1);
  }

  CommandMapping read_command(MapReader& fields) {
    CommandMapping command;
    fields.require("command", "the words of the command");
    command.command = fields.text_list("command");
    command.positional = fields.text("positional").value_or("");
    command.flags = flag_list(fields, "flags");
    command.arguments = rules(fields.node("arguments"), command.flags);
    return command;
  }

  void read_serve(const YamlNode& node, ReleaseMapping& mapping) {
    MapReader fields(node, "serve", mistakes_);
    mapping.serve = read_command(fields);
    mapping.container_program = fields.text("container_program").value_or("");
    mapping.port = static_cast<int>(fields.integer("port", {1, 65535}).value_or(8000));
    mapping.health = fields.text("health").value_or("/health");
    mapping.probe_with_curl = fields.word("health_probe", {"curl", "python3"}) == "curl";
    if (const YamlNode* config = fields.node("config")) read_config(*config, mapping);
    fields.finish();
  }

  void read_config(const YamlNode& node, ReleaseMapping& mapping) {
    MapReader fields(node, "serve.config", mistakes_);
    ConfigMapping& config = mapping.config;
    const std::string style =
        fields.word("style", {"yaml", "nested_yaml", "environment"}).value_or("yaml");
    config.style = style == "environment"   ? ConfigMapping::Style::kEnvironment
                   : style == "nested_yaml" ? ConfigMapping::Style::kNestedYaml
                                            : ConfigMapping::Style::kYaml;
    fields.require("file", "its name in the export");
    config.file = fields.text("file").value_or("config.yaml");
    config.flag = fields.text("flag").value_or("");
    config.flags = flag_list(fields, "flags");
    config.settings = rules(fields.node("settings"), config.flags, true);
    if (!config.flag.empty()) {
      ArgumentRule rule;
      rule.flag = config.flag;
      rule.value = config.file;
      rule.where = node.where;
      check(rule, mapping.serve.flags, false);
    }
    fields.finish();
  }

  void read_dynamo(const YamlNode& node, ReleaseMapping& mapping) {
    MapReader fields(node, "dynamo", mistakes_);
    DynamoMapping dynamo;
    dynamo.release = fields.text("release").value_or("");
    dynamo.bundles = fields.text("bundles").value_or("");
    dynamo.image = fields.text("image").value_or("");
    dynamo.worker = read_command(fields);
    dynamo.frontend_command = fields.text_list("frontend_command");
    dynamo.frontend_flags = flag_list(fields, "frontend_flags");
    dynamo.frontend_arguments = rules(fields.node("frontend_arguments"), dynamo.frontend_flags);
    fields.finish();
    mapping.dynamo = std::move(dynamo);
  }

  std::string directory_;
  Diagnostics mistakes_;
};

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

bool is_folder_name(const std::string& text) {
  return !text.empty() && text.front() != '.' && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_' ||
           c == '+';
  });
}

}  // namespace

Expected<ReleaseMapping> load_release(const std::vector<std::string>& data_directories,
                                      const std::string& engine, const std::string& release) {
  std::vector<std::string> known;
  for (const std::string& data : data_directories) {
    const std::string engine_directory = path_join(path_join(data, "engines"), engine);
    for (const std::string& name : list_directories(engine_directory)) {
      const std::string directory = path_join(engine_directory, name);
      if (!file_exists(path_join(directory, "mapping.yaml"))) continue;
      // A release name is compared, never joined to a path: it comes from an untrusted document.
      if (name == release && is_folder_name(release)) return MappingReader(directory).read();
      known.push_back(name);
    }
  }
  if (known.empty()) {
    return fail(ExitCode::kUsage, fmt::format("no release of engine '{}' can be exported", engine),
                "data/engines/<engine>/<release>/mapping.yaml describes one; --data adds a folder");
  }
  return fail(ExitCode::kUsage, fmt::format("no data for {} release '{}'", engine, release),
              fmt::format("known: {}; choose one with --engine-release", joined(known)));
}

Expected<std::optional<std::string>> read_template(const ReleaseMapping& mapping,
                                                   const std::string& name) {
  const std::string path = path_join(path_join(mapping.directory, "templates"), name);
  if (!is_folder_name(name) || !file_exists(path)) return std::optional<std::string>();
  auto text = read_file(path, 1U << 20);
  if (!text) return tl::unexpected(text.error());
  return std::optional<std::string>(std::move(*text));
}

Expected<std::vector<Setting>> apply_rules(const std::vector<ArgumentRule>& rules,
                                           const FlagList& flags, const Facts& facts,
                                           const ReleaseMapping& mapping) {
  std::vector<Setting> settings;
  for (const ArgumentRule& rule : rules) {
    const auto applies = holds(rule.when, facts, rule.where);
    if (!applies) return tl::unexpected(applies.error());
    if (!*applies) continue;
    Setting setting;
    setting.flag = flags.find(rule.flag);
    setting.name = rule.flag;
    setting.variable = rule.variable;
    setting.suffix = rule.suffix;
    setting.split = rule.split;
    if (setting.flag == nullptr) {
      return fail_at(rule.where, fmt::format("'{}' is no argument of {} in {}", rule.flag,
                                             flags.command(), mapping.label()));
    }
    if (rule.variable.empty()) {
      auto value = substitute(rule.value, facts, rule.where);
      if (!value) {
        Error error = value.error();
        for (const auto& [name, table] : mapping.tables) {
          if (rule.value.find("${" + name) == std::string::npos) continue;
          std::vector<std::string> has;
          for (const auto& [from, to] : table.values) has.push_back(from);
          error.diagnostics = {{rule.where,
                                fmt::format("{} has no {} for {} '{}'", mapping.label(), name,
                                            table.of, facts.text(table.of)),
                                "it has: " + joined(has)}};
        }
        return tl::unexpected(error);
      }
      setting.value = std::move(*value);
      auto typed = typed_value(*setting.flag, setting.value);
      if (!typed) {
        Error error = typed.error();
        for (Diagnostic& found : error.diagnostics) found.where = rule.where;
        return tl::unexpected(error);
      }
      setting.typed = std::move(*typed);
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

Expected<std::string> first_text(const std::vector<Guarded>& texts, const Facts& facts) {
  for (const Guarded& guarded : texts) {
    const auto applies = holds(guarded.when, facts, guarded.where);
    if (!applies) return tl::unexpected(applies.error());
    if (*applies) return substitute(guarded.text, facts, guarded.where);
  }
  return std::string();
}

void add_table_facts(const ReleaseMapping& mapping, Facts& facts) {
  for (const auto& [name, table] : mapping.tables) {
    const auto found = table.values.find(facts.text(table.of));
    if (found != table.values.end()) facts.set(name, found->second);
  }
}

}  // namespace tensorpath::deploy
