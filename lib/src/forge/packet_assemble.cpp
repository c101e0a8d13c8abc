// A packet from its files, and from a packet's files the same again.
#include "measurement.h"
#include "packet_blocks.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/claims.h>

namespace tensorpath::forge {
namespace {

Status check_report(const AttemptFiles& files) {
  const Json& report = files.report;
  const auto wrong = [](const std::string& what) { return fail_at({"report.json", 0, 0}, what); };
  if (report.at("candidate_digest") != files.state.candidate_digest) {
    return wrong("is of another candidate than the ledger");
  }
  const Json& proposed = files.last(LedgerEvent::kProposed)->data;
  if (proposed.contains("commitment") && report.at("commitment") != proposed.at("commitment")) {
    return wrong("has another commitment than the ledger");
  }
  const LedgerEntry* rejected = files.last(LedgerEvent::kRejected);
  const bool held = files.last(LedgerEvent::kVerified) != nullptr;
  if (report.at("passed") != held) return wrong("has another verdict than the ledger");
  if (rejected != nullptr && !held &&
      report.at("failure_class") != rejected->data.at(std::string(kFailureClass))) {
    return wrong("has another failure class than the ledger");
  }
  if (const LedgerEntry* verdict = files.verdict(); verdict != nullptr) {
    const auto digest = verdict->data.find(kReportDigest);
    if (digest != verdict->data.end() && *digest != sha256_hex(*files.find("report.json"))) {
      return wrong("has another digest than the ledger");
    }
  }
  return {};
}

// The ledger's word alone promotes nothing: the measurements behind it must carry it.
Status check_promotion(const AttemptFiles& files, const Json& performance) {
  const LedgerEntry* promoted = files.last(LedgerEvent::kPromoted);
  if (promoted == nullptr) return {};
  const Json pooled = performance.is_null() ? Json(nullptr) : performance.at("promotion");
  if (!pooled.is_null() && pooled.at("promotion").at("carries") == true) return {};
  return fail_at({"ledger.jsonl", promoted->seq, 0},
                 pooled.is_null() ? "is a promotion without a measurement for it"
                                  : "is a promotion that its measurements do not carry");
}

Expected<AttemptFiles> read_attempt(const PacketSources& sources) {
  const auto find = [&](std::string_view path) -> const std::string* {
    for (const PacketFile& file : sources.files) {
      if (file.path == path) return &file.contents;
    }
    return nullptr;
  };
  for (const char* needed : {"task.yaml", "ledger.jsonl"}) {
    if (find(needed) == nullptr) return fail_at({needed, 0, 0}, "is not there");
  }
  auto ledger = parse_ledger(*find("ledger.jsonl"), "ledger.jsonl", sha256_hex(*find("task.yaml")));
  if (!ledger) return tl::unexpected(ledger.error());
  if (sources.attempt < 0) return fail(ExitCode::kUsage, "there is no attempt below 0");
  auto state = ledger->state_of(sources.attempt);
  if (!state) return tl::unexpected(state.error());
  AttemptFiles files{sources, std::move(*ledger), std::move(*state), nullptr, {}};
  files.entries = files.ledger.entries_of(sources.attempt);
  if (const std::string* text = find("report.json"); text != nullptr) {
    if (sources.attempt == 0) return fail_at({"report.json", 0, 0}, "is of no candidate");
    auto report = parse_json(*text, "report.json");
    if (!report) return tl::unexpected(report.error());
    files.report = std::move(*report);
    if (const Status fine = check_report(files); !fine) return tl::unexpected(fine.error());
  } else if (files.last(LedgerEvent::kVerified) != nullptr) {
    return fail_at({"report.json", 0, 0}, "is not there, and the ledger has its verdict");
  }
  return files;
}

void add_formulas(Packet& packet, bool timed) {
  packet.add_formula("worst_over_allowed",
                     "the largest error of an element over what the operator allows there",
                     "max_i |y_i - ref_i| / bound_i");
  if (!timed) return;
  packet.add_formula("percentiles", "linear interpolation between order statistics (type 7)",
                     "x[h] + (h - floor(h)) (x[h+1] - x[h]), h = (n - 1) p");
  packet.add_formula("case ratio",
                     "the median over pairs of baseline time over candidate time; of the strongest "
                     "baseline, which is the one with the smallest",
                     "min_b median_k t_b,k / t_c,k");
  packet.add_formula("ratio", "the weighted geometric mean of the case ratios",
                     "exp(sum_i w_i ln r_i / sum_i w_i)");
  packet.add_formula(
      "interval", "95% of the ratio over draws of rounds with replacement, widened for few rounds",
      "q(0.025), q(0.975) of 2000 resamples, times sqrt(n / (n - 1)) around the value");
  packet.add_formula(
      "decision",
      "FAST or SLOW: the interval leaves out 1 plus or minus 0.01; SAME: it is inside "
      "0.97 to 1.03; else AMBIGUOUS, also when over a fifth of the pairs was dropped",
      "low > 1.01 | high < 0.99 | [low, high] in [0.97, 1.03]");
}

void add_gaps(Packet& packet, const AttemptFiles& files) {
  const auto gap = [&](std::string_view block, std::string_view why) {
    if (packet.predicate().at(std::string(block)).is_null()) packet.not_measured(block, why);
  };
  gap("candidate", "no candidate was handed in: this is the run itself");
  gap("environment", "nothing was compiled or run");
  gap("performance", holds_verdict(files.state.state)
                         ? "it was not timed"
                         : "only what holds is timed, and this does not");
  gap("emitted_code", "nothing was compiled");
  gap("security", "no gate was run to its end");
  gap("agent", "the run does not record who wrote the candidate");
  gap("economics", "no model was paid through this run, and nothing was sold");
  gap("recommendation", "this is a kernel");
  packet.not_measured("endpoint",
                      "this is one operator: what it changes for a whole model was not measured");
  if (packet.predicate().at("validation").at("harness_digest").is_null()) {
    packet.not_measured("harness of the gates",
                        "the ledger does not hold the digest of the program that ran them; "
                        "packet.harness is what wrote this packet");
  }
  if (files.find("operator.yaml") == nullptr) {
    packet.not_measured("operator.yaml", "the operator of the task was not at hand");
  }
}

void add_caveats(Packet& packet, const AttemptFiles& files, const Json& machine) {
  packet.add_caveat(
      "It is about the task's domain only: other shapes, types and devices were not tried.");
  packet.add_caveat("Agreement on drawn cases is no proof for every input.");
  if (machine.is_object()) {
    packet.add_caveat("Times are of one machine: other processors, clocks and loads give others.");
    const auto hypervisor = machine.find("hypervisor");
    if (hypervisor != machine.end() && *hypervisor == true) {
      packet.add_caveat("Times were taken under a hypervisor, whose other guests are not seen.");
    }
  }
  const LedgerEntry* verified = files.last(LedgerEvent::kVerified);
  if (verified != nullptr && verified->data.contains("not_run")) {
    packet.add_caveat(fmt::format("Gates left out: {}.", to_line(verified->data.at("not_run"))));
  }
}

Expected<Packet> assemble(const PacketSources& sources) {
  const auto files = read_attempt(sources);
  if (!files) return tl::unexpected(files.error());
  PacketIdentity identity = sources.identity;
  identity.outcome = event_name(files->state.state);
  Packet packet(identity);
  const auto task = task_block(*files);
  if (!task) return tl::unexpected(task.error());
  const auto candidate = candidate_block(*files, *task);
  if (!candidate) return tl::unexpected(candidate.error());
  const auto timed = timed_runs(*files);
  if (!timed) return tl::unexpected(timed.error());
  if (const Status fine = check_promotion(*files, timed->performance); !fine) {
    return tl::unexpected(fine.error());
  }
  Json validation = validation_block(*files);
  if (!timed->detail.empty()) validation["detail"] = timed->detail;
  packet.set("task", *task);
  packet.set("candidate", *candidate);
  packet.set("validation", validation);
  packet.set("performance", timed->performance);
  packet.set("security", security_block(*files));
  if (!files->report.is_null()) {
    packet.set("environment", {{"toolchain", files->report.at("toolchain")},
                               {"arm_toolchains", timed->toolchains},
                               {"machine", timed->machine}});
    if (const Json& toolchain = files->report.at("toolchain");
        !toolchain.get_ref<const std::string&>().empty()) {
      packet.set("emitted_code", {{"code", files->report.at("emitted_code")},
                                  {"findings", files->report.at("findings")},
                                  {"kernels", files->report.at("resources")}});
    }
  }
  for (Json& one :
       claims_of(files->ledger, sources.attempt, *task, validation, timed->performance)) {
    packet.add_claim(std::move(one));
  }
  add_caveats(packet, *files, timed->machine);
  add_gaps(packet, *files);
  add_formulas(packet, timed->performance.is_object());
  for (const PacketFile& file : sources.files) packet.add_file(file.path, file.contents);
  return packet;
}

PacketSources sources_of(const PacketStatement& statement) {
  const Json& self = statement.predicate().at("packet");
  const Json& task = statement.predicate().at("task");
  PacketSources sources;
  sources.run_id = task.at("run_id").get<std::string>();
  sources.attempt = static_cast<int>(
      std::min<std::int64_t>(task.at("attempt").get<std::int64_t>(), kMaxAttempts + 1));
  sources.identity = {"kernel",
                      {},
                      self.at("created").get<std::string>(),
                      self.at("replay_command").get<std::string>(),
                      self.at("harness").at("version").get<std::string>(),
                      self.at("harness").at("digest").get<std::string>()};
  return sources;
}

std::vector<PacketFinding> compare(const Json& said, const Json& found) {
  std::vector<PacketFinding> out;
  const std::string outcome = found.at("packet").at("outcome").get<std::string>();
  if (said.at("packet").at("outcome") != outcome) {
    out.push_back({PacketVerdict::kTampered, "packet.json /predicate/packet/outcome",
                   fmt::format("is not what the ledger says: {}", outcome)});
  }
  const auto state = find_event(outcome);
  if (!said.at("claims").empty() && (!state || !holds_verdict(*state))) {
    out.push_back({PacketVerdict::kTampered, "packet.json /predicate/claims",
                   fmt::format("has claims, and the ledger holds none: {}", outcome)});
  }
  for (const auto& [block, value] : found.items()) {
    if (block == "packet") continue;
    const std::string place = first_difference(value, said.at(block), "/predicate/" + block);
    if (place.empty()) continue;
    out.push_back({PacketVerdict::kTampered, "packet.json " + place,
                   "does not follow from the packet's files"});
  }
  return out;
}

}  // namespace

Expected<Packet> assemble_packet(const PacketSources& sources) {
  try {
    return assemble(sources);
  } catch (const Json::exception& error) {
    return fail(ExitCode::kUsage,
                fmt::format("a file of the attempt is not what it should be: {}", error.what()));
  }
}

std::vector<PacketFinding> recompute_packet(const PacketView& packet) {
  const Json& predicate = packet.statement.predicate();
  if (predicate.at("packet").at("kind") != "kernel") {
    return {{PacketVerdict::kNotRunnableHere, "packet.json /predicate/packet/kind",
             "nothing of this kind can be computed again here"}};
  }
  if (predicate.at("task").is_null()) {
    return {{PacketVerdict::kTampered, "packet.json /predicate/task", "is null, of a kernel"}};
  }
  PacketSources sources = sources_of(packet.statement);
  for (const PacketSubject& subject : packet.statement.subjects) {
    auto contents = packet.read(subject.name);
    if (!contents) {
      return {
          {PacketVerdict::kTampered, subject.name, contents.error().diagnostics.front().message}};
    }
    sources.files.push_back({subject.name, std::move(*contents)});
  }
  const auto again = assemble_packet(sources);
  if (again) return compare(predicate, again->predicate());
  std::vector<PacketFinding> out;
  for (const Diagnostic& one : again.error().diagnostics) {
    out.push_back({PacketVerdict::kTampered, one.where.to_string(), one.message});
  }
  return out;
}

}  // namespace tensorpath::forge
