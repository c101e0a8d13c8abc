// Typed reading of one mapping (Diagnostics, MapReader).
#include <algorithm>
#include <cctype>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

#include <tensorpath/base/yaml.h>

namespace tensorpath {
namespace {

// What one screen holds; the rest is counted.
constexpr std::size_t kMostShown = 20;
// Past this many mistakes it is the wrong file: suggestions would only cost time.
constexpr std::size_t kMostSuggestions = 50;

// "-0.5 or more", "more than 0", "between 0 and 1"
std::string range_text(const NumberRange& range) {
  const bool bounded = range.max < NumberRange{}.max;
  if (range.min_exclusive) {
    return bounded ? fmt::format("more than {:g} and at most {:g}", range.min, range.max)
                   : fmt::format("more than {:g}", range.min);
  }
  if (range.min <= -NumberRange{}.max) return fmt::format("at most {:g}", range.max);
  return bounded ? fmt::format("between {:g} and {:g}", range.min, range.max)
                 : fmt::format("{:g} or more", range.min);
}

bool within(double value, const NumberRange& range) {
  if (value < range.min || value > range.max) return false;
  return !range.min_exclusive || value > range.min;
}

std::string shown(const YamlNode& node) {
  return node.is_scalar() ? quote_input(node.scalar) : node.kind_name();
}

// How to mend a scalar that is no number: quotes, a unit, thousands separators, not finite.
std::string number_hint(const YamlNode& node) {
  if (!node.is_scalar()) return {};
  if (node.quoted) return "write the number without quotes";
  std::string lower;
  for (const char c : node.scalar) {
    lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (lower.find("nan") != std::string::npos || lower.find("inf") != std::string::npos) {
    return "numbers must be finite; leave the key out where there is no bound";
  }
  if (lower.empty() || std::isdigit(static_cast<unsigned char>(lower.front())) == 0) return {};
  if (lower.find_first_not_of("0123456789.e+-") == std::string::npos) {
    return "it is too large, too small or no number at all";
  }
  if (lower.find_first_of(",_'") != std::string::npos) return "write the digits without separators";
  return "write the number alone: the unit is in the key's name";
}

bool ends_in_unit(std::string_view rest) {
  static const std::vector<std::string_view> kUnits = {
      "_ms", "_s",  "_tokens", "_usd", "_gib",   "_rps",    "_bytes",   "_gb_s",
      "_w",  "_hz", "_mib",    "_pct", "_tok_s", "_tflops", "_per_hour"};
  return std::find(kUnits.begin(), kUnits.end(), rest) != kUnits.end();
}

}  // namespace

void Diagnostics::add(SourceLocation where, std::string message, std::string hint) {
  found_.push_back({std::move(where), std::move(message), std::move(hint)});
}

Error Diagnostics::to_error() const {
  Error error{ExitCode::kUsage, found_};
  std::stable_sort(error.diagnostics.begin(), error.diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::tie(a.where.file, a.where.line, a.where.column) <
                            std::tie(b.where.file, b.where.line, b.where.column);
                   });
  if (error.diagnostics.size() > kMostShown) {
    const std::size_t rest = error.diagnostics.size() - kMostShown;
    error.diagnostics.resize(kMostShown);
    error.diagnostics.push_back({{}, fmt::format("and {} more mistakes", rest), {}});
  }
  return error;
}

MapReader::MapReader(const YamlNode& node, std::string path, Diagnostics& diagnostics)
    : node_(node), path_(std::move(path)), diagnostics_(diagnostics) {
  if (!node_.is_map()) {
    diagnostics_.add(
        node_.where,
        fmt::format("{} is {}, expected a mapping", path_.empty() ? "the document" : path_,
                    node_.is_null() ? "empty" : shown(node_)),
        "write 'key: value' lines, or {key: value}");
  }
}

bool MapReader::has(std::string_view key) const {
  const YamlNode* found = node_.find(key);
  return found != nullptr && !found->is_null();
}

const YamlNode* MapReader::node(std::string_view key) {
  known_.emplace_back(key);
  const YamlNode* found = node_.find(key);
  return found != nullptr && !found->is_null() ? found : nullptr;
}

std::optional<double> MapReader::number(std::string_view key, NumberRange range) {
  const YamlNode* found = node(key);
  if (found == nullptr) return std::nullopt;
  const std::optional<double> value = yaml_number(*found);
  if (!value) {
    diagnostics_.add(found->where,
                     fmt::format("{} is {}, expected a number", path_of(key), shown(*found)),
                     number_hint(*found));
    return std::nullopt;
  }
  if (!within(*value, range)) {
    diagnostics_.add(found->where, fmt::format("{} is {}, expected {}", path_of(key),
                                               found->scalar.substr(0, 40), range_text(range)));
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> MapReader::integer(std::string_view key, NumberRange range) {
  // A double holds whole numbers exactly up to here.
  constexpr double kLargestExact = 9007199254740992.0;
  const std::optional<double> value = number(key, range);
  if (!value) return std::nullopt;
  if (*value != std::floor(*value) || std::fabs(*value) > kLargestExact) {
    const YamlNode* found = node_.find(key);
    diagnostics_.add(found->where, fmt::format("{} is {}, expected a whole number", path_of(key),
                                               found->scalar.substr(0, 40)));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*value);
}

std::optional<std::string> MapReader::text(std::string_view key) {
  const YamlNode* found = node(key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_scalar()) {
    diagnostics_.add(found->where,
                     fmt::format("{} is {}, expected text", path_of(key), shown(*found)));
    return std::nullopt;
  }
  return found->scalar;
}

std::optional<bool> MapReader::boolean(std::string_view key) {
  const YamlNode* found = node(key);
  if (found == nullptr) return std::nullopt;
  const std::optional<bool> value = yaml_bool(*found);
  if (!value) {
    diagnostics_.add(found->where,
                     fmt::format("{} is {}, expected true or false", path_of(key), shown(*found)),
                     "write true or false, without quotes");
  }
  return value;
}

std::vector<std::string> MapReader::text_list(std::string_view key) {
  const YamlNode* found = node(key);
  if (found == nullptr) return {};
  if (found->is_scalar()) return {found->scalar};
  std::vector<std::string> out;
  if (!found->is_sequence()) {
    diagnostics_.add(found->where,
                     fmt::format("{} is {}, expected a list", path_of(key), shown(*found)),
                     "write [a, b]");
    return out;
  }
  for (std::size_t i = 0; i < found->items.size(); ++i) {
    const YamlNode& item = found->items[i];
    if (item.is_scalar()) {
      out.push_back(item.scalar);
    } else {
      diagnostics_.add(item.where,
                       fmt::format("{}[{}] is {}, expected text", path_of(key), i, shown(item)));
    }
  }
  return out;
}

std::optional<std::string> MapReader::word(std::string_view key,
                                           const std::vector<std::string>& allowed) {
  const YamlNode* found = node(key);
  if (found == nullptr) return std::nullopt;
  if (found->is_scalar() &&
      std::find(allowed.begin(), allowed.end(), found->scalar) != allowed.end()) {
    return found->scalar;
  }
  std::string expected;
  for (const std::string& word : allowed) expected += (expected.empty() ? "" : ", ") + word;
  const std::string nearest = found->is_scalar() ? nearest_name(found->scalar, allowed) : "";
  diagnostics_.add(
      found->where,
      fmt::format("{} is {}, expected one of: {}", path_of(key), shown(*found), expected),
      nearest.empty() ? "" : fmt::format("did you mean '{}'?", nearest));
  return std::nullopt;
}

void MapReader::require(std::string_view key, std::string_view what) {
  if (!node_.is_map() || has(key)) return;
  diagnostics_.add(node_.where, fmt::format("{} is missing, expected {}", path_of(key), what),
                   fmt::format("add '{}: ...'", key));
}

void MapReader::finish() {
  for (std::size_t i = 0; i < node_.entries.size(); ++i) {
    const std::string& key = node_.entries[i].first;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string hint;
    if (diagnostics_.size() < kMostSuggestions) {
      for (const std::string& name : known_) {
        if (name.size() > key.size() && name.starts_with(key) &&
            ends_in_unit(std::string_view(name).substr(key.size()))) {
          hint = fmt::format("did you mean '{}'? The unit belongs in the name", name);
          break;
        }
      }
      // "{max: 12,000}" is two entries, the second one '000'.
      if (key.find_first_not_of("0123456789") == std::string::npos &&
          node_.entries[i].second.is_null()) {
        hint = "write numbers without ',' between the digits";
      }
      if (hint.empty() && key.find(':') != std::string::npos) {
        hint = "put a space after the ':'";
      }
      if (hint.empty()) hint = suggestion(key, known_);
    }
    const auto [line, column] = node_.key_positions[i];
    diagnostics_.add({node_.where.file, line, column},
                     path_.empty() ? fmt::format("unknown key {}", quote_input(key))
                                   : fmt::format("unknown key {} in {}", quote_input(key), path_),
                     std::move(hint));
  }
}

SourceLocation MapReader::where(std::string_view key) const {
  const YamlNode* found = node_.find(key);
  return found != nullptr ? found->where : node_.where;
}

std::string MapReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

}  // namespace tensorpath
