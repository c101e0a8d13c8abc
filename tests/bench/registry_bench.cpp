// list-kernels over 10,000 entries, as a user meets it: whole processes, with the index that the
// first of them leaves, and without; and what loading costs by itself.
#include "bench.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/registry.h>

namespace {

using namespace tensorpath;
namespace fs = std::filesystem;

constexpr int kEntries = 10'000;
constexpr int kRounds = 9;
// An index holds what was not changed within the clock's tick.
constexpr auto kSettled = std::chrono::milliseconds(2500);

const std::vector<std::string> kOps = {"rmsnorm", "softmax", "swiglu", "silu", "gelu", "layernorm"};

// As a promotion of a norm on five shapes writes them.
registry::Entry entry_of(int i) {
  registry::Entry entry;
  entry.op = kOps[static_cast<std::size_t>(i) % kOps.size()];
  entry.op_digest = sha256_hex(entry.op);
  entry.language = i % 3 == 0 ? "cuda" : "cpp";
  entry.gpu = i % 3 == 0 ? "h200_sxm" : "host";
  entry.architecture = i % 3 == 0 ? "sm_90" : "x86-64-v3";
  entry.dtype = i % 2 == 0 ? "bf16" : "fp32";
  entry.attributes = {{"eps", 1e-6}};
  entry.dims = {{"rows", 1, 100'000}, {"hidden", 1, 65'536}};
  entry.layouts = {"contiguous", "strided"};
  entry.tuned_shape = {{"rows", 1 + i}, {"hidden", 4096}};
  entry.falls_back_to = "the operator's tuned baseline";
  entry.toolchain = {"g++ (Debian 12.2.0-14) 12.2.0", "-std=c++20 -O3 -march=x86-64-v3", "",
                     "Some Processor 8480C @ 2.00GHz"};
  entry.candidate_digest = sha256_hex(std::to_string(i));
  entry.packet = "packet/packet.json";
  entry.packet_sha256 = sha256_hex("packet");
  entry.run_id = "20261129-120000-000-00abcde";
  entry.promoted_at = parse_utc("2026-11-29T15:33:16.123456Z").value();
  entry.performance.baseline = "tuned";
  entry.performance.ratio = 1.2 + 1e-5 * i;
  entry.performance.lower = 1.15;
  entry.performance.upper = 1.5;
  entry.performance.sol_score = 0.71;
  for (int c = 0; c < 5; ++c) {
    registry::CaseResult one;
    one.shape = {{"rows", 1 + c}, {"hidden", 4096}};
    one.baseline = "tuned";
    one.baseline_us = 12.345678 + c;
    one.kernel_us = 10.123456 + c;
    one.ratio = 1.25;
    one.lower = 1.2;
    one.upper = 1.3;
    entry.performance.cases.push_back(one);
  }
  entry.id = registry::kernel_name(entry) + "_v1";
  return entry;
}

// Not by publish(): its syncs are not what is measured.
void fill(const std::string& root) {
  for (int i = 0; i < kEntries; ++i) {
    const registry::Entry entry = entry_of(i);
    const std::string directory = path_join(path_join(root, entry.op), entry.id);
    if (!make_directories(directory) ||
        !write_file_atomic(path_join(directory, "entry.json"), registry::entry_text(entry))) {
      std::abort();
    }
  }
}

void run(const std::vector<std::string>& words) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
    std::vector<std::string> copies = words;
    std::vector<char*> pointers;
    for (std::string& word : copies) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execv(pointers.front(), pointers.data());
    _exit(127);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) std::abort();
}

}  // namespace

int main() {
  const std::string what = "list-kernels over 10,000 entries";
  const char* named = std::getenv("TENSORPATH");
  const std::string tensorpath = named == nullptr ? "build/release/bin/tensorpath" : named;
  std::string directory = "/dev/shm/tensorpath-bench-XXXXXX";
  if (!file_exists(tensorpath) || ::mkdtemp(directory.data()) == nullptr) {
    bench::no_budget(what, "no /dev/shm, or no binary named in TENSORPATH");
    return 0;
  }
  const std::string root = path_join(directory, "kernels");
  fill(root);
  std::this_thread::sleep_for(kSettled);
  const std::vector<std::string> list = {tensorpath, "list-kernels", "--registry", root};
  ::setenv("XDG_CACHE_HOME", "/dev/null", 1);  // a place that holds no index
  std::printf("without an index: %.0f ms\n",
              1e3 * bench::median_seconds(kRounds, [&] { run(list); }));
  ::setenv("XDG_CACHE_HOME", directory.c_str(), 1);
  bench::budget(what, 1e3 * bench::median_seconds(kRounds, [&] { run(list); }), "ms", 150,
                bench::Bar::kAtMost);
  const std::string cache = user_cache_path("registry");
  const double load_s = bench::median_seconds(kRounds, [&] {
    if (registry::load({root}, {cache, false}).entries.size() != kEntries) std::abort();
  });
  std::printf(
      "of that, loading: %.0f ms; the index has %.1f MB\n", 1e3 * load_s,
      static_cast<double>(fs::file_size(path_join(cache, list_files(cache, ".index").front()))) /
          1e6);
  fs::remove_all(directory);
  return 0;
}
