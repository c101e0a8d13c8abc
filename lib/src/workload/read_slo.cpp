// slo: bounds on TTFT, TPOT and E2E at p50, p95 and p99, on rates, and goodput.
#include "read.h"

#include <fmt/format.h>

namespace tensorpath::workload_file {
namespace {

// A day; a longer one is a mistake in the unit.
constexpr NumberRange kMilliseconds{0, 86'400'000, true};
constexpr NumberRange kTokensPerSecond{0, 1e9, true};

void read_percentiles(MapReader& slo, std::string_view key, Context& context, Percentiles& out) {
  const YamlNode* node = slo.node(key);
  if (node == nullptr) return;
  const std::string path = slo.path_of(key);
  if (yaml_number(*node)) {
    context.problems.add(node->where, fmt::format("{} is a number, expected its percentile", path),
                         fmt::format("write {}: {{p95: {}}}", key, node->scalar.substr(0, 20)));
    return;
  }
  MapReader reader(*node, path, context.problems);
  out.p50 = reader.number("p50", kMilliseconds);
  out.p95 = reader.number("p95", kMilliseconds);
  out.p99 = reader.number("p99", kMilliseconds);
  reader.finish();
}

void read_goodput(const YamlNode& node, Context& context, Slo& out) {
  MapReader reader(node, "slo.goodput", context.problems);
  Goodput goodput;
  goodput.ttft_ms = reader.number("ttft_ms", kMilliseconds);
  goodput.tpot_ms = reader.number("tpot_ms", kMilliseconds);
  goodput.e2e_ms = reader.number("e2e_ms", kMilliseconds);
  goodput.min_share = reader.number("min_share", {0, 1, true}).value_or(goodput.min_share);
  const bool any = reader.has("ttft_ms") || reader.has("tpot_ms") || reader.has("e2e_ms");
  if (node.is_map() && !any) {
    context.problems.add(node.where, "slo.goodput has no threshold, so every request is good",
                         "give ttft_ms, tpot_ms or e2e_ms");
  }
  reader.finish();
  out.goodput = goodput;
}

}  // namespace

void read_slo(const YamlNode& node, Context& context, Workload& workload) {
  MapReader reader(node, "slo", context.problems);
  Slo& out = workload.slo;
  read_percentiles(reader, "ttft_ms", context, out.ttft_ms);
  read_percentiles(reader, "tpot_ms", context, out.tpot_ms);
  read_percentiles(reader, "e2e_ms", context, out.e2e_ms);
  out.min_tok_s_user = reader.number("min_tok_s_user", kTokensPerSecond);
  out.min_output_tok_s = reader.number("min_output_tok_s", kTokensPerSecond);
  if (const YamlNode* goodput = reader.node("goodput")) read_goodput(*goodput, context, out);
  reader.finish();
}

}  // namespace tensorpath::workload_file
