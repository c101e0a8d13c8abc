#include "presets.h"

#include <algorithm>

#include <tensorpath/workload.h>

namespace tensorpath {

std::string_view to_string(Priority priority) {
  switch (priority) {
    case Priority::kLatency:
      return "latency";
    case Priority::kThroughput:
      return "throughput";
    case Priority::kCost:
      return "cost";
    case Priority::kBalanced:
      break;
  }
  return "balanced";
}

const std::vector<std::string>& workload_types() {
  static const std::vector<std::string> kTypes = {
      "chat", "codegen", "summarization", "batch", "embedding", "rag", "agent", "offline"};
  return kTypes;
}

std::vector<PresetRow> preset_rows(std::string_view type) {
  std::vector<PresetRow> out;
  const auto add = [&](const std::vector<workload_file::PresetValue>& rows) {
    for (const auto& row : rows) {
      const bool known = std::any_of(out.begin(), out.end(),
                                     [&](const PresetRow& have) { return have.key == row.key; });
      if (!known) {
        out.push_back({std::string(row.key), std::string(row.value), std::string(row.reason)});
      }
    }
  };
  add(workload_file::preset_of(type));
  add(workload_file::defaults());
  return out;
}

double Workload::prefix_hit_rate() const {
  if (prefix.hit_rate) return *prefix.hit_rate;
  const double first = isl_tokens.mean();
  if (first <= 0) return 0;
  const double turn_adds = session.turn_input_tokens + osl_tokens.mean();
  double found = isl_tokens.mean_capped(prefix.stable_tokens);
  double asked = first;
  for (int turn = 2; turn <= session.turns; ++turn) {
    const double prompt = first + (turn - 1) * turn_adds;
    found += prompt - session.turn_input_tokens;
    asked += prompt;
  }
  return found / asked;
}

double Workload::mean_prompt_tokens() const {
  const double turn_adds = session.turn_input_tokens + osl_tokens.mean();
  return isl_tokens.mean() + 0.5 * (session.turns - 1) * turn_adds;
}

}  // namespace tensorpath
