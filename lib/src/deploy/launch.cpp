#include "launch.h"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

namespace tensorpath::deploy {
namespace {

bool is_path(const std::string& text) { return !text.empty() && text.front() == '/'; }

bool is_sixteen_bit(const std::string& format) {
  return format == "bf16" || format == "fp16" || format == "fp32";
}

WeightsReference weights_of(const PlanPoint& point, const ReleaseMapping& mapping) {
  WeightsReference weights;
  const Model* model = point.model;
  weights.original =
      model == nullptr || model->huggingface.empty() ? point.model_name : model->huggingface;
  const std::string native =
      model == nullptr || model->native_format.empty() ? "bf16" : model->native_format;
  const auto& online = mapping.online_formats;
  // For GGUF the original weights are what to convert, not what to load.
  const bool to_convert =
      mapping.gguf_weights && model != nullptr && point.checkpoint_repo == weights.original;
  if (!point.checkpoint_repo.empty() && !to_convert) {
    weights.argument = point.checkpoint_repo;
  } else if (!mapping.gguf_weights &&
             (point.weight_format == native || is_sixteen_bit(point.weight_format))) {
    weights.argument = weights.original;
  } else if (is_sixteen_bit(native) &&
             std::find(online.begin(), online.end(), point.weight_format) != online.end()) {
    weights.argument = weights.original;
    weights.quantise_online = true;
  } else {
    weights.quantise_first = true;
    weights.argument =
        fmt::format("./models/{}-{}{}", object_name(point.model_name),
                    object_name(point.weight_format), mapping.gguf_weights ? ".gguf" : "");
  }
  weights.on_hub = !weights.quantise_first && !is_path(weights.argument);
  return weights;
}

void set_nested(Json& root, const std::string& path, Json value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) {
    root[path] = std::move(value);
  } else {
    set_nested(root[path.substr(0, dot)], path.substr(dot + 1), std::move(value));
  }
}

std::string key_of(const std::string& flag) { return flag.substr(flag.find_first_not_of('-')); }

// Only words that both a shell and Compose read as themselves.
bool is_plain_word(const std::string& value) {
  return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("._-,:/+").find(c) != std::string_view::npos;
  });
}

Expected<std::string> environment_text(const Launch& launch) {
  std::string text;
  for (const Setting& setting : launch.settings) {
    if (setting.flag->env.empty()) {
      return fail(ExitCode::kUsage, fmt::format("{} has no environment variable in {}",
                                                setting.name, launch.mapping.label()));
    }
    const std::string value =
        setting.typed.is_boolean() ? (setting.typed.get<bool>() ? "1" : "0") : setting.value;
    if (!is_plain_word(value)) {
      return fail(ExitCode::kUsage, fmt::format("'{}' cannot stand in an environment file", value));
    }
    text += fmt::format("{}={}\n", setting.flag->env, value);
  }
  return text;
}

// command, positional, the flags of the mapping, and the configuration file.
Expected<std::vector<std::vector<Word>>> serve_rows(const Launch& launch, const Facts& facts) {
  const CommandMapping& serve = launch.mapping.serve;
  std::vector<std::vector<Word>> rows(1);
  for (const std::string& word : serve.command) rows[0].push_back({word, "", ""});
  if (!serve.positional.empty()) {
    auto text = substitute(serve.positional, facts, {});
    if (!text) return tl::unexpected(text.error());
    rows[0].push_back({*text, "", ""});
  }
  auto arguments = apply_rules(serve.arguments, serve.flags, facts, launch.mapping);
  if (!arguments) return tl::unexpected(arguments.error());
  for (auto& row : rows_of(*arguments)) rows.push_back(std::move(row));
  const ConfigMapping& config = launch.mapping.config;
  if (!config.flag.empty()) rows.push_back({{config.flag, "", ""}, {config.file, "", ""}});
  return rows;
}

Status refuse_if_told(const Launch& launch) {
  const auto why = first_text(launch.mapping.refusals, launch.facts);
  if (!why) return tl::unexpected(why.error());
  if (why->empty()) return {};
  return fail(ExitCode::kUsage, fmt::format("plan {} cannot be exported for {}: {}",
                                            launch.point->rank, launch.mapping.label(), *why));
}

Status fill_commands(Launch& launch) {
  auto command = serve_rows(launch, launch.facts);
  if (!command) return tl::unexpected(command.error());
  launch.command = std::move(*command);
  if (launch.nodes() > 1 && launch.mapping.arguments_span_nodes) {
    Facts worker = launch.facts;
    worker.set("worker_node", true);
    auto rows = serve_rows(launch, worker);
    if (!rows) return tl::unexpected(rows.error());
    launch.worker_command = std::move(*rows);
  }
  const ConfigMapping& config = launch.mapping.config;
  auto settings = apply_rules(config.settings, config.flags, launch.facts, launch.mapping);
  if (!settings) return tl::unexpected(settings.error());
  launch.settings = std::move(*settings);
  auto text = config_text(launch);
  if (!text) return tl::unexpected(text.error());
  launch.config_text = std::move(*text);
  return {};
}

Status fill_environment_and_notes(Launch& launch) {
  for (const auto& [name, guarded] : launch.mapping.environment) {
    const auto value = first_text({guarded}, launch.facts);
    if (!value) return tl::unexpected(value.error());
    if (!value->empty()) launch.environment.emplace_back(name, *value);
  }
  for (const Guarded& note : launch.mapping.notes) {
    const auto text = first_text({note}, launch.facts);
    if (!text) return tl::unexpected(text.error());
    if (!text->empty()) launch.notes.push_back(*text);
  }
  return {};
}

}  // namespace

std::string Launch::headline() const {
  const Pool& pool = point->serve;
  if (cpu()) return fmt::format("{} on {}", mapping.label(), pool.gpu->title);
  return fmt::format("{} on {} x {}", mapping.label(), pool.gpus_per_replica, pool.gpu->title);
}

std::vector<std::vector<Word>> rows_of(const std::vector<Setting>& settings) {
  std::vector<std::vector<Word>> rows;
  for (const Setting& setting : settings) {
    std::vector<Word> row = {{setting.name, "", ""}};
    if (!setting.variable.empty()) {
      row.push_back({"", setting.variable, setting.suffix});
    } else if (setting.split) {
      std::istringstream words(setting.value);
      for (std::string word; words >> word;) row.push_back({word, "", ""});
    } else if (!setting.value.empty()) {
      row.push_back({setting.value, "", ""});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Expected<std::string> config_text(const Launch& launch) {
  const ConfigMapping& config = launch.mapping.config;
  const std::string head = fmt::format("# {}, plan rank {}: {}\n", launch.point->model_name,
                                       launch.point->rank, launch.headline());
  if (config.style == ConfigMapping::Style::kEnvironment) {
    auto text = environment_text(launch);
    if (!text) return tl::unexpected(text.error());
    return head + *text;
  }
  Json root = Json::object();
  for (const Setting& setting : launch.settings) {
    if (config.style == ConfigMapping::Style::kNestedYaml) {
      set_nested(root, setting.name, setting.typed);
    } else {
      root[key_of(setting.name)] = setting.typed;
    }
  }
  return head + to_yaml_text(root);
}

Expected<Launch> prepare(const PlanPoint& point, ReleaseMapping mapping) {
  Launch launch;
  launch.point = &point;
  launch.mapping = std::move(mapping);
  launch.weights = weights_of(point, launch.mapping);
  launch.served_name = is_path(point.model_name) ? object_name(point.model_name) : point.model_name;
  launch.name = object_name(point.model_name + "-" + point.engine->name);
  if (point.model != nullptr) {
    const double bits = point.format == nullptr ? 16 : point.format->bits_per_param;
    launch.weight_bytes = point.model->total_params() * bits / 8;
  }
  launch.facts = pool_facts(point, launch.mapping, launch.weights, point.serve,
                            point.disaggregated() ? "decode" : "agg");
  launch.facts.set("served_name", launch.served_name);
  if (auto told = refuse_if_told(launch); !told) return tl::unexpected(told.error());
  auto image = first_text(launch.mapping.images, launch.facts);
  if (!image) return tl::unexpected(image.error());
  if (image->empty()) {
    return fail(ExitCode::kUsage,
                fmt::format("{} has no container image for {} ({})", launch.mapping.label(),
                            point.serve.gpu->title, point.serve.gpu->architecture),
                "the images of a release are listed in its mapping.yaml");
  }
  launch.image = std::move(*image);
  if (!point.disaggregated()) {
    if (auto filled = fill_commands(launch); !filled) return tl::unexpected(filled.error());
  }
  if (auto filled = fill_environment_and_notes(launch); !filled) {
    return tl::unexpected(filled.error());
  }
  return launch;
}

}  // namespace tensorpath::deploy
