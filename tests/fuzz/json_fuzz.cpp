// parse_json: no input may crash or hang; what parses survives a round through both writers.
#include <cstdlib>

#include <tensorpath/base/json.h>
#include <tensorpath/base/yaml.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = tensorpath::parse_json(
      std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.json");
  if (!parsed) {
    if (parsed.error().to_string().empty()) std::abort();
    return 0;
  }
  const auto again = tensorpath::parse_json(tensorpath::to_text(*parsed), "again.json");
  if (!again || tensorpath::to_line(*again) != tensorpath::to_line(*parsed)) std::abort();
  // What was written as YAML must be YAML, limits apart.
  const std::string yaml = tensorpath::to_yaml_text(*parsed);
  const auto tree = tensorpath::parse_yaml(yaml, "again.yaml", {64U << 20, 10'000'000, 70});
  if (!tree) std::abort();
  return 0;
}
