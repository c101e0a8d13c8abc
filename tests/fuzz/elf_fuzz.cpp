// read_elf: no file may crash or hang it, and what it accepts is consistent.
#include "harness/elf.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto object = tensorpath::read_elf({reinterpret_cast<const char*>(bytes), size}, "fuzz.so");
  if (!object) {
    if (object.error().diagnostics.empty()) std::abort();
    return 0;
  }
  for (const tensorpath::ElfSymbol& symbol : object->symbols) {
    if (symbol.section < 0xFF00 && symbol.section != 0 &&
        symbol.section >= object->sections.size()) {
      std::abort();
    }
  }
  for (const std::string& import : object->imports()) {
    if (import.empty()) std::abort();
  }
  return 0;
}
