// tensorpath replay: does a packet say what follows from it, and does it still hold here?
#include "forge_options.h"
#include "packet_evidence.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include <tensorpath/evidence.h>
#include <tensorpath/forge.h>
#include <tensorpath/forge/replay_run.h>

namespace tensorpath::cli {
namespace {

constexpr std::array kLevels = {forge::ReplayLevel::kCheck, forge::ReplayLevel::kVerify,
                                forge::ReplayLevel::kBench};

struct ReplayFlags {
  std::vector<std::string> packets;
  std::string level = "check";
  std::vector<std::string> trust;
  int seeds = 1;
  ForgeOptions forge;
};

// Words from a packet that was not found whole are somebody's, not ours.
std::string shown(const std::string& text) { return quote_input(text); }

std::string outcome_of(const PacketCheck& check) {
  if (check.predicate.is_null() || check.verdict != PacketVerdict::kReproduced) return {};
  return check.predicate.at("packet").at("outcome").get<std::string>();
}

// In words for people: the name that scripts get, "smoke_passed", says more than it means.
std::string state_of(const PacketCheck& check) {
  const std::string outcome = outcome_of(check);
  if (outcome.empty()) return {};
  if (check.predicate.at("packet").at("kind") == "recommendation") {
    const Json& block = check.predicate.at("recommendation");
    return fmt::format("{} plans for {}", to_line(block.at("plans")),
                       shown(block.at("workload").get<std::string>()));
  }
  if (check.predicate.at("packet").at("kind") == "profile") {
    const Json& block = check.predicate.at("profile");
    return fmt::format("profile {}, {}", shown(block.at("name").get<std::string>()), outcome);
  }
  const auto event = forge::find_event(outcome);
  if (!event) return {};
  const Json failure = check.predicate.at(Json::json_pointer("/validation/failure_class"));
  return forge::state_sentence({check.predicate.at(Json::json_pointer("/task/attempt")).get<int>(),
                                *event, "",
                                failure.is_string() ? failure.get<std::string>() : std::string()});
}

std::vector<std::string> claims_of(const PacketCheck& check) {
  if (outcome_of(check).empty()) return {};
  return forge::claim_sentences(check.predicate.at("claims"), outcome_of(check));
}

Json judged_json(const forge::VerifiedAgain& one) {
  const VerifyReport& report = one.report;
  return {
      {"seed", report.seed},
      {"revealed", one.revealed},
      {"holds", report.passed},
      {"failure_class", report.passed ? Json(nullptr) : Json(std::string(name_of(report.failure)))},
      {"cases", report.cases},
      {"elements", report.elements},
      {"worst_over_allowed", json_number(report.worst)},
      {"toolchain", report.toolchain},
      {"seconds", json_number(report.seconds, 4)}};
}

Json document_of(const std::string& path, const std::string& level, const forge::Replay& replay) {
  const PacketCheck& check = replay.check;
  Json findings = Json::array();
  for (const PacketFinding& one : check.findings) {
    findings.push_back(
        {{"verdict", name_of(one.verdict)}, {"where", one.where}, {"what", one.what}});
  }
  Json judged = Json::array();
  for (const forge::VerifiedAgain& one : replay.verified) judged.push_back(judged_json(one));
  const std::string outcome = outcome_of(check);
  return {{"packet", path},
          {"level", level},
          {"verdict", name_of(check.verdict)},
          {"trust", name_of(check.trust)},
          {"signer", check.keyid.empty() ? Json(nullptr) : Json(check.keyid)},
          {"outcome", outcome.empty() ? Json(nullptr) : Json(outcome)},
          {"findings", findings},
          {"notes", replay.notes},
          {"judged_again", judged},
          {"timing", replay.timed ? replay.timing.to_json() : Json(nullptr)},
          {"claims", claims_of(check)}};
}

// One line for each thing that was run.
std::string ran_text(const forge::Replay& replay) {
  std::string text;
  for (const forge::VerifiedAgain& one : replay.verified) {
    const VerifyReport& report = one.report;
    const char* seed = one.revealed ? "the revealed seed" : "a fresh seed";
    text += report.passed
                ? fmt::format(
                      "{}: {} cases, {} elements, largest error {:.2f} of what is allowed, "
                      "{:.1f} s\n",
                      seed, report.cases, human_number(static_cast<double>(report.elements)),
                      report.worst, report.seconds)
                : fmt::format("{}: {}, {:.1f} s\n", seed, name_of(report.failure), report.seconds);
  }
  if (replay.timed) {
    const TimingStatistic& statistic = replay.timing.timing.statistic;
    text += fmt::format("timed again: {:.3f} [{:.3f}, {:.3f}], {} pairs, {} dropped\n",
                        statistic.ratio.value, statistic.ratio.low, statistic.ratio.high,
                        statistic.pairs, statistic.dropped);
  }
  return text;
}

std::string text_of(const Session& session, const forge::Replay& replay) {
  const PacketCheck& check = replay.check;
  const int width = session.terminal_width();
  std::string text;
  for (const PacketFinding& one : check.findings) {
    const std::string where = one.where.empty() ? std::string() : shown(one.where) + ": ";
    text += wrap_text(where + one.what, width, 2) + "\n";
  }
  for (const std::string& one : replay.notes) text += wrap_text(one, width, 2) + "\n";
  text += wrap_text(ran_text(replay), width, 2);
  text += wrap_text(trust_sentence(check.trust, check.keyid), width, 2) + "\n";
  for (const std::string& claim : claims_of(check)) text += wrap_text(claim, width, 2) + "\n";
  return text;
}

Expected<std::vector<PublicKey>> read_keys(const std::vector<std::string>& paths) {
  std::vector<PublicKey> keys;
  for (const std::string& path : paths) {
    auto key = read_public_key(path);
    if (!key) return tl::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  return keys;
}

ExitCode exit_code(PacketVerdict worst) {
  if (worst == PacketVerdict::kReproduced) return ExitCode::kDone;
  return worst == PacketVerdict::kNotRunnableHere ? ExitCode::kEnvironment : ExitCode::kAnswerIsNo;
}

void print_all(const Session& session, const ReplayFlags& flags,
               const std::vector<forge::Replay>& replays) {
  const std::vector<std::string>& paths = flags.packets;
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json list = Json::array();
    for (std::size_t i = 0; i < replays.size(); ++i)
      list.push_back(document_of(paths[i], flags.level, replays[i]));
    print_document(session, {{"packets", list}});
    return;
  }
  Table table({{"packet", Column::Align::kLeft, 4},
               {"verdict", Column::Align::kLeft, 5},
               {"signature", Column::Align::kLeft, 3},
               {"outcome", Column::Align::kLeft, 2},
               {"findings", Column::Align::kRight, 1}});
  for (std::size_t i = 0; i < replays.size(); ++i) {
    const PacketCheck& check = replays[i].check;
    table.add_row({paths[i], std::string(name_of(check.verdict)), std::string(name_of(check.trust)),
                   state_of(check), std::to_string(check.findings.size())});
  }
  print_table(session, table);
  if (session.format != OutputFormat::kTable) return;
  for (std::size_t i = 0; i < replays.size(); ++i) {
    print("\n" + (replays.size() > 1 ? paths[i] + "\n" : "") + text_of(session, replays[i]));
  }
}

// What level check needs is nothing of this machine.
Status add_means(const Session& session, const ReplayFlags& flags, forge::ReplayOptions& options) {
  if (options.level == forge::ReplayLevel::kCheck) return {};
  auto bench = bench_options(session, flags.forge);
  if (!bench) return tl::unexpected(bench.error());
  options.bench = std::move(*bench);
  options.bench.on_step = nullptr;
  options.verify.worker = options.bench.worker;
  options.verify.sandbox = options.bench.sandbox;
  options.baselines = kernel_directories(session, "baselines");
  return {};
}

// What cannot be read as a packet says so in its own row.
Expected<forge::Replay> replay_one(const std::string& path, const forge::ReplayOptions& options) {
  const auto place = PacketPlace::open(path);
  if (place) return forge::replay_packet(place->directory(), options);
  if (place.error().exit_code != ExitCode::kAnswerIsNo) return tl::unexpected(place.error());
  forge::Replay unreadable;
  unreadable.check.findings.push_back(
      {PacketVerdict::kTampered, "", place.error().diagnostics.front().message});
  return unreadable;
}

ExitCode run_replay(const Session& session, const ReplayFlags& flags) {
  forge::ReplayOptions options;
  options.level = *std::find_if(kLevels.begin(), kLevels.end(),
                                [&](auto level) { return name_of(level) == flags.level; });
  options.seeds = flags.seeds;
  options.recompute = [&](const PacketView& packet) { return recompute_any(session, packet); };
  auto trusted = read_keys(flags.trust);
  if (!trusted) return report(trusted.error());
  options.trusted = std::move(*trusted);
  Expected<Operators> operators = Operators();
  if (options.level != forge::ReplayLevel::kCheck) operators = operators_of(session, flags.forge);
  if (!operators) return report(operators.error());
  options.operators = &*operators;
  if (const Status added = add_means(session, flags, options); !added) {
    return report(added.error());
  }
  std::vector<forge::Replay> replays;
  auto worst = PacketVerdict::kReproduced;
  for (const std::string& path : flags.packets) {
    if (!session.quiet && options.level != forge::ReplayLevel::kCheck) {
      options.on_step = [&](const std::string& step) {
        std::fputs(fmt::format("{}: {}\n", path, step).c_str(), stderr);
      };
    }
    auto replay = replay_one(path, options);
    if (!replay) return report(replay.error());
    worst = std::max(worst, replay->check.verdict);
    replays.push_back(std::move(*replay));
  }
  print_all(session, flags, replays);
  return exit_code(worst);
}

}  // namespace

void add_replay(CLI::App& app, Session& session) {
  CLI::App* replay = app.add_subcommand("replay", "Check packets, and run them again");
  auto flags = std::make_shared<ReplayFlags>();
  replay->add_option("packet", flags->packets, "Directories with a packet.json, or .tar.zst of one")
      ->type_name("PACKET")
      ->required();
  replay->add_option("--level", flags->level, "How far to go; default: check")
      ->check(CLI::IsMember({"check", "verify", "bench"}));
  replay->add_option("--seeds", flags->seeds, "Fresh seeds beside the revealed one; default: 1")
      ->check(CLI::Range(0, 1000));
  replay
      ->add_option("--trust", flags->trust,
                   "A public Ed25519 key in PEM; packets must be signed by one of them; repeatable")
      ->type_name("KEY")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_time_options(*replay, flags->forge);
  add_sandbox_options(*replay, flags->forge);
  add_format_option(*replay, session);
  replay->callback([&session, flags] {
    session.run = [&session, flags] { return run_replay(session, *flags); };
  });
}

}  // namespace tensorpath::cli
