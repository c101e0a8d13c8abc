// Measured runs as CSV: no input may crash or hang; rows that come out are inside their ranges.
#include "profile/validate_rows.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto rows = tensorpath::validation::parse_rows(
      std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.csv");
  if (!rows) {
    if (rows.error().to_string().empty()) std::abort();
    return 0;
  }
  for (const auto& row : *rows) {
    if (row.line < 2 || row.tp < 1 || row.concurrency < 1 || row.length_ratio > 1) std::abort();
    if (!std::isfinite(row.ttft_ms) || row.tpot_ms <= 0) std::abort();
  }
  return 0;
}
