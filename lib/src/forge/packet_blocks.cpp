#include "packet_blocks.h"

#include "measurement.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/yaml.h>
#include <tensorpath/evidence/quote.h>
#include <tensorpath/harness/failure.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kCandidate = "candidate/";

// A YAML tree as JSON: numbers where a plain scalar is one.
Json json_of(const YamlNode& node) {
  if (node.is_null()) return nullptr;
  if (node.is_scalar()) {
    const auto number = yaml_number(node);
    if (!number) return node.scalar;
    const auto whole = static_cast<std::int64_t>(std::clamp(*number, -9e15, 9e15));
    if (static_cast<double>(whole) == *number) return whole;
    return *number;
  }
  Json out = node.is_map() ? Json::object() : Json::array();
  for (const YamlNode& item : node.items) out.push_back(json_of(item));
  for (const auto& [key, value] : node.entries) out[key] = json_of(value);
  return out;
}

Json or_null(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? Json(nullptr) : *found;
}

Json quoted(const Json& object, const char* key) {
  const Json text = or_null(object, key);
  return text.is_string() && !text.get_ref<const std::string&>().empty()
             ? Json(quote_untrusted(text.get_ref<const std::string&>()))
             : Json(nullptr);
}

Json digest_or_null(const Json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty() ? value : Json(nullptr);
}

// The words of a verdict are the ledger's alone: a gate "held", "failed" or was "not_run".
Json gates_of(const Json& report) {
  Json gates = Json::array();
  for (const Json& gate : report.at("gates")) {
    const Json& status = gate.at("status");
    gates.push_back({{"gate", gate.at("gate")},
                     {"status", status == "passed" ? Json("held") : status},
                     {"failure_class", or_null(gate, "failure_class")},
                     {"detail", quoted(gate, "detail")},
                     {"seconds", gate.at("seconds")}});
  }
  return gates;
}

// Attempts to leave the boundary, or to be judged by something else than the results.
bool is_violation(std::string_view failure) {
  static constexpr std::array kViolations{
      Failure::kForbiddenInclude, Failure::kForbiddenDirective, Failure::kForbiddenImport,
      Failure::kWritableState,    Failure::kLoadTimeCode,       Failure::kForbiddenCall,
      Failure::kTimerAccess,      Failure::kEarlyExit,          Failure::kStopped,
      Failure::kProtocol,         Failure::kLeftover,           Failure::kInputChanged,
      Failure::kStateDependent,   Failure::kOutputFlood};
  return std::any_of(kViolations.begin(), kViolations.end(),
                     [&](Failure one) { return name_of(one) == failure; });
}

}  // namespace

const std::string* AttemptFiles::find(std::string_view path) const {
  for (const PacketFile& file : sources.files) {
    if (file.path == path) return &file.contents;
  }
  return nullptr;
}

const LedgerEntry* AttemptFiles::last(LedgerEvent event) const {
  const LedgerEntry* found = nullptr;
  for (const LedgerEntry* entry : entries) {
    if (entry->event == event) found = entry;
  }
  return found;
}

const LedgerEntry* AttemptFiles::verdict() const {
  const LedgerEntry* verified = last(LedgerEvent::kVerified);
  return verified != nullptr ? verified : last(LedgerEvent::kRejected);
}

Expected<Json> task_block(const AttemptFiles& files) {
  const std::string& text = *files.find("task.yaml");
  const auto document = parse_yaml(text, "task.yaml");
  if (!document) return tl::unexpected(document.error());
  const Json task = json_of(*document);
  const auto word = [&](const char* key) {
    const Json value = or_null(task, key);
    return value.is_string() ? value : Json(value.is_null() ? "" : to_line(value));
  };
  const auto object = [&](const char* key) {
    const Json value = or_null(task, key);
    return value.is_object() ? value : Json::object();
  };
  const Json created = files.ledger.entries().front().data;
  return Json{
      {"run_id", files.sources.run_id},
      {"attempt", files.sources.attempt},
      {"op", word("op")},
      {"dtype", word("dtype")},
      {"language", word("language")},
      {"device", word("gpu")},
      {"architecture", word("architecture")},
      {"objective", word("objective")},
      {"cases", or_null(task, "cases")},
      {"shape", object("shape")},
      {"attributes", object("attributes")},
      {"digest", sha256_hex(text)},
      {"operator_digest", or_null(created, "operator_digest")},
      {"input_distribution",
       "shapes inside the task's domain, contents and layouts of the regimes that the operator "
       "has, "
       "all drawn from the seed that validation reveals"},
      {"tolerance",
       "per element, the operator's error bound around the float64 reference; no share of the "
       "elements is exempt"}};
}

Expected<Json> candidate_block(const AttemptFiles& files, const Json& task) {
  if (files.last(LedgerEvent::kProposed) == nullptr) return Json(nullptr);
  Json list = Json::array();
  std::vector<std::pair<std::string, std::string>> named;
  for (const PacketFile& file : files.sources.files) {
    if (!file.path.starts_with(kCandidate)) continue;
    named.emplace_back(file.path.substr(kCandidate.size()), sha256_hex(file.contents));
    list.push_back(
        {{"path", file.path}, {"digest", named.back().second}, {"bytes", file.contents.size()}});
  }
  std::sort(named.begin(), named.end());
  std::string all;
  for (const auto& [name, digest] : named) all += fmt::format("{}\n{}\n", name, digest);
  if (!named.empty() && sha256_hex(all) != files.state.candidate_digest) {
    return fail(
        ExitCode::kUsage,
        fmt::format("the files in candidate/ are not those of attempt {}, whose digest is {}",
                    files.state.attempt, files.state.candidate_digest));
  }
  return Json{
      {"digest", files.state.candidate_digest}, {"language", task.at("language")}, {"files", list}};
}

Json validation_block(const AttemptFiles& files) {
  const bool rejected = files.state.state == LedgerEvent::kRejected;
  const LedgerEntry* proposed = files.last(LedgerEvent::kProposed);
  const LedgerEntry* verdict = files.verdict();
  Json block = {
      {"verdict", holds_verdict(files.state.state) ? "holds"
                  : rejected                       ? "does_not_hold"
                                                   : "none"},
      {"failure_class", rejected ? Json(files.state.failure_class) : Json(nullptr)},
      {"detail", nullptr},
      {"suspected_cause", nullptr},
      {"gates", Json::array()},
      {"cases", nullptr},
      {"error", nullptr},
      {"deterministic", nullptr},
      {"commitment",
       proposed == nullptr ? Json(nullptr) : digest_or_null(or_null(proposed->data, "commitment"))},
      {"seed", verdict == nullptr ? Json(nullptr) : digest_or_null(or_null(verdict->data, "seed"))},
      {"harness_digest", verdict == nullptr
                             ? Json(nullptr)
                             : digest_or_null(or_null(verdict->data, kHarnessDigest.data()))},
      {"ledger",
       {{"head", files.ledger.head()},
        {"lines", files.ledger.entries().size()},
        {"attempts", files.ledger.attempts()}}}};
  if (files.report.is_null()) return block;
  block["detail"] = quoted(files.report, "detail");
  block["suspected_cause"] = quoted(files.report, "suspected_cause");
  block["gates"] = gates_of(files.report);
  // Before the hidden cases there is nothing to say of them.
  if (files.report.at("cases").at("compared") != 0) {
    block["cases"] = files.report.at("cases");
    block["error"] = files.report.at("error");
    block["deterministic"] = files.report.at("deterministic");
  }
  return block;
}

Json security_block(const AttemptFiles& files) {
  if (files.report.is_null()) return nullptr;
  Json left_out = Json::array();
  for (const Json& gate : files.report.at("gates")) {
    if (gate.at("status") == "not_run") left_out.push_back(gate.at("gate"));
  }
  const Json defences_off = or_null(files.report, "defences_off");
  const std::string& failure = files.state.failure_class;
  return {{"sandbox", files.report.at("sandbox")},
          {"gates_left_out", left_out},
          {"defences_off", defences_off.is_null() ? Json::array() : defences_off},
          {"violation", is_violation(failure) ? Json(failure) : Json(nullptr)}};
}

}  // namespace tensorpath::forge
