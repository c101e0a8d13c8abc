// Names of Forge runs: 20261129-153316-123-g7f9q2x.
// UTC date, time and milliseconds, then seven characters of Crockford's base32: two for the
// microseconds within the millisecond, five that are random. So ids sort by time as text, 32
// processes that create at once get different ones, and there is no letter to mistake for a digit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>

namespace tensorpath::forge {

// The id of a time; of `random` the low 25 bits are used. Equal arguments give equal ids.
[[nodiscard]] std::string run_id_of(WallTime time, std::uint64_t random);
// With random bits from the kernel.
[[nodiscard]] Expected<std::string> new_run_id(WallTime time);

// Exactly what run_id_of writes. Anything else is no run: no path, no upper case, no bad date.
[[nodiscard]] bool is_run_id(std::string_view text);
// When the run was created; nullopt when it is no run id.
[[nodiscard]] std::optional<WallTime> run_time(std::string_view id);

// The one id that `text` means: a whole id, the beginning of one, or its last group or the
// beginning of that. Case does not matter, and i, l and o are read as 1, 1 and 0. Errors (usage):
// none or several match, with the names that come near.
[[nodiscard]] Expected<std::string> resolve_run_id(std::string_view text,
                                                   const std::vector<std::string>& ids);

}  // namespace tensorpath::forge
