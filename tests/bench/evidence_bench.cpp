// Hashing of a packet's files, beside what `openssl speed sha256` reports for this processor.
#include "bench.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <tensorpath/evidence/file_hash.h>

namespace tensorpath::bench {
namespace {

constexpr std::size_t kBytes = 256U << 20;
constexpr int kRounds = 5;

// What openssl speed measures: one buffer that stays in the cache, again and again.
double openssl_gb_s() {
  const std::string command =
      "openssl speed -elapsed -seconds 2 -bytes 16384 -evp sha256 2>/dev/null | tail -n 1";
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return 0;
  char line[256] = {};
  const bool read = std::fgets(line, sizeof line, pipe) != nullptr;
  ::pclose(pipe);
  double thousands = 0;  // of bytes per second: "sha256    1234567.89k"
  return read && std::sscanf(line, "%*s %lfk", &thousands) == 1 ? thousands * 1e3 / 1e9 : 0;
}

double file_gb_s(const std::string& path) {
  std::vector<double> seconds;
  for (int round = 0; round <= kRounds; ++round) {
    const double once = seconds_of([&] {
      if (!sha256_file(path)) std::abort();
    });
    if (round > 0) seconds.push_back(once);  // the first fills the page cache
  }
  return static_cast<double>(kBytes) / median(seconds) / 1e9;
}

}  // namespace
}  // namespace tensorpath::bench

int main() {
  using namespace tensorpath::bench;
  std::string pattern =
      (std::filesystem::temp_directory_path() / "tensorpath-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return 1;
  const std::string path = pattern + "/samples.bin";
  std::ofstream(path, std::ios::binary) << std::string(kBytes, 's');
  const double ours = file_gb_s(path);
  std::filesystem::remove_all(pattern);
  const double theirs = openssl_gb_s();
  std::fprintf(stderr, "a file of 256 MiB: %.3f GB/s; openssl speed sha256: %.3f GB/s\n", ours,
               theirs);
  if (theirs > 0) {
    budget("replay --level check, hashing over openssl speed sha256", ours / theirs, "x", 0.8,
           Bar::kAtLeast);
  } else {
    no_budget("replay --level check, hashing over openssl speed sha256", "there is no openssl");
  }
  return 0;
}
