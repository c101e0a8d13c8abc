// The report of a verification, for people and for scripts.
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/harness/verify.h>

namespace tensorpath {
namespace {

constexpr std::array<std::string_view, 8> kGates = {"contract", "compile", "object",   "smoke",
                                                    "holdout",  "steady",  "sanitize", "cleanup"};

std::string_view status_of(const GateReport& gate) {
  switch (gate.status) {
    case GateReport::Status::kPassed:
      return "passed";
    case GateReport::Status::kFailed:
      return "FAILED";
    default:
      return "not run";
  }
}

// NaN and infinity have no number in JSON; their names are told.
Json number_or_name(double value) {
  if (std::isfinite(value)) return json_number(value, 9);
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

Json histogram(const std::array<std::int64_t, kUlpEdges.size() + 1>& counts) {
  Json buckets = Json::array();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    buckets.push_back({{"up_to_ulp", i < kUlpEdges.size() ? Json(kUlpEdges[i]) : Json(nullptr)},
                       {"elements", counts[i]}});
  }
  return buckets;
}

Json resources_json(const std::vector<KernelResources>& kernels) {
  Json list = Json::array();
  for (const KernelResources& one : kernels) {
    list.push_back({{"kernel", one.kernel},
                    {"architecture", one.architecture},
                    {"registers", one.registers},
                    {"stack_bytes", one.stack_bytes},
                    {"spill_store_bytes", one.spill_store_bytes},
                    {"spill_load_bytes", one.spill_load_bytes},
                    {"static_shared_bytes", one.shared_bytes},
                    {"barriers", one.barriers}});
  }
  return list;
}

// What is worth knowing and turns nothing down.
Json findings_json(const EmittedCode& code) {
  Json list = Json::array();
  if (!code.absent.empty()) {
    list.push_back({{"finding", kExpectedCodeAbsent},
                    {"detail", fmt::format("the plan expects {}, and the compiler emitted none",
                                           fmt::join(code.absent, ", "))}});
  }
  return list;
}

}  // namespace

std::string KernelResources::to_text() const {
  const std::string spills = spill_store_bytes + spill_load_bytes == 0
                                 ? "no spills"
                                 : fmt::format("spills of {} bytes stored and {} loaded",
                                               spill_store_bytes, spill_load_bytes);
  return fmt::format("{}: {} registers, {}, {} bytes of shared memory", kernel, registers, spills,
                     shared_bytes);
}

std::string_view name_of(Gate gate) { return kGates[static_cast<std::size_t>(gate)]; }

Json VerifyReport::to_json() const {
  Json gate_list = Json::array();
  for (const GateReport& gate : gates) {
    Json entry = {{"gate", name_of(gate.gate)},
                  {"status", gate.status == GateReport::Status::kPassed   ? "passed"
                             : gate.status == GateReport::Status::kFailed ? "failed"
                                                                          : "not_run"},
                  {"seconds", json_number(gate.seconds, 4)}};
    if (gate.failure != Failure::kNone) entry["failure_class"] = name_of(gate.failure);
    if (!gate.detail.empty()) entry["detail"] = gate.detail;
    gate_list.push_back(std::move(entry));
  }
  Json examples = Json::array();
  for (const CounterExample& example : counter_examples) {
    examples.push_back({{"case", example.case_text},
                        {"output", example.output},
                        {"index", example.index},
                        {"got", number_or_name(example.got)},
                        {"expected", number_or_name(example.expected)},
                        {"allowed_error", number_or_name(example.allowed)}});
  }
  Json json = {{"passed", passed && defences_off.empty()}};
  if (failure != Failure::kNone) {
    json["failure_class"] = name_of(failure);
    json["explanation"] = explain(failure);
    json["detail"] = detail;
    if (!suspected_cause.empty()) json["suspected_cause"] = suspected_cause;
    json["public_counter_examples"] = examples;
  }
  json["gates"] = gate_list;
  json["cases"] = {{"committed", case_count}, {"compared", cases}, {"elements", elements}};
  json["error"] = {{"worst_over_allowed", json_number(worst, 4)},
                   {"worst_ulp", json_number(worst_ulp, 4)},
                   {"ulp_histogram", histogram(ulp_histogram)}};
  json["deterministic"] = deterministic;
  json["sandbox"] = {{"level", to_string(sandbox)}, {"reason", sandbox_reason}};
  json["toolchain"] = toolchain;
  json["resources"] = resources_json(resources);
  json["emitted_code"] = tensorpath::to_json(emitted);
  json["findings"] = findings_json(emitted);
  json["candidate_digest"] = candidate_digest;
  json["commitment"] = commitment;
  json["seconds"] = json_number(seconds, 4);
  if (!defences_off.empty()) json["defences_off"] = defences_off;
  return json;
}

Table VerifyReport::to_table() const {
  Table table({{"gate", Column::Align::kLeft, 3},
               {"result", Column::Align::kLeft, 3},
               {"seconds", Column::Align::kRight, 1},
               {"failure class", Column::Align::kLeft, 2}});
  for (const GateReport& gate : gates) {
    table.add_row({std::string(name_of(gate.gate)), std::string(status_of(gate)),
                   fmt::format("{:.2f}", gate.seconds),
                   gate.failure == Failure::kNone ? "" : std::string(name_of(gate.failure))});
  }
  return table;
}

}  // namespace tensorpath
