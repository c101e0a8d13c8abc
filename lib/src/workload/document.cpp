#include "document.h"

#include "presets.h"

#include <utility>

#include <fmt/format.h>

namespace tensorpath::workload_file {
namespace {

std::pair<std::string_view, std::string_view> first_part(std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {path, {}};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

YamlNode* find_entry(YamlNode& map, std::string_view key) {
  for (auto& [name, value] : map.entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

YamlNode parsed(const std::string& value, const std::string& origin) {
  auto node = parse_yaml(value, origin);
  YamlNode out = node ? std::move(*node) : YamlNode{};
  out.where = {origin, 0, 0};
  return out;
}

bool has_any(const YamlNode& root, std::string_view path) {
  const YamlNode* node = find_path(root, path);
  if (node == nullptr) return false;
  if (!node->is_map()) return true;
  for (const auto& entry : node->entries) {
    if (!entry.second.is_null()) return true;
  }
  return false;
}

// arrivals.kind follows from the key that only one kind has.
std::string implied_kind(const YamlNode& root) {
  if (find_path(root, "arrivals.concurrency") != nullptr) return "closed";
  if (find_path(root, "arrivals.count") != nullptr) return "all_at_once";
  if (find_path(root, "arrivals.file") != nullptr) return "trace";
  if (find_path(root, "arrivals.cv") != nullptr) return "gamma";
  if (find_path(root, "arrivals.rate_rps") != nullptr) return "poisson";
  return {};
}

class Filler {
 public:
  Filler(YamlNode& root, const std::string& type)
      : root_(root), type_(type), preset_(preset_of(type)) {}

  std::vector<std::string> fill() {
    // A preset's session and prefix describe its own prompts: next to the file's they would add a
    // history that nobody spoke of.
    const bool own_prompts = find_path(root_, "requests.isl_tokens") != nullptr;
    // Who states an objective states them all: another one would reject plans unasked.
    const bool own_slo = has_any(root_, "slo");
    fill_arrivals();
    for (const PresetValue& row : preset_) {
      if (row.key.starts_with("arrivals.")) continue;
      if (own_prompts && (row.key.starts_with("session.") || row.key.starts_with("prefix."))) {
        continue;
      }
      if (own_slo && row.key.starts_with("slo.")) continue;
      set(row.key, row.value, preset_name());
    }
    for (const PresetValue& row : defaults()) set(row.key, row.value, "default");
    return std::move(filled_);
  }

 private:
  [[nodiscard]] std::string preset_name() const { return "preset " + type_; }

  void set(std::string_view key, std::string_view value, const std::string& origin) {
    if (find_path(root_, key) != nullptr) return;
    set_path(root_, key, parsed(std::string(value), origin));
    filled_.push_back(fmt::format("{} = {} ({})", key, value, origin));
  }

  void fill_from_preset(std::string_view key) {
    if (const PresetValue* row = find_row(preset_, key)) set(key, row->value, preset_name());
  }

  void fill_arrivals() {
    const PresetValue* preset_kind = find_row(preset_, "arrivals.kind");
    if (find_path(root_, "arrivals.kind") == nullptr) {
      const std::string implied = implied_kind(root_);
      if (!implied.empty()) {
        set("arrivals.kind", implied, "implied by the other keys");
      } else if (preset_kind != nullptr) {
        set("arrivals.kind", preset_kind->value, preset_name());
      }
    }
    const YamlNode* node = find_path(root_, "arrivals.kind");
    if (node == nullptr) return;
    const std::string kind = node->scalar;  // a copy: filling moves the nodes
    if (kind == "all_at_once") fill_from_preset("arrivals.count");
    if (kind == "gamma") set("arrivals.cv", "2", "default");
    // Owned hardware and no rate ask the question the other way round: what load does it carry?
    const bool asks_for_load = has_owned_hardware(root_);
    if ((kind == "poisson" || kind == "gamma") && !asks_for_load) {
      fill_from_preset("arrivals.rate_rps");
    }
  }

  YamlNode& root_;
  const std::string& type_;
  const std::vector<PresetValue>& preset_;
  std::vector<std::string> filled_;
};

}  // namespace

const YamlNode* find_path(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  while (node != nullptr && !path.empty()) {
    const auto [head, tail] = first_part(path);
    node = node->find(head);
    path = tail;
  }
  return node != nullptr && !node->is_null() ? node : nullptr;
}

SourceLocation where_path(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  while (!path.empty()) {
    const auto [head, tail] = first_part(path);
    const YamlNode* next = node->find(head);
    if (next == nullptr) break;
    node = next;
    path = tail;
  }
  return node->where;
}

void set_path(YamlNode& root, std::string_view path, YamlNode value) {
  YamlNode* node = &root;
  while (true) {
    if (node->is_null()) node->kind = YamlNode::Kind::kMap;
    if (!node->is_map()) return;
    const auto [head, tail] = first_part(path);
    YamlNode* next = find_entry(*node, head);
    if (next == nullptr) {
      YamlNode fresh;
      fresh.where = tail.empty() ? value.where : node->where;
      node->entries.emplace_back(std::string(head), std::move(fresh));
      node->key_positions.emplace_back(0, 0);
      next = &node->entries.back().second;
    }
    if (tail.empty()) {
      *next = std::move(value);
      return;
    }
    node = next;
    path = tail;
  }
}

bool has_owned_hardware(const YamlNode& root) {
  const YamlNode* owned = find_path(root, "hardware.owned");
  return owned != nullptr && !(owned->is_sequence() && owned->items.empty());
}

std::vector<std::string> fill_in_original(YamlNode& root) {
  const std::string origin = "preset of the original's requests";
  std::vector<std::string> filled;
  for (const PresetValue& row : original_request_rows()) {
    set_path(root, row.key, parsed(std::string(row.value), origin));
    filled.push_back(fmt::format("{} = {} ({})", row.key, row.value, origin));
  }
  return filled;
}

std::vector<std::string> fill_in(YamlNode& root, const std::string& type) {
  return Filler(root, type).fill();
}

}  // namespace tensorpath::workload_file
