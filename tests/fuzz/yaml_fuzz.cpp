// parse_yaml: no input may crash, hang or get past the limits; what parses has a place everywhere.
#include <cstdlib>

#include <tensorpath/base/yaml.h>

namespace {

int depth_of(const tensorpath::YamlNode& node) {
  int deepest = 0;
  for (const auto& item : node.items) deepest = std::max(deepest, depth_of(item));
  for (const auto& entry : node.entries) deepest = std::max(deepest, depth_of(entry.second));
  return deepest + 1;
}

std::size_t nodes_of(const tensorpath::YamlNode& node) {
  if (node.where.line < 1 || node.key_positions.size() != node.entries.size()) std::abort();
  std::size_t count = 1;
  for (const auto& item : node.items) count += nodes_of(item);
  for (const auto& entry : node.entries) count += nodes_of(entry.second);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const tensorpath::YamlLimits limits{64U << 10, 5000, 64};
  const auto parsed = tensorpath::parse_yaml(
      std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.yaml", limits);
  if (!parsed) {
    if (parsed.error().to_string().empty()) std::abort();
    return 0;
  }
  if (depth_of(*parsed) > limits.max_depth + 1 || nodes_of(*parsed) > limits.max_nodes) {
    std::abort();
  }
  return 0;
}
