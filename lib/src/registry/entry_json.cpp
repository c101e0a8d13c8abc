// entry.json: the writer and the strict reader. tensorpath-registry(5) documents each key.
#include "base/json_tree.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/registry/entry.h>

namespace tensorpath::registry {
namespace {

constexpr std::string_view kSchema = "tensorpath.kernel/v1";
// A compiler's flags are the longest text there is.
constexpr std::size_t kLongestText = 4000;
// As a directory's name it has to leave room for what is put around it while it is built.
constexpr std::size_t kLongestId = 200;
constexpr std::size_t kDigest = 64;
constexpr double kMostElements = 1e15;
constexpr double kMostMicroseconds = 1e12;
constexpr double kMostRatio = 1e9;
constexpr double kAnyNumber = 1e308;

Json symbols_json(const Entry& entry, const Symbols& shape) {
  Json out = Json::object();
  for (const DimRange& dim : entry.dims) {
    const auto found = shape.find(dim.name);
    if (found != shape.end()) out[dim.name] = found->second;
  }
  return out;
}

Json performance_json(const Entry& entry) {
  const Performance& p = entry.performance;
  Json cases = Json::array();
  for (const CaseResult& one : p.cases) {
    cases.push_back({{"shape", symbols_json(entry, one.shape)},
                     {"weight", one.weight},
                     {"baseline", one.baseline},
                     {"baseline_us", one.baseline_us},
                     {"kernel_us", one.kernel_us},
                     {"ratio", one.ratio},
                     {"lower", one.lower},
                     {"upper", one.upper}});
  }
  return {
      {"timing", p.timing},       {"baseline", p.baseline},
      {"ratio", p.ratio},         {"lower", p.lower},
      {"upper", p.upper},         {"sol_score", p.sol_score ? Json(*p.sol_score) : Json(nullptr)},
      {"cases", std::move(cases)}};
}

// Reads one document; what is wrong goes to the diagnostics, and the entry keeps its defaults.
class EntryReader {
 public:
  EntryReader(const YamlNode& root, Diagnostics& diagnostics)
      : map_(root, "", diagnostics), diagnostics_(diagnostics) {}

  Entry read() {
    map_.require("schema", kSchema);
    (void)map_.word("schema", {std::string(kSchema)});
    read_identity();
    read_domain();
    read_toolchain();
    read_evidence();
    read_performance();
    map_.finish();
    if (diagnostics_.empty()) check_id();
    return std::move(entry_);
  }

 private:
  void wrong(const SourceLocation& where, std::string message, std::string hint = {}) {
    diagnostics_.add(where, std::move(message), std::move(hint));
  }

  // One line: what is printed on a terminal holds no control characters.
  std::string text(MapReader& map, std::string_view key, std::string_view what,
                   bool may_be_empty = false) {
    map.require(key, what);
    std::string value = map.text(key).value_or("");
    const auto unfit = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
    if (value.size() > kLongestText || std::any_of(value.begin(), value.end(), unfit)) {
      wrong(map.where(key), fmt::format("{} is no text of one line", map.path_of(key)));
      return {};
    }
    if (value.empty() && map.has(key) && !may_be_empty) {
      wrong(map.where(key), fmt::format("{} is empty, expected {}", map.path_of(key), what));
    }
    return value;
  }

  std::string word(std::string_view key, std::string_view what) {
    std::string value = text(map_, key, what);
    if (!value.empty() && !is_kernel_word(value)) {
      wrong(map_.where(key), fmt::format("{} is {}, expected {}", key, quote_input(value), what),
            "lower-case letters, digits, '_', '.' and '-'");
    }
    return value;
  }

  // Of a dim or an attribute, as expressions have them.
  void check_name(const YamlNode& value, const std::string& name) {
    const auto fit = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    if (name.empty() || !std::all_of(name.begin(), name.end(), fit)) {
      wrong(value.where, fmt::format("{} is no name of a dim or an attribute", quote_input(name)));
    }
  }

  std::string digest(std::string_view key) {
    std::string value = text(map_, key, "a SHA-256");
    if (!value.empty() && (value.size() != kDigest ||
                           value.find_first_not_of("0123456789abcdef") != std::string::npos)) {
      wrong(map_.where(key), fmt::format("{} is no SHA-256 in lower-case hex", key));
    }
    return value;
  }

  double number(MapReader& map, std::string_view key, std::string_view what, NumberRange range) {
    map.require(key, what);
    return map.number(key, range).value_or(1);
  }

  void read_identity() {
    if (map_.has("id")) entry_.id = word("id", "a kernel's id");
    (void)map_.node("id");
    entry_.op = word("op", "an operator");
    entry_.op_digest = digest("op_digest");
    entry_.language = word("language", "what the kernel is written in");
    entry_.gpu = word("gpu", "host, or a GPU");
    entry_.architecture = word("architecture", "what it was built for");
    entry_.dtype = word("dtype", "the type T of the operator");
    if (!entry_.dtype.empty() && !dtype_of(entry_.dtype)) {
      wrong(map_.where("dtype"), fmt::format("there is no type {}", quote_input(entry_.dtype)),
            suggestion(entry_.dtype, dtype_names()));
    }
    map_.require("objective", "latency or throughput");
    entry_.objective = map_.word("objective", {"latency", "throughput"}).value_or("latency");
    entry_.falls_back_to = text(map_, "falls_back_to", "what other shapes are given to");
  }

  void read_domain() {
    map_.require("attributes", "the operator's attributes");
    if (const YamlNode* node = map_.node("attributes")) {
      MapReader attributes(*node, "attributes", diagnostics_);
      for (const auto& [name, value] : node->entries) {
        check_name(value, name);
        entry_.attributes.emplace_back(
            name, number(attributes, name, "a number", {-kAnyNumber, kAnyNumber, false}));
      }
    }
    map_.require("domain", "the dims' ranges and the layouts");
    if (const YamlNode* node = map_.node("domain")) {
      MapReader domain(*node, "domain", diagnostics_);
      domain.require("dims", "a range for each dim");
      if (const YamlNode* dims = domain.node("dims")) read_dims(*dims);
      domain.require("layouts", "which layouts it takes");
      entry_.layouts = domain.text_list("layouts");
      check_layouts(domain);
      domain.finish();
    }
    map_.require("tuned_shape", "a size for each dim");
    if (const YamlNode* node = map_.node("tuned_shape")) {
      entry_.tuned_shape = read_shape(*node, "tuned_shape");
    }
  }

  void check_layouts(const MapReader& domain) {
    const std::vector<std::string> known = layout_names();
    if (entry_.layouts.empty() && domain.has("layouts")) {
      wrong(domain.where("layouts"), "domain.layouts is empty", suggestion("", known));
    }
    for (std::size_t i = 0; i < entry_.layouts.size(); ++i) {
      const std::string& layout = entry_.layouts[i];
      if (std::find(known.begin(), known.end(), layout) == known.end()) {
        wrong(domain.where("layouts"), fmt::format("there is no layout {}", quote_input(layout)),
              suggestion(layout, known));
      }
      if (std::count(entry_.layouts.begin(), entry_.layouts.end(), layout) > 1) {
        wrong(domain.where("layouts"), fmt::format("domain.layouts has {} twice", layout));
        return;
      }
    }
  }

  void read_dims(const YamlNode& node) {
    MapReader dims(node, "domain.dims", diagnostics_);
    for (const auto& [name, value] : node.entries) {
      const std::optional<double> least =
          value.items.size() == 2 ? yaml_number(value.items[0]) : std::nullopt;
      const std::optional<double> most =
          value.items.size() == 2 ? yaml_number(value.items[1]) : std::nullopt;
      DimRange range{name, whole(least), whole(most)};
      check_name(value, name);
      if (range.least < 1 || range.most < range.least) {
        wrong(value.where, fmt::format("domain.dims.{}: expected [least, most], from 1 on", name));
        range.least = range.most = 1;
      }
      entry_.dims.push_back(std::move(range));
    }
    if (node.is_map() && entry_.dims.empty()) wrong(node.where, "domain.dims is empty");
  }

  // 0 for what is no size.
  static std::int64_t whole(std::optional<double> value) {
    if (!value || *value < 1 || *value > kMostElements) return 0;
    const auto size = static_cast<std::int64_t>(*value);
    return static_cast<double>(size) == *value ? size : 0;
  }

  // Every dim, each inside its range.
  Symbols read_shape(const YamlNode& node, const std::string& path) {
    Symbols shape;
    MapReader map(node, path, diagnostics_);
    for (const DimRange& dim : entry_.dims) {
      map.require(dim.name, "a size");
      const auto size = map.integer(
          dim.name, {static_cast<double>(dim.least), static_cast<double>(dim.most), false});
      shape[dim.name] = size.value_or(dim.least);
    }
    map.finish();
    return shape;
  }

  void read_toolchain() {
    map_.require("toolchain", "what it was proved with");
    const YamlNode* node = map_.node("toolchain");
    if (node == nullptr) return;
    MapReader map(*node, "toolchain", diagnostics_);
    Toolchain& toolchain = entry_.toolchain;
    toolchain.compiler = text(map, "compiler", "its name and version");
    toolchain.flags = text(map, "flags", "its flags", true);
    toolchain.driver = text(map, "driver", "its version, or nothing", true);
    toolchain.device = text(map, "device", "the device's own name", true);
    map.finish();
  }

  void read_evidence() {
    map_.require("evidence_level", "op, runtime or endpoint");
    const std::vector<std::string> levels = evidence_level_names();
    if (const auto level = map_.word("evidence_level", levels)) {
      const auto place = std::find(levels.begin(), levels.end(), *level) - levels.begin();
      entry_.evidence_level = static_cast<EvidenceLevel>(place);
    }
    entry_.candidate_digest = digest("candidate_digest");
    entry_.packet = text(map_, "packet", "a path beside the entry");
    if (!entry_.packet.empty() && !is_path_below(entry_.packet)) {
      wrong(map_.where("packet"), fmt::format("packet is {}", quote_input(entry_.packet)),
            "a relative path without '..'");
    }
    entry_.packet_sha256 = digest("packet_sha256");
    entry_.run_id = text(map_, "run_id", "the run it comes from");
    map_.require("attempt", "the attempt of that run");
    entry_.attempt = static_cast<int>(map_.integer("attempt", {1, 1e9, false}).value_or(1));
    const std::string time = text(map_, "promoted_at", "a time in UTC");
    if (time.empty()) return;
    const auto promoted = parse_utc(time);
    if (!promoted) {
      wrong(map_.where("promoted_at"),
            fmt::format("promoted_at is {}, expected a time", quote_input(time)),
            "as 2026-11-29T15:33:16.123456Z");
    }
    entry_.promoted_at = promoted.value_or(WallTime{});
  }

  void read_performance() {
    map_.require("performance", "what was measured");
    const YamlNode* node = map_.node("performance");
    if (node == nullptr) return;
    MapReader map(*node, "performance", diagnostics_);
    Performance& p = entry_.performance;
    map.require("timing", "cold");
    p.timing = map.word("timing", {"cold"}).value_or("cold");
    p.baseline = text(map, "baseline", "what it was measured against");
    read_ratio(map, p.ratio, p.lower, p.upper);
    p.sol_score = map.number("sol_score", {-kMostRatio, kMostRatio, false});
    map.require("cases", "what was measured at each shape");
    const YamlNode* cases = map.node("cases");
    map.finish();
    if (cases == nullptr) return;
    if (!cases->is_sequence() || cases->items.empty()) {
      wrong(cases->where, "performance.cases: expected a list of cases");
    }
    for (const YamlNode& one : cases->items) read_case(one);
  }

  void read_ratio(MapReader& map, double& ratio, double& lower, double& upper) {
    const NumberRange range{0, kMostRatio, true};
    ratio = number(map, "ratio", "baseline time over kernel time", range);
    lower = number(map, "lower", "the lower end of its interval", range);
    upper = number(map, "upper", "the upper end of its interval", range);
    if (lower > ratio || ratio > upper) {
      wrong(map.where("ratio"), fmt::format("{} lies outside its interval", map.path_of("ratio")));
    }
  }

  void read_case(const YamlNode& node) {
    const std::string path = fmt::format("performance.cases[{}]", entry_.performance.cases.size());
    MapReader map(node, path, diagnostics_);
    CaseResult one;
    map.require("shape", "a size for each dim");
    if (const YamlNode* shape = map.node("shape")) one.shape = read_shape(*shape, path + ".shape");
    one.weight = number(map, "weight", "its part in the mean", {0, kMostRatio, true});
    one.baseline = text(map, "baseline", "what it was measured against");
    const NumberRange time{0, kMostMicroseconds, true};
    one.baseline_us = number(map, "baseline_us", "the baseline's time", time);
    one.kernel_us = number(map, "kernel_us", "the kernel's time", time);
    read_ratio(map, one.ratio, one.lower, one.upper);
    map.finish();
    entry_.performance.cases.push_back(std::move(one));
  }

  void check_id() {
    const std::string name = kernel_name(entry_);
    if (!is_kernel_word(name) || name.size() > kLongestId) {
      wrong({map_.where("").file, 0, 0},
            fmt::format("{} is no name for a kernel", quote_input(name)),
            "dims and names are made of lower-case letters, digits, '_', '.' and '-'");
    } else if (!entry_.id.empty() && !version_of(entry_.id, name)) {
      wrong(map_.where("id"),
            fmt::format("id is {}, but the entry is about {}", quote_input(entry_.id), name),
            fmt::format("expected {}_v<n>", name));
    }
  }

  MapReader map_;
  Diagnostics& diagnostics_;
  Entry entry_;
};

}  // namespace

Json to_json(const Entry& entry) {
  Json attributes = Json::object();
  for (const auto& [name, value] : entry.attributes) attributes[name] = value;
  Json dims = Json::object();
  for (const DimRange& dim : entry.dims) dims[dim.name] = Json::array({dim.least, dim.most});
  const Toolchain& t = entry.toolchain;
  Json out = {{"schema", kSchema}};
  if (!entry.id.empty()) out["id"] = entry.id;
  out.update(
      {{"op", entry.op},
       {"op_digest", entry.op_digest},
       {"language", entry.language},
       {"gpu", entry.gpu},
       {"architecture", entry.architecture},
       {"dtype", entry.dtype},
       {"attributes", std::move(attributes)},
       {"domain", {{"dims", std::move(dims)}, {"layouts", entry.layouts}}},
       {"tuned_shape", symbols_json(entry, entry.tuned_shape)},
       {"objective", entry.objective},
       {"falls_back_to", entry.falls_back_to},
       {"evidence_level", name_of(entry.evidence_level)},
       {"toolchain",
        {{"compiler", t.compiler}, {"flags", t.flags}, {"driver", t.driver}, {"device", t.device}}},
       {"candidate_digest", entry.candidate_digest},
       {"packet", entry.packet},
       {"packet_sha256", entry.packet_sha256},
       {"run_id", entry.run_id},
       {"attempt", entry.attempt},
       {"promoted_at", utc_text(entry.promoted_at)},
       {"performance", performance_json(entry)}});
  return out;
}

std::string entry_text(const Entry& entry) { return to_text(to_json(entry)); }

Expected<Entry> read_entry(std::string_view text, const std::string& file_name) {
  const auto document = parse_json_tree(text, file_name);
  if (!document) return tl::unexpected(document.error());
  Diagnostics diagnostics;
  Entry entry = EntryReader(*document, diagnostics).read();
  if (!diagnostics.empty()) return tl::unexpected(diagnostics.to_error());
  return entry;
}

}  // namespace tensorpath::registry
