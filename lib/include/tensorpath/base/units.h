// Provenance, bands and units: what every printed number carries.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tensorpath/base/json.h>

namespace tensorpath {

inline constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
inline constexpr double kGB = 1e9;
// A month for prices: 365.25 days / 12, as the clouds bill.
inline constexpr double kHoursPerMonth = 730.5;

// How a number came about, from the strongest to the weakest; a sum takes the weakest of its parts.
enum class Provenance : std::uint8_t {
  kMeasured,    // here, with a packet
  kImported,    // somebody's measurement, with its source
  kCalibrated,  // a model fitted to measurements, with its held-out error
  kModeled,     // first principles
  kAssumed,     // the user's or a default
};

[[nodiscard]] std::string_view to_string(Provenance provenance);
[[nodiscard]] constexpr Provenance weakest(Provenance a, Provenance b) { return a < b ? b : a; }

// An interval that should hold the truth with probability `level`. lo == hi == 0: no band.
struct Band {
  double level = 0;
  double lo = 0;
  double hi = 0;
  [[nodiscard]] bool known() const { return level > 0; }
};

// "1,234", "12.3", "0.0123": three significant digits, thousands separated, for people.
[[nodiscard]] std::string human_number(double value);
// "$1,234", "$0.42"
[[nodiscard]] std::string human_usd(double usd);
// "79.6 GiB", "640 MiB"
[[nodiscard]] std::string human_bytes(double bytes);

}  // namespace tensorpath
