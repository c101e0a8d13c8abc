// The harness proves itself: whatever is subtly wrong must fail on some case, and whatever is right
// in a different order of summation must pass on all. A mutant is the truth made wrong in one way.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/truth.h>

namespace tensorpath {

struct Mutant {
  enum class Change : std::uint8_t {
    kZeros,
    kOnes,
    kMean,       // every element is the mean of its output
    kTruncated,  // the second half is not computed
    kTail,       // the last element of each row is not computed
    kNoChoice,   // -1 throughout, where an output chooses: a row may allow any choice, never none
    kShifted,    // each row is off by one
    kSwapped,    // the last two axes are swapped
    kIgnored,    // an input is taken for a neutral one (weights 1, values 0, indices 0)
    kAttribute,  // an attribute has another of its values
    kCheaper,    // sums are kept in another type
  };
  Change change = Change::kZeros;
  std::string name;     // "ignores weight", "accumulates in bf16"
  std::string subject;  // the input or attribute
  double value = 0;     // the attribute's, or the unit roundoff of the sums
};

// Every mutant that makes sense for the operator.
[[nodiscard]] std::vector<Mutant> mutants_of(const OperatorSpec& spec, const Domain& domain);

// What the mutant writes in this case, as bytes.
[[nodiscard]] Expected<std::vector<TensorData>> write_mutant(const OperatorSpec& spec,
                                                             const Domain& domain, const Case& one,
                                                             const CaseData& data,
                                                             const Truth& truth,
                                                             const Mutant& mutant);

struct MutantResult {
  std::string mutant;
  int killed_by = 0;      // id of the first case that tells it from the truth; 0: none
  std::string case_text;  // that case, in words
  bool equal = false;     // it wrote what the truth writes in every case: no mutant at all
};

struct MutationReport {
  std::vector<MutantResult> mutants;
  std::vector<int> idle_cases;              // cases that tell no mutant from the truth
  std::vector<std::string> wrongly_failed;  // right implementations that a case refused
  int cases = 0;
};

// Runs every mutant and every right order of summation on the cases drawn from the seed.
[[nodiscard]] Expected<MutationReport> check_mutants(const OperatorSpec& spec, const Domain& domain,
                                                     const Key& seed, int count);

// "rows=3 hidden=257, probe, strided"
[[nodiscard]] std::string describe(const Case& one);

}  // namespace tensorpath
