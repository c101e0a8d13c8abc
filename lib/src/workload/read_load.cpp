// requests, arrivals, prefix, session, task.
#include "document.h"
#include "read.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include <tensorpath/base/file.h>

namespace tensorpath::workload_file {
namespace {

// Far past what is served today; a larger number is a mistake in the unit.
constexpr NumberRange kTokens{0, 1e8, false};
constexpr NumberRange kLength{1, 1e8, false};
// A request in twelve days: a lower rate is a mistake in the unit, and its costs are no numbers.
constexpr NumberRange kRate{1e-6, 1e7, false};
constexpr NumberRange kInFlight{1, 1e6, false};
constexpr NumberRange kCount{1, 1e9, false};
constexpr NumberRange kTurns{1, 1000, false};
constexpr NumberRange kSeconds{0, 1e7, false};
constexpr NumberRange kShare{0, 1, false};

// Which form a length is in, by the keys that are there.
std::string length_form(MapReader& reader) {
  if (reader.has("dist")) {
    return reader.word("dist", {"fixed", "uniform", "lognormal", "trace"}).value_or("");
  }
  (void)reader.node("dist");
  if (reader.has("trace")) return "trace";
  if (reader.has("p50") || reader.has("p95")) return "lognormal";
  if (reader.has("value")) return "fixed";
  if (reader.has("min") && reader.has("max")) return "uniform";
  reader.diagnostics().add(reader.where(""),
                           fmt::format("{} has no known form", reader.path_of("dist")),
                           "write a number, {dist: uniform, min: .., max: ..}, "
                           "{dist: lognormal, p50: .., p95: ..} or {trace: FILE}");
  return "";
}

void read_trace_form(MapReader& reader, Context& context, LengthDist& out) {
  out.kind = LengthDist::Kind::kTrace;
  reader.require("trace", "a file of one length per line");
  const auto file = reader.text("trace");
  if (!file) return;
  out.trace_path = path_join(context.directory, *file);
  out.sample = read_trace(out.trace_path, TraceOf::kLengths, context.problems);
  std::sort(out.sample.begin(), out.sample.end());
}

void read_uniform_form(MapReader& reader, LengthDist& out) {
  out.kind = LengthDist::Kind::kUniform;
  reader.require("min", "the shortest length");
  reader.require("max", "the longest length");
  out.min = reader.number("min", kLength).value_or(1);
  out.max = reader.number("max", kLength).value_or(out.min);
}

void read_lognormal_form(MapReader& reader, LengthDist& out) {
  out.kind = LengthDist::Kind::kLognormal;
  reader.require("p50", "the median length");
  reader.require("p95", "the 95th percentile of the length");
  const auto p50 = reader.number("p50", kLength);
  const auto p95 = reader.number("p95", kLength);
  out.p50 = p50.value_or(1);
  out.p95 = p95.value_or(out.p50);
  out.min = reader.number("min", kLength).value_or(1);
  out.max = reader.number("max", kLength).value_or(0);
  if (p50 && p95 && *p50 > *p95) {
    reader.diagnostics().add(
        reader.where("p50"),
        fmt::format("{} is {}, more than p95 of {} ({})", reader.path_of("p50"), *p50, *p95,
                    reader.where("p95").to_string()),
        "a median is at most the 95th percentile");
    out.p95 = out.p50;
  }
}

void read_length(MapReader& requests, std::string_view key, Context& context, LengthDist& out) {
  const YamlNode* node = requests.node(key);
  if (node == nullptr) return;
  if (!node->is_map()) {
    out.value = requests.number(key, kLength).value_or(0);
    return;
  }
  const std::size_t problems_before = context.problems.size();
  MapReader reader(*node, requests.path_of(key), context.problems);
  const std::string form = length_form(reader);
  if (form.empty()) return;
  if (form == "trace") {
    read_trace_form(reader, context, out);
  } else if (form == "uniform") {
    read_uniform_form(reader, out);
  } else if (form == "lognormal") {
    read_lognormal_form(reader, out);
  } else {
    reader.require("value", "the length of every request");
    out.value = reader.number("value", kLength).value_or(1);
  }
  if (out.kind != LengthDist::Kind::kTrace && out.max > 0 && out.min > out.max) {
    reader.diagnostics().add(
        reader.where("min"),
        fmt::format("{} is {}, more than max of {} ({})", reader.path_of("min"), out.min, out.max,
                    reader.where("max").to_string()),
        "swap them?");
  }
  reader.finish();
  // An unreadable length stays unknown (0), so that no check judges what the file does not say.
  if (context.problems.size() > problems_before) out = {};
}

// Every key of the section, and the kinds it goes with.
const std::map<std::string, std::string>& arrival_keys() {
  static const std::map<std::string, std::string> kKeys = {{"concurrency", "closed"},
                                                           {"rate_rps", "poisson gamma"},
                                                           {"cv", "gamma"},
                                                           {"count", "all_at_once"},
                                                           {"file", "trace"}};
  return kKeys;
}

void check_arrival_keys(MapReader& reader, const std::string& kind) {
  std::string own;
  for (const auto& [key, kinds] : arrival_keys()) {
    if (kinds.find(kind) != std::string::npos) own += (own.empty() ? "" : " and ") + key;
  }
  for (const auto& [key, kinds] : arrival_keys()) {
    (void)reader.node(key);
    if (!reader.has(key) || kinds.find(kind) != std::string::npos) continue;
    reader.diagnostics().add(
        reader.where(key),
        fmt::format("{} does not go with kind {} ({})", reader.path_of(key), kind,
                    reader.where("kind").to_string()),
        fmt::format("kind {} takes {}; remove the other or change the kind", kind, own));
  }
}

void read_arrival_trace(MapReader& reader, Context& context, Arrivals& out) {
  out.kind = Arrivals::Kind::kTrace;
  reader.require("file", "a file of arrival seconds, one per line");
  const auto file = reader.text("file");
  if (!file) return;
  out.trace_path = path_join(context.directory, *file);
  const std::vector<double> at = read_trace(out.trace_path, TraceOf::kArrivals, context.problems);
  if (at.size() < 2) return;
  const auto gaps = static_cast<double>(at.size() - 1);
  const double mean_gap = (at.back() - at.front()) / gaps;
  if (mean_gap <= 0) {
    context.problems.add({out.trace_path, 0, 0}, "all arrivals are at the same time",
                         "use kind all_at_once with a count");
    return;
  }
  double squares = 0;
  for (std::size_t i = 1; i < at.size(); ++i) {
    squares += (at[i] - at[i - 1] - mean_gap) * (at[i] - at[i - 1] - mean_gap);
  }
  out.rate_rps = 1 / mean_gap;
  if (out.rate_rps < kRate.min) {
    context.problems.add({out.trace_path, 0, 0},
                         fmt::format("arrivals are {:g} s apart on average: {:g} a second is below "
                                     "the least rate of {:g}",
                                     mean_gap, out.rate_rps, kRate.min),
                         "times are in seconds");
  }
  out.cv = std::sqrt(squares / gaps) / mean_gap;
}

}  // namespace

void read_requests(const YamlNode& node, Context& context, Workload& workload) {
  MapReader reader(node, "requests", context.problems);
  read_length(reader, "isl_tokens", context, workload.isl_tokens);
  read_length(reader, "osl_tokens", context, workload.osl_tokens);
  workload.max_context_tokens = reader.number("max_context_tokens", kLength).value_or(0);
  reader.finish();
}

void read_arrivals(const YamlNode& node, Context& context, Workload& workload) {
  Arrivals& out = workload.arrivals;
  MapReader reader(node, "arrivals", context.problems);
  const auto kind = reader.word("kind", {"closed", "poisson", "gamma", "all_at_once", "trace"});
  if (kind) check_arrival_keys(reader, *kind);
  if (kind == "closed") {
    out.kind = Arrivals::Kind::kClosed;
    reader.require("concurrency", "the requests in flight");
    out.concurrency = reader.number("concurrency", kInFlight).value_or(1);
  } else if (kind == "all_at_once") {
    out.kind = Arrivals::Kind::kAllAtOnce;
    reader.require("count", "the number of requests");
    out.count = reader.number("count", kCount).value_or(1);
  } else if (kind == "trace") {
    read_arrival_trace(reader, context, out);
  } else if (kind) {
    out.kind = kind == "gamma" ? Arrivals::Kind::kGamma : Arrivals::Kind::kPoisson;
    out.rate_rps = reader.number("rate_rps", kRate).value_or(0);
    // 100: gaps a hundred times as irregular as Poisson's are an outage, not traffic.
    out.cv = reader.number("cv", {0, 100, true}).value_or(1);
  } else {
    for (const auto& entry : arrival_keys()) (void)reader.node(entry.first);
  }
  reader.finish();
}

void read_prefix(const YamlNode& node, Context& context, Workload& workload) {
  MapReader reader(node, "prefix", context.problems);
  workload.prefix.stable_tokens = reader.number("stable_tokens", kTokens).value_or(0);
  workload.prefix.semi_stable_tokens = reader.number("semi_stable_tokens", kTokens).value_or(0);
  workload.prefix.hit_rate = reader.number("hit_rate", kShare);
  reader.finish();
}

void read_session(const YamlNode& node, Context& context, Workload& workload) {
  MapReader reader(node, "session", context.problems);
  workload.session.turns = static_cast<int>(reader.integer("turns", kTurns).value_or(1));
  workload.session.turn_input_tokens = reader.number("turn_input_tokens", kTokens).value_or(0);
  workload.session.think_s = reader.number("think_s", kSeconds).value_or(0);
  workload.session.tool_cpu_s = reader.number("tool_cpu_s", kSeconds).value_or(0);
  reader.finish();
}

void read_task(const YamlNode& node, Context& context, Workload& workload) {
  MapReader reader(node, "task", context.problems);
  workload.task.success_rate = reader.number("success_rate", {0, 1, true}).value_or(1);
  workload.task.max_attempts =
      static_cast<int>(reader.integer("max_attempts", {1, 100, false}).value_or(1));
  reader.finish();
}

}  // namespace tensorpath::workload_file
