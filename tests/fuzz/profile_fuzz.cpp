// parse_profile: no input may crash or hang; what reads is written back as an equal document.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <tensorpath/profile.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profile = tensorpath::parse_profile(text, "fuzz.json");
  if (!profile) {
    if (profile.error().to_string().empty()) std::abort();
    return 0;
  }
  const std::string written = tensorpath::to_text(tensorpath::profile_json(*profile));
  const auto again = tensorpath::parse_profile(written, "again.json");
  if (!again || tensorpath::to_text(tensorpath::profile_json(*again)) != written) std::abort();
  if (again->flags.size() != profile->flags.size()) std::abort();
  (void)tensorpath::same_point(profile->point, again->point);
  return 0;
}
