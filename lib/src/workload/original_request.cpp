// The JSON request of the original TensorPath recommender:
//   {"model_id": .., "workload_type": .., "optimization_priority": .., "constraints":
//    {"max_p95_latency_ms": .., "max_monthly_budget_usd": .., "min_throughput_tps": ..}}
// with "model_ids" in its compare requests. max_p95_latency_ms bounds the p95 TTFT.
#include "document.h"

namespace tensorpath::workload_file {

bool is_original_request(const YamlNode& root) {
  const auto has = [&](std::string_view key) { return root.find(key) != nullptr; };
  return (has("model_id") || has("model_ids")) && !has("schema") && !has("models") &&
         !has("model") && !has("type");
}

YamlNode from_original_request(const YamlNode& root, Diagnostics& problems) {
  YamlNode out;
  out.kind = YamlNode::Kind::kMap;
  out.where = root.where;
  const auto move_to = [&](MapReader& reader, std::string_view key, std::string_view path) {
    if (const YamlNode* node = reader.node(key)) set_path(out, path, *node);
  };
  MapReader request(root, "", problems);
  move_to(request, "model_id", "models");
  move_to(request, "model_ids", "models");
  move_to(request, "workload_type", "type");
  move_to(request, "optimization_priority", "priority");
  if (request.has("model_id") && request.has("model_ids")) {
    problems.add(request.where("model_ids"), "model_id and model_ids are both given",
                 "keep model_ids");
  }
  if (const YamlNode* node = request.node("constraints")) {
    MapReader constraints(*node, "constraints", problems);
    move_to(constraints, "max_p95_latency_ms", "slo.ttft_ms.p95");
    move_to(constraints, "max_monthly_budget_usd", "cost.max_usd_per_month");
    move_to(constraints, "min_throughput_tps", "slo.min_output_tok_s");
    constraints.finish();
  }
  request.finish();
  return out;
}

}  // namespace tensorpath::workload_file
