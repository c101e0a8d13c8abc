#include <cstdio>

#include <tensorpath/catalog.h>
#include <tensorpath/version.h>

// Loads the catalog named on the command line and prints how many GPUs it holds.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto catalog = tensorpath::Catalog::load({argv[1]});
  if (!catalog) {
    std::fprintf(stderr, "%s\n", catalog.error().to_string().c_str());
    return 1;
  }
  std::printf("%s: %zu GPUs\n", tensorpath::kVersion.data(), catalog->gpus().size());
  return catalog->gpus().empty() ? 1 : 0;
}
