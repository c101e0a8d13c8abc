// One case as a call, and the judgement of what came back. Used by every gate that runs a
// candidate.
#pragma once

#include "device.h"

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/ops/truth.h>

namespace tensorpath {

// A case with its contents and its truth, as the switched-off defences leave it.
struct Trial {
  Case one;
  CaseData data;
  Truth truth;  // empty: results are not compared
};
[[nodiscard]] Expected<Trial> make_trial(const Subject& subject, const Case& one);
// With contents that are not the case's own.
[[nodiscard]] Expected<Trial> make_trial(const Subject& subject, const Case& one, CaseData data);
// A truth costs more than the call.
[[nodiscard]] Expected<Trial> make_unjudged_trial(const Subject& subject, const Case& one);

// How the buffers of a call lie.
struct Placing {
  bool flush_end = true;
  unsigned char poison = 0xFF;
  std::uint64_t placement = 0;
  std::uint64_t schedule = 0;
};
// Views into the trial: it must outlive the spec.
[[nodiscard]] Expected<CallSpec> call_of(const Subject& subject, const Trial& trial,
                                         const Placing& placing);

struct Judged {
  Refusal refusal;  // kNone: right
  ElementComparison comparison;
  std::vector<TensorData> written;
};
// What came back of a call: padding, then elements and invariants, compared whole.
[[nodiscard]] Expected<Judged> judge(const Subject& subject, const Trial& trial,
                                     const Placing& placing, const CallResult& result);

// A wrong way of computing that gives what was written; empty when none is known.
[[nodiscard]] std::string suspect(const Subject& subject, const Trial& trial,
                                  const std::vector<TensorData>& written);

}  // namespace tensorpath
