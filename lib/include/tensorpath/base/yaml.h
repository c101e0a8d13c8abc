// A strict YAML reader: a tree whose every node knows its line and column.
// Refused with a place and a hint: duplicate keys, anchors and aliases (so no bombs), tags, several
// documents, tabs in indentation, nesting past 64, and documents past the byte or node limit.
// MapReader walks one mapping and collects every mistake in it, unknown keys included.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

struct YamlLimits {
  std::size_t max_bytes = 1U << 20;  // a workload or a catalog file is some KiB
  std::size_t max_nodes = 200'000;
  int max_depth = 64;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  bool quoted = false;  // a quoted scalar is never a number, a boolean or null
  std::string scalar;
  std::vector<YamlNode> items;                            // kSequence
  std::vector<std::pair<std::string, YamlNode>> entries;  // kMap, in file order
  std::vector<std::pair<int, int>> key_positions;         // kMap: line, column of each key
  SourceLocation where;

  // Out of line: a vector of pairs of this type needs it complete (clang insists).
  YamlNode();
  YamlNode(const YamlNode&);
  YamlNode(YamlNode&&) noexcept;
  YamlNode& operator=(const YamlNode&);
  YamlNode& operator=(YamlNode&&) noexcept;
  ~YamlNode();

  [[nodiscard]] bool is_null() const { return kind == Kind::kNull; }
  [[nodiscard]] bool is_map() const { return kind == Kind::kMap; }
  [[nodiscard]] bool is_sequence() const { return kind == Kind::kSequence; }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::kScalar; }
  [[nodiscard]] const YamlNode* find(std::string_view key) const;
  [[nodiscard]] std::string kind_name() const;  // "a mapping", "a list", "text", "null"
};

[[nodiscard]] Expected<YamlNode> parse_yaml(std::string_view text, std::string file_name,
                                            const YamlLimits& limits = {});
[[nodiscard]] Expected<YamlNode> read_yaml_file(const std::string& path,
                                                const YamlLimits& limits = {});

// Reads the scalar strictly: the whole text must be one finite number. nullopt otherwise.
[[nodiscard]] std::optional<double> yaml_number(const YamlNode& node);
[[nodiscard]] std::optional<bool> yaml_bool(const YamlNode& node);

// What a number may be. Bounds are inclusive; the message names them.
struct NumberRange {
  double min = 0;
  double max = 1e18;
  bool min_exclusive = false;
};

// Collects diagnostics over a whole document so that a person sees all mistakes at once.
class Diagnostics {
 public:
  void add(SourceLocation where, std::string message, std::string hint = {});
  [[nodiscard]] bool empty() const { return found_.empty(); }
  [[nodiscard]] std::size_t size() const { return found_.size(); }
  // The collected diagnostics as an Error of class kUsage, at most 20 of them, in file order.
  [[nodiscard]] Error to_error() const;

 private:
  std::vector<Diagnostic> found_;
};

// Typed access to the entries of one mapping. Every getter marks its key as known; finish() reports
// the keys nobody asked for, with the nearest known key. A wrong type is reported once and reads as
// absent. `path` is the dotted path for messages ("slo.ttft_ms").
class MapReader {
 public:
  MapReader(const YamlNode& node, std::string path, Diagnostics& diagnostics);

  [[nodiscard]] bool has(std::string_view key) const;  // present and not null; does not mark
  [[nodiscard]] const YamlNode* node(std::string_view key);
  [[nodiscard]] std::optional<double> number(std::string_view key, NumberRange range = {});
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, NumberRange range = {});
  [[nodiscard]] std::optional<std::string> text(std::string_view key);
  [[nodiscard]] std::optional<bool> boolean(std::string_view key);
  // A list of text, or one text standing for a list of one.
  [[nodiscard]] std::vector<std::string> text_list(std::string_view key);
  // A word out of `allowed`; another one is reported with the nearest allowed word.
  [[nodiscard]] std::optional<std::string> word(std::string_view key,
                                                const std::vector<std::string>& allowed);
  // Reports a key that must be there.
  void require(std::string_view key, std::string_view what);
  // Reports unknown keys; call it once, last. A key of the form "<known without unit>" gets the
  // hint that the unit belongs into the name.
  void finish();

  [[nodiscard]] SourceLocation where(
      std::string_view key) const;  // of the value, or of the mapping
  [[nodiscard]] std::string path_of(std::string_view key) const;
  [[nodiscard]] Diagnostics& diagnostics() { return diagnostics_; }

 private:
  const YamlNode& node_;
  std::string path_;
  Diagnostics& diagnostics_;
  std::vector<std::string> known_;
};

}  // namespace tensorpath
