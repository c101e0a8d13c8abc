// A ledger of 10,000 lines: reading and verifying it, and what one more line costs.
#include "bench.h"

#include <cstdlib>
#include <filesystem>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/ledger.h>

namespace {

using namespace tensorpath;
using namespace tensorpath::forge;

constexpr int kLines = 10'000;

// Attempts with a reason of the usual length each, proposed, compiled and rejected.
std::string long_ledger(const std::string& directory) {
  const WallTime time = parse_utc("2026-11-29T12:00:00Z").value();
  const Json candidate{{"candidate_digest", sha256_hex("a")}};
  const Json rejected{{"failure_class", "wrong_result"},
                      {"largest_error", 0.0125},
                      {"reason", std::string(120, 'x')}};
  const std::string path = path_join(directory, "ledger.jsonl");
  const auto first = first_ledger_line(sha256_hex("task"), Json::object(), time);
  if (!first || !write_file_atomic(path, *first)) std::abort();
  auto ledger = Ledger::open(path);
  while (ledger && ledger->history().entries().size() < kLines) {
    const auto attempt = ledger->begin_attempt(candidate, time);
    if (!attempt || !ledger->append(LedgerEvent::kCompiled, *attempt, candidate, time) ||
        !ledger->append(LedgerEvent::kRejected, *attempt, rejected, time)) {
      std::abort();
    }
  }
  return path;
}

}  // namespace

int main() {
  // In memory, so that it is the code that is timed and not the disk.
  std::string directory = "/dev/shm/tensorpath-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) {
    bench::no_budget("read a ledger of 10,000 lines", "no /dev/shm");
    return 0;
  }
  const std::string path = long_ledger(directory);
  const double read_s = bench::median_seconds(9, [&] {
    if (!read_ledger(path)) std::abort();
  });
  bench::budget("read a ledger of 10,000 lines", 1e3 * read_s, "ms", 100, bench::Bar::kAtMost);
  auto ledger = Ledger::open(path);
  const Json candidate{{"candidate_digest", sha256_hex("a")}};
  const double append_s = bench::median_seconds(99, [&] {
    if (!ledger->begin_attempt(candidate, wall_now())) std::abort();
  });
  std::printf("one more line, disk apart: %.1f us (%.1f MiB of ledger)\n", 1e6 * append_s,
              static_cast<double>(std::filesystem::file_size(path)) / (1U << 20));
  std::filesystem::remove_all(directory);
  return 0;
}
