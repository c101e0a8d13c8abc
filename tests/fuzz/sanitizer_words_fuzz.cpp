// sanitizer_words: whatever a process prints, no number of it comes out, but for places in the
// source.
#include "harness/sanitizer_words.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  if (tensorpath::sanitizer_words(text).size() > 8000) std::abort();
  const std::string told = tensorpath::sanitizer_words("==7==ERROR: " + text + " 190733");
  if (told.find(" 190733") != std::string::npos) std::abort();
  return 0;
}
