// The sections of a workload document, each read into its part of the Workload. Mistakes go to
// Context::problems; what could not be read keeps its default, and the caller refuses the whole.
#pragma once

#include <string>

#include <tensorpath/base/yaml.h>
#include <tensorpath/workload.h>

namespace tensorpath::workload_file {

struct Context {
  Catalog& catalog;
  Diagnostics& problems;
  std::string directory;  // of the workload file: traces are relative to it
};

// read_load.cpp
void read_requests(const YamlNode& node, Context& context, Workload& workload);
void read_arrivals(const YamlNode& node, Context& context, Workload& workload);
void read_prefix(const YamlNode& node, Context& context, Workload& workload);
void read_session(const YamlNode& node, Context& context, Workload& workload);
void read_task(const YamlNode& node, Context& context, Workload& workload);

// read_slo.cpp
void read_slo(const YamlNode& node, Context& context, Workload& workload);

// read_plan_bounds.cpp
void read_hardware(const YamlNode& node, Context& context, Workload& workload);
void read_cost(const YamlNode& node, Context& context, Workload& workload);
void read_availability(const YamlNode& node, Context& context, Workload& workload);

// trace.cpp: one number per line; '#' starts a comment. Arrival seconds must not fall.
enum class TraceOf { kLengths, kArrivals };
[[nodiscard]] std::vector<double> read_trace(const std::string& path, TraceOf what,
                                             Diagnostics& problems);

// fit.cpp: completes upper clips and max_context_tokens, and shrinks what a preset filled in to the
// context that there is. Returns lines for Workload::filled.
std::vector<std::string> fit_to_context(const YamlNode& root, const Catalog& catalog,
                                        Workload& workload);

// fit.cpp: takes out a preset's bounds on TPOT where every answer is one token and there is none.
void drop_preset_tpot(const YamlNode& root, Workload& workload);

// check.cpp: what is wrong between keys.
void check_workload(const YamlNode& root, const Workload& workload, Context& context);

}  // namespace tensorpath::workload_file
