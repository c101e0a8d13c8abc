// export_plan: no document may crash, hang or give a file that is empty or leaves its folder.
#include <cstdlib>

#include <tensorpath/deploy.h>

namespace {

const std::vector<std::string>& data() {
  // Where the data is: the tests set it, by hand it is the source tree's.
  static const std::vector<std::string> directories = [] {
    const char* named = std::getenv("TENSORPATH_DATA");
    return std::vector<std::string>{named != nullptr ? named : "data"};
  }();
  return directories;
}

const tensorpath::Catalog& catalog() {
  static const tensorpath::Catalog loaded = [] {
    auto result = tensorpath::Catalog::load(data());
    if (!result) std::abort();
    return std::move(*result);
  }();
  return loaded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto document =
      tensorpath::parse_json({reinterpret_cast<const char*>(bytes), size}, "fuzz.json");
  if (!document) return 0;
  const auto files = tensorpath::export_plan(*document, 1, catalog(), data());
  if (!files) {
    if (files.error().diagnostics.empty()) std::abort();
    return 0;
  }
  for (const tensorpath::ExportedFile& file : *files) {
    if (file.contents.empty() || file.path.find("..") != std::string::npos) std::abort();
  }
  return 0;
}
