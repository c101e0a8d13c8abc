// What cannot be true of a profile: refused where it contradicts itself outright, flagged where the
// figures only do not add up.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/yaml.h>
#include <tensorpath/profile.h>

namespace tensorpath::profile_file {

// Adds a diagnostic for each contradiction between keys.
void check_profile(const YamlNode& document, const Profile& profile, Diagnostics& diagnostics);
// Flags as Profile::flags has them.
[[nodiscard]] std::vector<std::string> flags_of(const Profile& profile);

}  // namespace tensorpath::profile_file
