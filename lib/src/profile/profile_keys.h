// The words of tensorpath-profile(5) that reading and writing share.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include <tensorpath/workload.h>

namespace tensorpath::profile_file {

inline constexpr std::string_view kSchema = "tensorpath.profile/v1";

inline constexpr std::array<std::pair<std::string_view, Arrivals::Kind>, 4> kArrivalKinds = {{
    {"closed", Arrivals::Kind::kClosed},
    {"poisson", Arrivals::Kind::kPoisson},
    {"gamma", Arrivals::Kind::kGamma},
    {"all_at_once", Arrivals::Kind::kAllAtOnce},
}};

}  // namespace tensorpath::profile_file
