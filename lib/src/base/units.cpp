#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include <tensorpath/base/units.h>

namespace tensorpath {
namespace {

// The decimal exponent after rounding to `digits` significant digits (99.96 to three is 1e2).
int rounded_exponent(double value, int digits) {
  const std::string text = fmt::format("{:.{}e}", std::fabs(value), digits - 1);
  return static_cast<int>(std::strtol(text.c_str() + text.find('e') + 1, nullptr, 10));
}

std::string with_thousands(const std::string& integer_text) {
  std::string out;
  for (std::size_t i = 0; i < integer_text.size(); ++i) {
    const std::size_t left = integer_text.size() - i;
    if (!out.empty() && out.back() != '-' && left % 3 == 0) out += ',';
    out += integer_text[i];
  }
  return out;
}

// Past these a fixed notation is a row of zeros that nobody counts.
constexpr double kLargestFixed = 1e15;
constexpr double kSmallestFixed = 1e-4;

}  // namespace

std::string_view to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::kMeasured:
      return "measured";
    case Provenance::kImported:
      return "imported";
    case Provenance::kCalibrated:
      return "calibrated";
    case Provenance::kModeled:
      return "modeled";
    case Provenance::kAssumed:
      break;
  }
  return "assumed";
}

std::string human_number(double value) {
  if (std::isnan(value)) return "-";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return "0";
  const double size = std::fabs(value);
  if (size >= kLargestFixed || size < kSmallestFixed) return fmt::format("{:.2e}", value);
  const int exponent = rounded_exponent(value, 3);
  // 100 and more lose nothing but the fraction: people compare 1,234 with 1,236.
  if (exponent >= 2) return with_thousands(fmt::format("{:.0f}", value));
  if (value == std::floor(value)) return fmt::format("{:.0f}", value);
  return fmt::format("{:.{}f}", value, 2 - exponent);
}

std::string human_usd(double usd) {
  if (!std::isfinite(usd)) return "-";
  const std::string sign = usd < 0 ? "-$" : "$";
  const double size = std::fabs(usd);
  if (size == 0) return "$0.00";
  const int exponent = rounded_exponent(size, 3);
  if (exponent >= 2) return sign + with_thousands(fmt::format("{:.0f}", size));
  // Cents, but never fewer than two significant digits: a token costs fractions of a cent.
  const int small_exponent = rounded_exponent(size, 2);
  const int decimals = small_exponent >= -1 ? 2 : 1 - small_exponent;
  if (decimals > 9) return sign + fmt::format("{:.1e}", size);
  return sign + fmt::format("{:.{}f}", size, decimals);
}

std::string human_bytes(double bytes) {
  if (!std::isfinite(bytes)) return "-";
  static constexpr std::array<const char*, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = bytes;
  std::size_t unit = 0;
  // 1000 rather than 1024: "1,023 MiB" is not three significant digits.
  while (std::fabs(value) >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return human_number(value) + ' ' + kUnits[unit];
}

}  // namespace tensorpath
