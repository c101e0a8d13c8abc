// The mutation check of a whole operator, before any kernel is judged by it: in every type that it
// is defined in, what is wrong must fail on some case, each case must fail something, and what is
// right must pass. See mutants.h for one type.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/ops/operator.h>

namespace tensorpath {

// A part of the check: a type, with the attributes' default values or their last choices.
struct ProofPart {
  DType dtype = DType::kFp32;
  bool last_choices = false;
};
[[nodiscard]] std::vector<ProofPart> proof_parts(const OperatorSpec& spec);

struct ProofRow {
  std::string dtype;
  std::string mutant;
  std::string killed_by;  // the first case that tells it from the truth, in words
};

struct Proof {
  std::vector<ProofRow> rows;
  std::vector<std::string> problems;  // empty: the operator holds
};

// The same cases each time.
[[nodiscard]] Proof prove(const OperatorSpec& spec, const ProofPart& part);
// All parts; stops after the first one in which the reference does not run.
[[nodiscard]] Proof prove(const OperatorSpec& spec);

}  // namespace tensorpath
