// read_packet_archive: no input may crash, hang or fill the memory, and what is read stays inside.
#include <cstdlib>
#include <set>
#include <string>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/archive.h>

using namespace tensorpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto files = read_packet_archive({reinterpret_cast<const char*>(bytes), size});
  if (!files) return 0;
  std::set<std::string> paths;
  for (const PacketFile& file : *files) {
    if (!is_path_below(file.path) || !paths.insert(file.path).second) std::abort();
  }
  return 0;
}
