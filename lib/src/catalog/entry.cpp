#include "entry.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace tensorpath::catalog {
namespace {

const std::vector<YamlNode>& no_items() {
  static const std::vector<YamlNode> none;
  return none;
}

// YYYY-MM-DD, or YYYY-MM where a source says no more.
bool is_date_or_month(std::string_view date) {
  return days_of_date(date).has_value() ||
         (date.size() == 7 && days_of_date(std::string(date) + "-01").has_value());
}

// Keys that say what a thing is called, not what it is like.
bool is_identity(std::string_view key) {
  constexpr std::array<std::string_view, 5> kIdentity = {"schema", "name", "title", "aliases",
                                                         "sources"};
  return std::find(kIdentity.begin(), kIdentity.end(), key) != kIdentity.end();
}

// The names a source can cover: the keys of the document and, of mappings, their parts.
std::vector<std::string> figure_names(const YamlNode& document) {
  std::vector<std::string> names;
  for (const auto& [key, value] : document.entries) {
    names.push_back(key);
    for (const auto& part : value.entries) {
      names.push_back(key + "." + part.first);
    }
  }
  return names;
}

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_covered(const std::string& key, const YamlNode& value,
                const std::vector<std::string>& covered) {
  if (contains(covered, key)) {
    return true;
  }
  return !value.entries.empty() &&
         std::all_of(value.entries.begin(), value.entries.end(),
                     [&](const auto& part) { return contains(covered, key + "." + part.first); });
}

void report_uncovered(const YamlNode& document, const std::vector<std::string>& covered,
                      Diagnostics& diagnostics) {
  if (contains(covered, "*")) {
    return;
  }
  for (const auto& [key, value] : document.entries) {
    if (!is_identity(key) && !is_covered(key, value, covered)) {
      diagnostics.add(value.where, fmt::format("'{}' has no source", key),
                      fmt::format("name it in the 'figures' of an entry of 'sources', or add one "
                                  "with figures: [\"*\"]"));
    }
  }
}

SourceNote read_source(const YamlNode& item, const std::string& path,
                       const std::vector<std::string>& names, Diagnostics& diagnostics) {
  MapReader map(item, path, diagnostics);
  SourceNote note;
  map.require("figures", "the keys that the source stands for, or [\"*\"]");
  note.figures = map.text_list("figures");
  for (const std::string& figure : note.figures) {
    if (figure != "*" && !contains(names, figure)) {
      diagnostics.add(map.where("figures"), fmt::format("'{}' is no key of this file", figure),
                      suggestion(figure, names));
    }
  }
  note.text = required_text(map, "text", "the document, page or measurement the figures come from");
  note.url = map.text("url").value_or("");
  note.date = required_text(map, "date", "when it was published or read, YYYY-MM or YYYY-MM-DD");
  if (!note.date.empty() && !is_date_or_month(note.date)) {
    diagnostics.add(map.where("date"), fmt::format("'{}' is no date", note.date),
                    "write YYYY-MM or YYYY-MM-DD");
  }
  map.finish();
  return note;
}

}  // namespace

void read_schema(MapReader& map, std::string_view expected) {
  const std::string schema = required_text(map, "schema", fmt::format("'{}'", expected));
  if (!schema.empty() && schema != expected) {
    map.diagnostics().add(map.where("schema"),
                          fmt::format("schema is '{}', expected '{}'", schema, expected),
                          "files of each kind have a directory of their own under data/");
  }
}

std::string read_name(MapReader& map) {
  std::string name = required_text(map, "name", "the canonical name");
  if (!name.empty() && !is_canonical(name)) {
    map.diagnostics().add(
        map.where("name"), fmt::format("'{}' is no canonical name", name),
        fmt::format("use a-z, 0-9, '.', '_' and '-' only, as in '{}'", canonical(name)));
  }
  return name;
}

std::vector<SourceNote> read_sources(const YamlNode& document, MapReader& map) {
  const std::vector<std::string> names = figure_names(document);
  std::vector<SourceNote> sources;
  std::vector<std::string> covered;
  map.require("sources", "where each figure comes from, with a date");
  if (!map.has("sources")) {
    return sources;
  }
  int index = 0;
  for (const YamlNode& item : list_of_maps(map, "sources")) {
    sources.push_back(
        read_source(item, fmt::format("sources[{}]", index++), names, map.diagnostics()));
    covered.insert(covered.end(), sources.back().figures.begin(), sources.back().figures.end());
  }
  report_uncovered(document, covered, map.diagnostics());
  return sources;
}

namespace {

// The getter that follows marks the key as known; marking it twice would list it twice in hints.
void require_present(MapReader& map, std::string_view key, std::string_view what) {
  if (!map.has(key)) {
    map.require(key, what);
  }
}

}  // namespace

double required_number(MapReader& map, std::string_view key, std::string_view what,
                       NumberRange range) {
  require_present(map, key, what);
  return map.number(key, range).value_or(0);
}

int required_int(MapReader& map, std::string_view key, std::string_view what, int min, int max) {
  require_present(map, key, what);
  return optional_int(map, key, min, min, max);
}

std::string required_text(MapReader& map, std::string_view key, std::string_view what) {
  require_present(map, key, what);
  std::string text = map.text(key).value_or("");
  if (map.has(key) && map.node(key)->is_scalar() && text.empty()) {
    map.diagnostics().add(map.where(key), fmt::format("'{}' is empty", map.path_of(key)),
                          fmt::format("expected {}", what));
  }
  return text;
}

std::string required_word(MapReader& map, std::string_view key, std::string_view what,
                          const std::vector<std::string>& allowed) {
  require_present(map, key, what);
  return map.word(key, allowed).value_or("");
}

int optional_int(MapReader& map, std::string_view key, int otherwise, int min, int max) {
  const NumberRange range{static_cast<double>(min), static_cast<double>(max), false};
  return static_cast<int>(map.integer(key, range).value_or(otherwise));
}

const YamlNode* required_map(MapReader& map, std::string_view key, std::string_view what) {
  require_present(map, key, what);
  const YamlNode* node = map.node(key);
  if (node == nullptr || node->is_null()) {
    return nullptr;
  }
  if (!node->is_map()) {
    map.diagnostics().add(node->where, fmt::format("'{}' is {}, expected a mapping: {}",
                                                   map.path_of(key), node->kind_name(), what));
    return nullptr;
  }
  return node;
}

const std::vector<YamlNode>& list_of_maps(MapReader& map, std::string_view key) {
  const YamlNode* node = map.node(key);
  if (node == nullptr || node->is_null()) {
    return no_items();
  }
  if (!node->is_sequence()) {
    map.diagnostics().add(node->where, fmt::format("'{}' is {}, expected a list of mappings",
                                                   map.path_of(key), node->kind_name()));
    return no_items();
  }
  const bool all_maps = std::all_of(node->items.begin(), node->items.end(),
                                    [](const YamlNode& item) { return item.is_map(); });
  if (!all_maps) {
    map.diagnostics().add(node->where,
                          fmt::format("'{}' holds something else than mappings", map.path_of(key)),
                          "write each entry as {key: value, ...}");
    return no_items();
  }
  return node->items;
}

Quality read_quality(MapReader& map) {
  const YamlNode* node = required_map(map, "quality", "{factor, provenance}");
  if (node == nullptr) {
    return {};
  }
  MapReader quality(*node, "quality", map.diagnostics());
  Quality result;
  result.factor = required_number(quality, "factor", "the share of the 16-bit quality that is kept",
                                  {0, 1, true});
  const std::string word = required_word(quality, "provenance", "how the factor came about",
                                         {"measured", "imported", "assumed"});
  if (word == "measured") {
    result.provenance = Provenance::kMeasured;
  } else if (word == "imported") {
    result.provenance = Provenance::kImported;
  }
  quality.finish();
  return result;
}

}  // namespace tensorpath::catalog
