// The mutation check of every operator in every type: DESIGN 7.6. Run with operator names as
// arguments (`build/dev/tests/ops_mutants_test rmsnorm`), it prints their tables:
// operator, type, mutant, the case that kills it.
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include <tensorpath/base/table.h>
#include <tensorpath/ops.h>

using namespace tensorpath;

namespace {

// Wide enough that every dim takes part; cases shrink to the operator's own limits.
Expected<Domain> whole_domain(const OperatorSpec& spec, DType dtype, bool last_choices) {
  std::vector<DimRange> dims;
  for (const DimSpec& dim : spec.dims) dims.push_back({dim.name, dim.least, dim.most});
  std::vector<std::pair<std::string, double>> attributes;
  for (const AttributeSpec& attribute : spec.attributes) {
    attributes.emplace_back(attribute.name,
                            last_choices ? attribute.choices.back() : attribute.standard);
  }
  return make_domain(spec, dtype, dims, attributes);
}

struct Outcome {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> problems;
};

void check(const OperatorSpec& spec, DType dtype, bool last_choices, int seed, Outcome& out) {
  const std::string where =
      fmt::format("{} {}{}", spec.name, name_of(dtype), last_choices ? " (last choices)" : "");
  const auto domain = whole_domain(spec, dtype, last_choices);
  if (!domain) return out.problems.push_back(where + ": " + domain.error().to_string());
  // Smaller cases than a candidate meets, so that all operators take a minute; the draw is the
  // same.
  OperatorSpec small = spec;
  small.most_elements = std::max<std::int64_t>(spec.most_elements / 16, 1024);
  small.most_flops = std::max<std::int64_t>(spec.most_flops / 16, 1 << 16);
  const Key key = derive_key(Key{}, fmt::format("mutation check {} {}", where, seed));
  const auto report = check_mutants(small, *domain, key, 44);
  if (!report) return out.problems.push_back(where + ": " + report.error().to_string());
  for (const MutantResult& mutant : report->mutants) {
    const std::string killer = mutant.killed_by != 0 ? mutant.case_text
                               : mutant.equal        ? "(equal to the truth)"
                                                     : "NONE";
    out.rows.push_back({spec.name, std::string(name_of(dtype)), mutant.mutant, killer});
    if (mutant.killed_by == 0 && !mutant.equal) {
      out.problems.push_back(
          fmt::format("{}: no case kills the mutant that {}", where, mutant.mutant));
    }
  }
  for (const int idle : report->idle_cases) {
    out.problems.push_back(fmt::format("{}: case {} kills no mutant", where, idle));
  }
  for (const std::string& failed : report->wrongly_failed) {
    out.problems.push_back(fmt::format("{}: refused though right: {}", where, failed));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  if (!operators) {
    std::fputs((operators.error().to_string() + "\n").c_str(), stderr);
    return 1;
  }
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  struct Job {
    const OperatorSpec* spec;
    DType dtype;
    bool last_choices;
    Outcome outcome;
  };
  std::vector<Job> jobs;
  for (const OperatorSpec& spec : operators->all()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), spec.name) == wanted.end())
      continue;
    for (const DType dtype : spec.dtypes) {
      for (const bool last : {false, true}) {
        if (last && spec.attributes.empty()) continue;
        jobs.push_back({&spec, dtype, last, {}});
      }
    }
  }
  const auto work = [&](std::size_t first) {
    for (std::size_t i = first; i < jobs.size(); i += 2) {
      check(*jobs[i].spec, jobs[i].dtype, jobs[i].last_choices, 1, jobs[i].outcome);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  Table table({{"operator"}, {"type"}, {"mutant"}, {"killed by"}});
  std::size_t problems = 0;
  for (const Job& job : jobs) {
    for (const auto& row : job.outcome.rows) table.add_row(row);
  }
  std::fputs(table.to_terminal(0).c_str(), stdout);
  for (const Job& job : jobs) {
    problems += job.outcome.problems.size();
    for (const std::string& problem : job.outcome.problems)
      std::printf("FAIL: %s\n", problem.c_str());
  }
  std::printf("%zu mutants of %zu operator types, %zu problems\n", table.row_count(), jobs.size(),
              problems);
  return problems == 0 && !jobs.empty() ? 0 : 1;
}
