#include <fmt/format.h>

#include <tensorpath/advise/recommendation_packet.h>
#include <tensorpath/base/file.h>

namespace tensorpath {
namespace {

constexpr const char* kWorkloadFile = "workload.yaml";
constexpr const char* kPlanFile = "plan.json";
constexpr const char* kPricesFile = "prices.yaml";
constexpr const char* kKernels = "kernels";
constexpr const char* kRecommended = "recommended";
constexpr const char* kNothingFits = "nothing_fits";

Json words(const std::vector<std::string>& list) { return Json(list); }

Json block_of(const RecommendationSources& sources, const Json& plan,
              const std::string& plan_text) {
  const AdviseOptions& options = sources.options;
  return {
      {"workload", plan.at("workload").at("name")},
      {"workload_digest", sha256_hex(sources.workload)},
      {"plan_digest", sha256_hex(plan_text)},
      {"prices_digest", sources.prices.empty() ? Json(nullptr) : Json(sha256_hex(sources.prices))},
      {"data_digest", sources.data_digest},
      {"plans", plan.at("plans").size()},
      {"considered", plan.at("considered")},
      {"feasible", plan.at("feasible")},
      {"options",
       {{"top", options.top},
        {"today", options.today},
        {"priority", sources.priority.empty() ? Json(nullptr) : Json(sources.priority)},
        {"prefer_gpus", words(options.prefer_gpus)},
        {"prefer_engines", words(options.prefer_engines)},
        {"why_not", words(options.why_not)},
        {"screen_only", options.screen_only}}}};
}

RecommendationSources sources_of(const Json& block) {
  RecommendationSources sources;
  const Json& options = block.at("options");
  const auto list = [&](const char* key) {
    return options.at(key).get<std::vector<std::string>>();
  };
  sources.name = block.at("workload").get<std::string>();
  sources.data_digest = block.at("data_digest").get<std::string>();
  if (options.at("priority").is_string()) {
    sources.priority = options.at("priority").get<std::string>();
  }
  sources.options.top = options.at("top").get<int>();
  sources.options.today = options.at("today").get<std::string>();
  sources.options.prefer_gpus = list("prefer_gpus");
  sources.options.prefer_engines = list("prefer_engines");
  sources.options.why_not = list("why_not");
  sources.options.screen_only = options.at("screen_only").get<bool>();
  return sources;
}

void add_gaps(Packet& packet) {
  for (const char* block : {"task", "candidate", "validation", "emitted_code", "security"}) {
    packet.not_measured(block, "this is a recommendation, and no kernel");
  }
  packet.not_measured("environment", "nothing was run: a recommendation is arithmetic on data");
  packet.not_measured("performance",
                      "what the plans say of time is predicted; each of their "
                      "numbers names its class");
  packet.not_measured("agent", "no model had a part in it");
  packet.not_measured("economics", "prices are the plan's assumptions; nothing was bought or sold");
  packet.not_measured("endpoint", "no server was started");
}

Expected<Packet> assemble(const RecommendationSources& sources, Json plan,
                          PacketIdentity identity) {
  plan.erase(kKernels);
  identity.kind = "recommendation";
  identity.outcome = plan.at("plans").empty() ? kNothingFits : kRecommended;
  const std::string text = to_text(plan);
  Packet packet(identity);
  packet.set("recommendation", block_of(sources, plan, text));
  add_gaps(packet);
  packet.add_caveat("Predicted numbers carry their own error; the plan has it beside them.");
  packet.add_caveat("Prices are of the day in options.today.");
  packet.add_file(kWorkloadFile, sources.workload);
  packet.add_file(kPlanFile, text);
  if (!sources.prices.empty()) packet.add_file(kPricesFile, sources.prices);
  return packet;
}

PacketFinding finding(PacketVerdict verdict, std::string where, std::string what) {
  return {verdict, std::move(where), std::move(what)};
}

// The files of the packet, read; the finding that says why not.
Expected<Json> read_files(const PacketView& packet, RecommendationSources& sources) {
  for (const PacketSubject& subject : packet.statement.subjects) {
    auto contents = packet.read(subject.name);
    if (!contents) return tl::unexpected(contents.error());
    if (subject.name == kWorkloadFile) sources.workload = std::move(*contents);
    if (subject.name == kPricesFile) sources.prices = std::move(*contents);
  }
  const auto plan = packet.read(kPlanFile);
  if (!plan) return tl::unexpected(plan.error());
  auto tree = parse_json(*plan, kPlanFile);
  if (tree && to_text(*tree) != *plan) {
    return fail(ExitCode::kAnswerIsNo, "plan.json was written by something else");
  }
  return tree;
}

std::string first_block_that_differs(const Json& said, const Json& found) {
  for (const auto& [block, value] : found.items()) {
    if (block == "packet") continue;
    std::string place = first_difference(value, said.at(block), "/predicate/" + block);
    if (!place.empty()) return place;
  }
  const Json& outcome = found.at("packet").at("outcome");
  return outcome == said.at("packet").at("outcome") ? "" : "/predicate/packet/outcome";
}

}  // namespace

Expected<Packet> recommendation_packet(const RecommendationSources& sources, Json plan,
                                       const PacketIdentity& identity) {
  try {
    return assemble(sources, std::move(plan), identity);
  } catch (const Json::exception& error) {
    return fail(ExitCode::kUsage, fmt::format("plan.json is no plan: {}", error.what()));
  }
}

std::vector<PacketFinding> recompute_recommendation(const PacketView& packet,
                                                    const std::string& data_digest,
                                                    const RecommendAgain& again) {
  const Json& predicate = packet.statement.predicate();
  const Json& block = predicate.at("recommendation");
  if (block.is_null()) {
    return {finding(PacketVerdict::kTampered, "packet.json /predicate/recommendation",
                    "is null, of a recommendation")};
  }
  RecommendationSources sources = sources_of(block);
  const auto plan = read_files(packet, sources);
  const auto found =
      plan ? recommendation_packet(sources, *plan, {}) : tl::unexpected(plan.error());
  if (!found) {
    return {
        finding(PacketVerdict::kTampered, kPlanFile, found.error().diagnostics.front().message)};
  }
  if (const std::string place = first_block_that_differs(predicate, found->predicate());
      !place.empty()) {
    return {finding(PacketVerdict::kTampered, "packet.json " + place,
                    "does not follow from the packet's files")};
  }
  if (sources.data_digest != data_digest) {
    return {finding(PacketVerdict::kStale, "packet.json /predicate/recommendation/data_digest",
                    "it was made with other data than what is installed here: its plans were not "
                    "computed again")};
  }
  auto now = again(sources);
  if (!now) {
    return {finding(PacketVerdict::kNotRunnableHere, kWorkloadFile,
                    now.error().diagnostics.front().message)};
  }
  now->erase(kKernels);
  const std::string place = first_difference(*now, *plan, "");
  if (place.empty()) return {};
  return {finding(PacketVerdict::kTampered, std::string(kPlanFile) + " " + place,
                  "does not follow from the workload and the data")};
}

}  // namespace tensorpath
