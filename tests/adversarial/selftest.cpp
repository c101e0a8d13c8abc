// The harness on trial: every cheat must be caught by name, each must pass once exactly its defence
// is switched off, every honest kernel must pass, and no verdict may flip.
//   selftest [--repeats N] [--jobs N] [--corpus DIR]... [--no-corpus] [--no-proof] [--verbose]
//            [--kills N] [--faulty] [--gate N] [--device D] [NAME...]
// The last line is the summary.
#include "corpus.h"
#include "faulty.h"
#include "gate.h"
#include "kills.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <harness/device.h>

using namespace tensorpath;
using selftest::Specimen;

namespace {

// Worth a look: a suite of hundreds has no room for many of these.
constexpr double kSlowSeconds = 20;

struct Options {
  int repeats = 3;
  int jobs = 2;
  int kills = 0;
  int gate = 0;
  std::string device = "host";  // of the gate: "host", or a GPU's architecture
  bool faulty = false;
  bool corpus = true;
  bool proof = true;
  bool verbose = false;
  std::vector<std::string> corpora;
  std::vector<std::string> names;
};

struct Job {
  const Specimen* specimen;
  bool without_defence;
};

struct Tally {
  int tried = 0;
  int right = 0;
};

std::string build_path(const std::string& name) {
  const char* build = std::getenv("TENSORPATH_BUILD_DIR");
  return std::string(build == nullptr ? TENSORPATH_SOURCE_DIR "/build/dev" : build) + "/" + name;
}

// A build may have been carried to a machine with a GPU: the sources are elsewhere there.
std::string source_path(const std::string& name) {
  const char* source = std::getenv("TENSORPATH_SOURCE_DIR");
  return std::string(source == nullptr ? TENSORPATH_SOURCE_DIR : source) + "/" + name;
}

void print_problems(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) std::printf("PROBLEM: %s\n", problem.c_str());
}

// What the last line says, and whether all of it is as it should be.
struct Verdict {
  std::string summary;
  bool good = true;

  void add(const std::string& text, bool is_good) {
    summary += (summary.empty() ? "" : ", ") + text;
    good = good && is_good;
  }
};

// Whether a wrong number looks like one of logic or of precision depends on which hidden case is
// the first to fail.
bool is_of_size(const std::string& failure) {
  return failure == "wrong_result" || failure == "precision";
}

class SelfTest {
 public:
  SelfTest(const Options& options, std::vector<Specimen> corpus)
      : options_(options), corpus_(std::move(corpus)) {}

  Verdict run() {
    const auto start = std::chrono::steady_clock::now();
    for (const Specimen& specimen : corpus_) {
      for (int i = 0; i < options_.repeats; ++i) jobs_.push_back({&specimen, false});
      if (specimen.is_cheat() && options_.proof) jobs_.push_back({&specimen, true});
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < options_.jobs; ++i) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report(seconds);
  }

 private:
  void work() {
    while (true) {
      const std::size_t at = next_++;
      if (at >= jobs_.size()) return;
      run_job(jobs_[at]);
    }
  }

  void run_job(const Job& job) {
    const Specimen& specimen = *job.specimen;
    VerifyOptions options;
    options.worker = build_path("bin/tensorpath-worker");
    options.sandbox = SandboxMode::kBestEffort;
    const auto defences =
        Defences::without(job.without_defence ? specimen.defence : std::vector<std::string>{});
    std::string verdict;
    std::string detail;
    const auto start = std::chrono::steady_clock::now();
    if (!defences) {
      verdict = "unknown defence";
    } else {
      const auto report = verify_with(specimen.task, specimen.directory, options, *defences);
      verdict = !report          ? "harness: " + report.error().to_string()
                : report->passed ? "passed"
                                 : std::string(name_of(report->failure));
      if (report)
        detail = report->detail +
                 (report->suspected_cause.empty() ? "" : " (" + report->suspected_cause + ")");
      if (report && options_.verbose) {
        const std::lock_guard<std::mutex> lock(mutex_);
        std::printf("%s%s: %s\n%s%s\n", specimen.name.c_str(),
                    job.without_defence ? " (defence off)" : "", verdict.c_str(),
                    report->to_table().to_terminal(100).c_str(), detail.c_str());
      }
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (seconds > kSlowSeconds) {
      const std::lock_guard<std::mutex> lock(mutex_);
      std::printf("slow: %s%s took %.0f s\n", specimen.name.c_str(),
                  job.without_defence ? " without its defence" : "", seconds);
      std::fflush(stdout);
    }
    const bool expect_pass = job.without_defence || !specimen.is_cheat();
    const auto& names = specimen.caught_as;
    const bool right = expect_pass
                           ? verdict == "passed"
                           : std::any_of(names.begin(), names.end(), [&](const std::string& name) {
                               return name == verdict || (is_of_size(name) && is_of_size(verdict));
                             });
    const std::lock_guard<std::mutex> lock(mutex_);
    Tally& tally = job.without_defence   ? proofs_
                   : specimen.is_cheat() ? caught_[specimen.mechanism]
                                         : honest_;
    ++tally.tried;
    tally.right += right ? 1 : 0;
    // A flip is a cheat that is caught once and not always, a kernel that passes once and not
    // always.
    if (!job.without_defence) ++verdicts_[&specimen][right ? "as expected" : verdict];
    if (right) return;
    problems_.push_back(fmt::format(
        "{}{}: expected {}, got {}: {}", specimen.name,
        job.without_defence ? " without its defence" : "",
        expect_pass ? "passed" : fmt::format("{}", fmt::join(names, " or ")), verdict, detail));
  }

  Verdict report(double seconds) {
    Tally cheats;
    Table table(
        {{"mechanism"}, {"caught", Column::Align::kRight}, {"tried", Column::Align::kRight}});
    for (const auto& [mechanism, tally] : caught_) {
      table.add_row({mechanism, std::to_string(tally.right), std::to_string(tally.tried)});
      cheats.right += tally.right;
      cheats.tried += tally.tried;
    }
    if (cheats.tried > 0) std::fputs(table.to_terminal(80).c_str(), stdout);
    int flips = 0;
    for (const auto& [specimen, verdicts] : verdicts_)
      flips += static_cast<int>(verdicts.size()) - 1;
    std::sort(problems_.begin(), problems_.end());
    print_problems(problems_);
    std::printf("%zu mechanisms, %d repeats of each, %.0f s\n", caught_.size(), options_.repeats,
                seconds);
    Verdict verdict;
    verdict.add(fmt::format("{} of {} cheats caught, {} of {} pass without their defence, "
                            "{} of {} honest passed, {} verdict flips",
                            cheats.right, cheats.tried, proofs_.right, proofs_.tried, honest_.right,
                            honest_.tried, flips),
                problems_.empty() && !jobs_.empty());
    return verdict;
  }

  const Options& options_;
  std::vector<Specimen> corpus_;
  std::vector<Job> jobs_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::map<std::string, Tally> caught_;
  Tally honest_;
  Tally proofs_;
  std::map<const Specimen*, std::map<std::string, int>> verdicts_;
  std::vector<std::string> problems_;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "0";
    if (word == "--repeats")
      options.repeats = std::atoi(value), ++i;
    else if (word == "--jobs")
      options.jobs = std::atoi(value), ++i;
    else if (word == "--corpus")
      options.corpora.emplace_back(value), ++i;
    else if (word == "--kills")
      options.kills = std::atoi(value), ++i;
    else if (word == "--gate")
      options.gate = std::atoi(value), ++i;
    else if (word == "--device")
      options.device = value, ++i;
    else if (word == "--faulty")
      options.faulty = true;
    else if (word == "--no-corpus")
      options.corpus = false;
    else if (word == "--no-proof")
      options.proof = false;
    else if (word == "--verbose")
      options.verbose = true;
    else
      options.names.push_back(word);
  }
  if (options.corpora.empty()) {
    options.corpora = {TENSORPATH_SOURCE_DIR "/tests/adversarial/cheats",
                       TENSORPATH_SOURCE_DIR "/tests/adversarial/honest"};
  }
  return options;
}

void run_kills(int count, Verdict& verdict) {
  const selftest::KillReport report = selftest::run_kills(
      count, build_path("bin/tensorpath"), source_path("tests/adversarial/honest/rmsnorm_scalar"));
  print_problems(report.problems);
  const std::string text = fmt::format("kills: {} of {} clean", report.clean, report.tried);
  std::printf("%s\n", text.c_str());
  verdict.add(text, report.problems.empty() && report.clean == report.tried);
}

// What is asked of the gate: at 1.00 FAST or SLOW in 2% of the runs at most, at 1.05 promoted in
// 0.5% at most, at 1.25 in 90% at least.
bool is_calibrated(const selftest::GateRow& row) {
  if (row.factor == 1.0) return 50 * (row.fast + row.slow) <= row.runs && row.promoted == 0;
  if (row.factor < kPromotionRatio) return 200 * row.promoted <= row.runs;
  return 10 * row.promoted >= 9 * row.runs;
}

bool run_gate(const Options& options, const Operators& operators, Verdict& verdict) {
  const auto rows = selftest::calibrate_gate(options.gate, options.jobs, options.device,
                                             build_path("bin/tensorpath-worker"), operators);
  if (!rows) {
    std::fprintf(stderr, "%s\n", rows.error().to_string().c_str());
    return false;
  }
  Table table({{"true ratio", Column::Align::kRight},
               {"runs", Column::Align::kRight},
               {"FAST", Column::Align::kRight},
               {"SLOW", Column::Align::kRight},
               {"SAME", Column::Align::kRight},
               {"AMBIGUOUS", Column::Align::kRight},
               {"promoted", Column::Align::kRight},
               {"worst error", Column::Align::kRight}});
  bool good = true;
  for (const selftest::GateRow& row : *rows) {
    table.add_row({fmt::format("{:.2f}", row.factor), std::to_string(row.runs),
                   std::to_string(row.fast), std::to_string(row.slow), std::to_string(row.same),
                   std::to_string(row.ambiguous), std::to_string(row.promoted),
                   fmt::format("{:.2f}%", 100 * row.worst_error)});
    print_problems(row.problems);
    good = good && row.problems.empty() && row.runs > 0 && is_calibrated(row);
  }
  std::fputs(table.to_terminal(80).c_str(), stdout);
  verdict.add(fmt::format("gate: {}", good ? "calibrated" : "NOT calibrated"), good);
  return true;
}

bool run_faulty(int jobs, const Operators& operators, Verdict& verdict) {
  const auto honest = selftest::read_corpus(source_path("tests/adversarial/honest"), operators);
  if (!honest) {
    std::fprintf(stderr, "%s\n", honest.error().to_string().c_str());
    return false;
  }
  const auto chosen = std::find_if(honest->begin(), honest->end(), [](const Specimen& specimen) {
    return specimen.name == "rmsnorm_scalar";
  });
  if (chosen == honest->end()) return false;
  const selftest::FaultyReport report =
      selftest::run_faulty(*chosen, build_path("tests/faulty_worker"), jobs);
  print_problems(report.problems);
  const std::string text = fmt::format("faulty worker: {} of {} modes without a false verdict",
                                       report.right, report.tried);
  std::printf("%s\n", text.c_str());
  verdict.add(text, report.problems.empty() && report.right == report.tried);
  return true;
}

bool run_corpus(const Options& options, const Operators& operators, Verdict& verdict) {
  std::vector<Specimen> corpus;
  for (const std::string& root : options.corpora) {
    auto read = selftest::read_corpus(root, operators);
    if (!read) {
      std::fprintf(stderr, "%s\n", read.error().to_string().c_str());
      return false;
    }
    for (Specimen& specimen : *read) {
      const bool wanted = options.names.empty() ||
                          std::find(options.names.begin(), options.names.end(), specimen.name) !=
                              options.names.end();
      if (wanted) corpus.push_back(std::move(specimen));
    }
  }
  const Verdict found = SelfTest(options, std::move(corpus)).run();
  verdict.add(found.summary, found.good);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const auto operators = Operators::load({source_path("kernels/ops")});
  if (!operators) {
    std::fprintf(stderr, "%s\n", operators.error().to_string().c_str());
    return 1;
  }
  Verdict verdict;
  if (options.corpus && !run_corpus(options, *operators, verdict)) return 1;
  if (options.faulty && !run_faulty(options.jobs, *operators, verdict)) return 1;
  if (options.gate > 0 && !run_gate(options, *operators, verdict)) return 1;
  if (options.kills > 0) run_kills(options.kills, verdict);
  std::printf("selftest: %s\n", verdict.summary.c_str());
  std::fflush(stdout);
  return verdict.good && !verdict.summary.empty() ? 0 : 1;
}
