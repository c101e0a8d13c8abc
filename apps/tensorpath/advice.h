// What recommend, compare and estimate share: the loaded catalog and calibration, the day, and a
// workload given by file or by flags.
#pragma once

#include "command.h"

#include <optional>

#include <tensorpath/advise.h>

namespace tensorpath::cli {

// Flags that say what a workload file would: the common keys, named as there.
struct WorkloadFlags {
  std::vector<std::string> models;
  std::string type;
  std::optional<double> isl_tokens, osl_tokens, max_context_tokens;
  std::optional<double> rate_rps, concurrency;
  std::optional<double> ttft_p95_ms, tpot_p95_ms, e2e_p95_ms;
  std::optional<double> max_usd_per_month, quality_floor;
  std::optional<int> max_gpus;
  std::vector<std::string> allow_gpus;
  std::string priority;
};
void add_workload_flags(CLI::App& command, WorkloadFlags& flags);
// The flags as a document of tensorpath.workload/v1; null when none was given.
[[nodiscard]] Json to_json(const WorkloadFlags& flags);

// --prices and --today.
struct AdviceFlags {
  std::string prices;
  std::string today;
};
void add_advice_flags(CLI::App& command, AdviceFlags& flags);
// --today, TENSORPATH_TODAY or the clock (UTC). Error: not a date.
[[nodiscard]] Expected<std::string> today_of(const AdviceFlags& flags);

// The catalog with the prices on top of it, the calibration and the profiles.
struct Advice {
  Catalog catalog;
  Calibration calibration;
  ProfileStore profiles;
  std::string today;
};
[[nodiscard]] Expected<Advice> load_advice(const Session& session, const AdviceFlags& flags);

// The file's workload, or the one the flags spell out when no file is given; with both, the flags'
// priority alone overrides.
[[nodiscard]] Expected<Workload> workload_of(const std::string& path, const WorkloadFlags& flags,
                                             Catalog& catalog);

// By the name that --priority takes; others, the empty one among them, leave it as it is.
void set_priority(Workload& workload, const std::string& name);

}  // namespace tensorpath::cli
