#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include <tensorpath/registry/entry.h>

namespace tensorpath::registry {
namespace {

constexpr std::array<std::string_view, 3> kLevels = {"op", "runtime", "endpoint"};

}  // namespace

std::string_view name_of(EvidenceLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

std::vector<std::string> evidence_level_names() { return {kLevels.begin(), kLevels.end()}; }

std::vector<std::string> layout_names() { return {"contiguous", "strided", "offset"}; }

std::string shape_text(const Entry& entry, const Symbols& shape) {
  std::string text;
  for (const DimRange& dim : entry.dims) {
    const auto found = shape.find(dim.name);
    if (found == shape.end()) continue;
    text += (text.empty() ? "" : "x") + std::to_string(found->second);
  }
  return text;
}

std::string kernel_name(const Entry& entry) {
  return fmt::format("{}_{}_{}_{}_{}", entry.language, entry.op, entry.gpu, entry.dtype,
                     shape_text(entry, entry.tuned_shape));
}

std::optional<int> version_of(std::string_view id, std::string_view name) {
  if (!id.starts_with(name) || !id.substr(name.size()).starts_with("_v")) return std::nullopt;
  const std::string_view digits = id.substr(name.size() + 2);
  int version = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), version, 10);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  // "v01" would be another name for version 1.
  if (!whole || version < 1 || digits.front() == '0') return std::nullopt;
  return version;
}

bool is_kernel_word(std::string_view word) {
  if (word.empty() || word.front() == '.' || word.front() == '-') return false;
  return std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
  });
}

std::string ratio_text(double ratio, double lower, double upper) {
  return fmt::format("{:.2f}x [{:.2f}, {:.2f}]", ratio, lower, upper);
}

std::string measured_text(const Entry& entry) {
  const Performance& p = entry.performance;
  return fmt::format("{} against {}, {}, on {}", ratio_text(p.ratio, p.lower, p.upper), p.baseline,
                     p.timing, entry.gpu);
}

}  // namespace tensorpath::registry
