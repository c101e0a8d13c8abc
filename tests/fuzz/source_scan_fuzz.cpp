// scan_includes: no source may crash it, and nothing behind an include makes it overlook that.
#include "harness/source_scan.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string source(reinterpret_cast<const char*>(bytes), size);
  const auto failure = [](const std::string& text) {
    return tensorpath::scan_includes(text, "fuzz.cpp", {"task.h"}).failure;
  };
  if (failure("#include \"/etc/passwd\"\n" + source) == tensorpath::Failure::kNone) std::abort();
  // A line of its own in front changes nothing.
  if (failure("int a;\n" + source) != failure(source)) std::abort();
  return 0;
}
