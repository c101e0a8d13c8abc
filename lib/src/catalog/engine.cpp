// data/engines/*.yaml: a serving engine, pinned to the release that its figures are for.
#include "read.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace tensorpath {
namespace {

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Engine::Path path_in(const std::vector<FormatSupport>& supported, std::string_view format,
                     std::string_view architecture) {
  for (const FormatSupport& support : supported) {
    if (support.format != format) {
      continue;
    }
    if (contains(support.native, architecture)) {
      return Engine::Path::kNative;
    }
    if (contains(support.weight_only, architecture)) {
      return Engine::Path::kWeightOnly;
    }
  }
  return Engine::Path::kNone;
}

}  // namespace

Engine::Path Engine::path(std::string_view format, std::string_view architecture) const {
  return path_in(formats, format, architecture);
}

Engine::Path Engine::kv_path(std::string_view kv_format, std::string_view architecture) const {
  return path_in(kv_formats, kv_format, architecture);
}

namespace catalog {
namespace {

// Architectures are checked against the engine's own list, so that a slip is no silent rejection.
void check_architectures(const std::vector<std::string>& listed, const SourceLocation& where,
                         const Engine& engine, Diagnostics& diagnostics) {
  for (const std::string& architecture : listed) {
    if (!contains(engine.architectures, architecture)) {
      diagnostics.add(where,
                      fmt::format("'{}' is not among the engine's 'architectures'", architecture),
                      suggestion(architecture, engine.architectures));
    }
  }
}

std::vector<FormatSupport> read_support(MapReader& map, std::string_view key, Reference::Kind kind,
                                        const Engine& engine, Reading& reading) {
  std::vector<FormatSupport> formats;
  map.require(key, "[{format, native: [architectures], weight_only: [architectures]}]");
  int index = 0;
  for (const YamlNode& item : list_of_maps(map, key)) {
    MapReader row(item, fmt::format("{}[{}]", key, index++), reading.diagnostics);
    FormatSupport support;
    support.format = required_text(row, "format", "a name of data/formats");
    support.native = row.text_list("native");
    support.weight_only = row.text_list("weight_only");
    support.note = row.text("note").value_or("");
    check_architectures(support.native, row.where("native"), engine, reading.diagnostics);
    check_architectures(support.weight_only, row.where("weight_only"), engine, reading.diagnostics);
    row.finish();
    if (!support.format.empty()) {
      reading.references.push_back({kind, support.format, row.where("format")});
    }
    formats.push_back(std::move(support));
  }
  return formats;
}

MemoryRule read_memory(const YamlNode& node, Diagnostics& diagnostics) {
  MapReader map(node, "memory", diagnostics);
  MemoryRule rule;
  rule.kind = required_word(map, "kind", "the rule that sizes the KV cache",
                            {"utilisation", "free_fraction", "static_fraction", "whole_context"});
  rule.fraction = required_number(map, "fraction", "the share of the rule", {0, 1, true});
  rule.runtime_bytes =
      required_number(map, "runtime_gib", "GiB of context, libraries and collectives", {0, 1024}) *
      kGiB;
  rule.graph_bytes =
      required_number(map, "graph_gib", "GiB of captured graphs per GPU", {0, 1024}) * kGiB;
  map.finish();
  return rule;
}

// A tier needs something it depends on; one by architecture alone holds for every size.
SchedulerTier read_tier(const YamlNode& item, const std::string& path, const Engine& engine,
                        Diagnostics& diagnostics) {
  MapReader map(item, path, diagnostics);
  SchedulerTier tier;
  tier.architecture = map.text("architecture").value_or("");
  if (!tier.architecture.empty()) {
    check_architectures({tier.architecture}, map.where("architecture"), engine, diagnostics);
  }
  tier.below_hbm_bytes = map.number("below_hbm_gib", {0, 1e5, true})
                             .value_or(std::numeric_limits<double>::infinity()) *
                         kGiB;
  tier.max_batch = required_int(map, "max_batch", "sequences in one step by default");
  tier.max_batched_tokens =
      required_int(map, "max_batched_tokens", "tokens in one step by default");
  tier.memory_fraction = map.number("memory_fraction", {0, 1, true}).value_or(0);
  map.finish();
  if (!map.has("architecture") && !map.has("below_hbm_gib")) {
    diagnostics.add(item.where, "the tier holds for every GPU",
                    "name an 'architecture', a 'below_hbm_gib', or both");
  }
  return tier;
}

void read_scheduler(const YamlNode& node, Engine& engine, Diagnostics& diagnostics) {
  MapReader map(node, "scheduler", diagnostics);
  engine.default_max_batch = required_int(map, "max_batch", "sequences in one step by default");
  engine.default_max_batched_tokens =
      required_int(map, "max_batched_tokens", "tokens in one step by default");
  map.require("chunked_prefill", "whether prompts are split over steps by default");
  engine.chunked_prefill = map.boolean("chunked_prefill").value_or(true);
  map.require("prefix_cache", "whether prefixes are cached by default");
  engine.prefix_cache = map.boolean("prefix_cache").value_or(true);
  int index = 0;
  for (const YamlNode& item : list_of_maps(map, "tiers")) {
    engine.scheduler_tiers.push_back(
        read_tier(item, fmt::format("scheduler.tiers[{}]", index++), engine, diagnostics));
  }
  map.finish();
}

void read_features(const YamlNode& node, Engine& engine, Diagnostics& diagnostics) {
  MapReader map(node, "features", diagnostics);
  const auto flag = [&map](std::string_view key, std::string_view what) {
    map.require(key, what);
    return map.boolean(key).value_or(false);
  };
  engine.pools_windowed_kv = flag("windowed_kv_pool", "whether sliding windows cap the KV cache");
  engine.supports_tp = map.boolean("tp").value_or(true);
  engine.supports_pp = flag("pp", "pipeline parallelism");
  engine.supports_ep = flag("ep", "expert parallelism");
  engine.supports_attention_dp = flag("attention_dp", "data-parallel attention");
  engine.supports_disaggregation = flag("disaggregation", "separate prefill and decode instances");
  engine.speculative = map.text_list("speculative");
  map.finish();
}

}  // namespace

Engine read_engine(const YamlNode& document, Reading& reading) {
  MapReader map(document, "", reading.diagnostics);
  Engine engine;
  read_schema(map, kEngineSchema);
  engine.name = read_name(map);
  engine.title = required_text(map, "title", "the name that people read");
  engine.aliases = map.text_list("aliases");
  engine.release = required_text(map, "release", "the release that flags and defaults are for");
  engine.image = required_text(map, "image", "container image with its tag");
  map.require("architectures", "the architectures it runs on");
  engine.architectures = map.text_list("architectures");
  engine.formats = read_support(map, "formats", Reference::Kind::kFormat, engine, reading);
  engine.kv_formats = read_support(map, "kv_formats", Reference::Kind::kKvFormat, engine, reading);
  engine.unsupported_models = map.text_list("unsupported_models");
  for (const std::string& name : engine.unsupported_models) {
    reading.references.push_back(
        {Reference::Kind::kModelOrTrait, name, map.where("unsupported_models")});
  }
  if (const YamlNode* memory =
          required_map(map, "memory", "{kind, fraction, runtime_gib, graph_gib}")) {
    engine.memory = read_memory(*memory, reading.diagnostics);
  }
  if (const YamlNode* scheduler =
          required_map(map, "scheduler", "{max_batch, max_batched_tokens, chunked_prefill, ...}")) {
    read_scheduler(*scheduler, engine, reading.diagnostics);
  }
  if (const YamlNode* features =
          required_map(map, "features", "{windowed_kv_pool, pp, ep, attention_dp, ...}")) {
    read_features(*features, engine, reading.diagnostics);
  }
  engine.simplicity =
      required_number(map, "simplicity", "0 to 1, how little there is to operate", {0, 1});
  engine.sources = read_sources(document, map);
  map.finish();
  return engine;
}

}  // namespace catalog
}  // namespace tensorpath
