// What must hold among a candidate's own results, whatever the truth says (Invariant, operator.h).
// A mistake that candidate and reference share is found here or nowhere.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/operator.h>
#include <tensorpath/ops/truth.h>

namespace tensorpath {

// What does not hold in the results of one call; empty when all invariants of one call do.
[[nodiscard]] std::vector<std::string> broken_invariants(const OperatorSpec& spec,
                                                         const Truth& truth,
                                                         const std::vector<TensorData>& written);

// Some invariants are metamorphic: they relate the results of a call to those of a follow-up, whose
// inputs are the call's own, scaled or turned (Chen, Cheung, Yiu, "Metamorphic testing", 1998).
struct FollowUp {
  const Invariant* relation = nullptr;
  CaseData data;
};
[[nodiscard]] bool has_relations(const OperatorSpec& spec);
// Contents that grow past the type's largest number make no follow-up.
[[nodiscard]] std::vector<FollowUp> follow_ups(const OperatorSpec& spec, const CaseData& data);

// The truth of a call and what a candidate wrote.
struct Results {
  const Truth& truth;
  const std::vector<TensorData>& written;
};
// How the relation is broken; empty when it holds within what both calls may be off.
[[nodiscard]] std::string broken_relation(const OperatorSpec& spec, const Invariant& relation,
                                          const Results& first, const Results& follow_up);

}  // namespace tensorpath
