// What is known of an attempt's speed, by where it comes from: what calls the kernel, what the
// machine did, what the compiler emitted. What was not measured here is listed with the reason.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath::forge {

struct ProfileFinding {
  std::string name;  // "launches_a_call"
  Json value;
  std::string words;  // for people
};

struct NotMeasured {
  std::string what;
  std::string why;
};

struct AttemptProfile {
  int attempt = 0;
  std::string state;  // a sentence, from the ledger
  std::vector<ProfileFinding> framework, runtime, emitted_code;
  std::vector<NotMeasured> not_measured;

  [[nodiscard]] Json to_json() const;
};

// Reads what the attempt left; runs nothing. attempt 0: the latest. Errors: no such attempt, one
// without a report, files that cannot be read.
[[nodiscard]] Expected<AttemptProfile> profile_attempt(const RunDirectory& run,
                                                       const Operators& operators, int attempt);

}  // namespace tensorpath::forge
