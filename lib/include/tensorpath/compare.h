// Plans, profiles or models side by side, with what may be said of their ratios.
// Uses: 1) models of one workload, 2) two plan files or 3) two benchmark profiles, in any mix.
// The guard (guard.h) refuses or flags every ratio whose sides do not share a denominator.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <tensorpath/advise.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/table.h>
#include <tensorpath/guard.h>

namespace tensorpath {

// One column of the comparison. What a side does not state stays empty.
struct ComparisonSide {
  Comparable facts;
  std::string layout;  // "2 x 1 GPU, tp1"
  std::optional<double> ttft_ms_mean, ttft_ms_p95;
  std::optional<double> tpot_ms_mean, tpot_ms_p95;
  std::optional<double> e2e_ms_p95;
  std::optional<double> output_tok_s;
  std::optional<double> max_rate_at_slo;
  std::optional<double> usd_per_month;
  std::optional<double> usd_per_mtok_output;
};

// A side out of a document: tensorpath.plan/v1 (its plan of that rank, from 1) or
// tensorpath.profile/v1. Errors: another schema, a rank that is not there.
[[nodiscard]] Expected<ComparisonSide> comparison_side(const Json& document, int rank,
                                                       const std::string& name,
                                                       const Catalog& catalog);

struct ComparedRatio {
  Quantity quantity = Quantity::kTokSUser;
  std::string before, after;  // names of the sides
  Ratio ratio;
};

struct Comparison {
  std::vector<ComparisonSide> sides;
  std::string fastest, cheapest, highest_throughput;  // names; empty unless all state it
  std::vector<ComparedRatio> ratios;                  // of each other side to the first
  std::vector<Flag> flags;                            // of each other side against the first, once
};
// Needs two sides or more.
[[nodiscard]] Comparison compare(std::vector<ComparisonSide> sides);

[[nodiscard]] Json to_json(const Comparison& comparison);
// One row a figure, one column a side; the best of a row is starred.
[[nodiscard]] Table comparison_table(const Comparison& comparison);
// Highlights, ratios and flags, for people.
[[nodiscard]] std::string render_text(const Comparison& comparison, int width);

}  // namespace tensorpath
