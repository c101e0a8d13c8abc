// Wall-clock times as text. Functions that write a time take it as an argument; only a program's
// edge asks for the time that is, so that a test or a reproduced run passes its own.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tensorpath {

// UTC, microseconds.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

[[nodiscard]] WallTime wall_now();
// "2026-11-29T15:33:16.123456Z": one width from year 0 to 9999, so that text sorts as time.
[[nodiscard]] std::string utc_text(WallTime time);
// What utc_text writes; a fraction of none to six digits is accepted. nullopt for anything else,
// days that no calendar has among it.
[[nodiscard]] std::optional<WallTime> parse_utc(std::string_view text);

}  // namespace tensorpath
