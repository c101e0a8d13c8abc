// The blocks of a packet, from the files of an attempt.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/json.h>
#include <tensorpath/forge/ledger.h>
#include <tensorpath/forge/packet_run.h>

namespace tensorpath::forge {

// An attempt's files, read and found to agree with the ledger.
struct AttemptFiles {
  const PacketSources& sources;
  LedgerHistory ledger;
  AttemptState state;
  Json report;                              // null: there is none
  std::vector<const LedgerEntry*> entries;  // of the attempt

  [[nodiscard]] const std::string* find(std::string_view path) const;
  // The last entry of an event; null: there is none.
  [[nodiscard]] const LedgerEntry* last(LedgerEvent event) const;
  // That of the gates, whatever a timing said later; null: there is none.
  [[nodiscard]] const LedgerEntry* verdict() const;
};

[[nodiscard]] Expected<Json> task_block(const AttemptFiles& files);
[[nodiscard]] Expected<Json> candidate_block(const AttemptFiles& files, const Json& task);
[[nodiscard]] Json validation_block(const AttemptFiles& files);
[[nodiscard]] Json security_block(const AttemptFiles& files);

// What was timed: computed anew from the samples, and found to be what bench.json says.
struct TimedRuns {
  Json performance;  // null: nothing was timed, or the attempt holds no verdict
  Json machine;      // of the last run; null
  Json toolchains = Json::object();
  std::string detail;  // of a run in which the candidate failed
};
[[nodiscard]] Expected<TimedRuns> timed_runs(const AttemptFiles& files);

}  // namespace tensorpath::forge
