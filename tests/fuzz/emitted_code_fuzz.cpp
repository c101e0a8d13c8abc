// count_instructions: no listing may crash or hang it, and no family has more than there are.
#include <cstdint>
#include <cstdlib>

#include <tensorpath/harness/emitted_code.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace tensorpath;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const DeviceKind device : {DeviceKind::kHost, DeviceKind::kCuda}) {
    const EmittedCode code = count_instructions(device, text);
    for (const auto& [name, count] : code.families) {
      if (count < 1 || count > code.instructions) std::abort();
    }
  }
  return 0;
}
