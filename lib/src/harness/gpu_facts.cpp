#include "gpu_facts.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tensorpath {
namespace {

std::string value_of(std::string_view lines, std::string_view key) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.starts_with(key) && line.substr(key.size()).starts_with(": ")) {
      return std::string(line.substr(key.size() + 2));
    }
  }
  return {};
}

double number_of(std::string_view lines, std::string_view key) {
  const std::string text = value_of(lines, key);
  std::int64_t value = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), value);
  return static_cast<double>(value);
}

}  // namespace

GpuFacts read_gpu_facts(std::string_view lines) {
  return {value_of(lines, "gpu"),
          value_of(lines, "architecture"),
          value_of(lines, "driver interface"),
          value_of(lines, "bus"),
          number_of(lines, "memory"),
          number_of(lines, "cache"),
          static_cast<int>(number_of(lines, "multiprocessors"))};
}

Json to_json(const GpuFacts& facts) {
  return {{"name", facts.name},
          {"architecture", facts.architecture},
          {"driver_interface", facts.driver_interface},
          {"bus", facts.bus},
          {"memory_bytes", static_cast<std::int64_t>(facts.memory_bytes)},
          {"cache_bytes", static_cast<std::int64_t>(facts.cache_bytes)},
          {"multiprocessors", facts.multiprocessors}};
}

}  // namespace tensorpath
