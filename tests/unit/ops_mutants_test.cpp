// The mutation check of every operator in every type: DESIGN 7.6. Run with operator names as
// arguments (`build/dev/tests/ops_mutants_test rmsnorm`), it prints their tables:
// operator, type, mutant, the case that kills it.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <tensorpath/base/parallel.h>
#include <tensorpath/base/table.h>
#include <tensorpath/ops.h>

using namespace tensorpath;

int main(int argc, char** argv) {
  const auto operators = Operators::load({TENSORPATH_SOURCE_DIR "/kernels/ops"});
  if (!operators) {
    std::fputs((operators.error().to_string() + "\n").c_str(), stderr);
    return 1;
  }
  const std::vector<std::string> wanted(argv + 1, argv + argc);
  struct Job {
    const OperatorSpec* spec;
    ProofPart part;
    Proof proof;
  };
  std::vector<Job> jobs;
  for (const OperatorSpec& spec : operators->all()) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), spec.name) == wanted.end())
      continue;
    for (const ProofPart& part : proof_parts(spec)) jobs.push_back({&spec, part, {}});
  }
  parallel_for(std::ssize(jobs), [&](std::int64_t i) {
    Job& job = jobs[static_cast<std::size_t>(i)];
    job.proof = prove(*job.spec, job.part);
  });
  Table table({{"operator"}, {"type"}, {"mutant"}, {"killed by"}});
  std::size_t problems = 0;
  for (const Job& job : jobs) {
    for (const ProofRow& row : job.proof.rows) {
      table.add_row({job.spec->name, row.dtype, row.mutant, row.killed_by});
    }
  }
  std::fputs(table.to_terminal(0).c_str(), stdout);
  for (const Job& job : jobs) {
    problems += job.proof.problems.size();
    for (const std::string& problem : job.proof.problems)
      std::printf("FAIL: %s\n", problem.c_str());
  }
  std::printf("%zu mutants of %zu operator types, %zu problems\n", table.row_count(), jobs.size(),
              problems);
  return problems == 0 && !jobs.empty() ? 0 : 1;
}
