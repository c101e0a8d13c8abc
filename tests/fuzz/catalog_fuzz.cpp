// check_catalog_text: every kind of catalog file. No input may crash or hang; a refusal says what
// is wrong, and the verdict on a text does not change.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <tensorpath/catalog.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Larger files only repeat what smaller ones show, slower.
  constexpr std::size_t kMaxBytes = 64U << 10;
  const std::string_view text(reinterpret_cast<const char*>(data),
                              size < kMaxBytes ? size : kMaxBytes);
  const tensorpath::Status first = tensorpath::check_catalog_text(text, "fuzz.yaml");
  const tensorpath::Status second = tensorpath::check_catalog_text(text, "fuzz.yaml");
  if (first.has_value() != second.has_value()) {
    std::abort();
  }
  if (!first && (first.error().to_string().empty() ||
                 first.error().to_string() != second.error().to_string())) {
    std::abort();
  }
  return 0;
}
