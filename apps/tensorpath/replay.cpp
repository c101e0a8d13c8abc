// tensorpath replay: does a packet say what follows from it?
#include "command.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include <tensorpath/evidence.h>
#include <tensorpath/forge.h>

namespace tensorpath::cli {
namespace {

struct ReplayOptions {
  std::vector<std::string> packets;
  std::string level = "check";
  std::vector<std::string> trust;
};

// Words from a packet that was not found whole are somebody's, not ours.
std::string shown(const std::string& text) { return quote_input(text); }

std::string outcome_of(const PacketCheck& check) {
  if (check.predicate.is_null() || check.verdict != PacketVerdict::kReproduced) return {};
  return check.predicate.at("packet").at("outcome").get<std::string>();
}

// In words for people: the name that scripts get, "smoke_passed", says more than it means.
std::string state_of(const PacketCheck& check) {
  const auto event = forge::find_event(outcome_of(check));
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

Json document_of(const std::string& path, const PacketCheck& check) {
  Json findings = Json::array();
  for (const PacketFinding& one : check.findings) {
    findings.push_back(
        {{"verdict", name_of(one.verdict)}, {"where", one.where}, {"what", one.what}});
  }
  const std::string outcome = outcome_of(check);
  return {{"packet", path},
          {"level", "check"},
          {"verdict", name_of(check.verdict)},
          {"trust", name_of(check.trust)},
          {"signer", check.keyid.empty() ? Json(nullptr) : Json(check.keyid)},
          {"outcome", outcome.empty() ? Json(nullptr) : Json(outcome)},
          {"findings", findings},
          {"claims", claims_of(check)}};
}

std::string text_of(const Session& session, const PacketCheck& check) {
  const int width = session.terminal_width();
  std::string text;
  for (const PacketFinding& one : check.findings) {
    const std::string where = one.where.empty() ? std::string() : shown(one.where) + ": ";
    text += wrap_text(where + one.what, width, 2) + "\n";
  }
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

void print_all(const Session& session, const std::vector<std::string>& paths,
               const std::vector<PacketCheck>& checks) {
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json list = Json::array();
    for (std::size_t i = 0; i < checks.size(); ++i)
      list.push_back(document_of(paths[i], checks[i]));
    print_document(session, {{"packets", list}});
    return;
  }
  Table table({{"packet", Column::Align::kLeft, 4},
               {"verdict", Column::Align::kLeft, 5},
               {"signature", Column::Align::kLeft, 3},
               {"outcome", Column::Align::kLeft, 2},
               {"findings", Column::Align::kRight, 1}});
  for (std::size_t i = 0; i < checks.size(); ++i) {
    table.add_row({paths[i], std::string(name_of(checks[i].verdict)),
                   std::string(name_of(checks[i].trust)), state_of(checks[i]),
                   std::to_string(checks[i].findings.size())});
  }
  print_table(session, table);
  if (session.format != OutputFormat::kTable) return;
  for (std::size_t i = 0; i < checks.size(); ++i) {
    print("\n" + (checks.size() > 1 ? paths[i] + "\n" : "") + text_of(session, checks[i]));
  }
}

ExitCode run_replay(const Session& session, const ReplayOptions& options) {
  if (options.level != "check") {
    return report(Error{ExitCode::kUsage,
                        {{{},
                          fmt::format("replay cannot do level {} yet", options.level),
                          "--level check computes every number again from the raw samples"}}});
  }
  const auto trusted = read_keys(options.trust);
  if (!trusted) return report(trusted.error());
  std::vector<PacketCheck> checks;
  auto worst = PacketVerdict::kReproduced;
  for (const std::string& path : options.packets) {
    auto check = check_packet(path, *trusted, forge::recompute_packet);
    if (!check) return report(check.error());
    worst = std::max(worst, check->verdict);
    checks.push_back(std::move(*check));
  }
  print_all(session, options.packets, checks);
  return exit_code(worst);
}

}  // namespace

void add_replay(CLI::App& app, Session& session) {
  CLI::App* replay = app.add_subcommand("replay", "Check packets: is all of it so?");
  auto options = std::make_shared<ReplayOptions>();
  replay->add_option("packet", options->packets, "Directories with a packet.json")
      ->type_name("PACKET")
      ->required();
  replay->add_option("--level", options->level, "How far to go; default: check")
      ->check(CLI::IsMember({"check", "verify", "bench"}));
  replay
      ->add_option("--trust", options->trust,
                   "A public Ed25519 key in PEM; packets must be signed by one of them; repeatable")
      ->type_name("KEY")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  add_format_option(*replay, session);
  replay->callback([&session, options] {
    session.run = [&session, options] { return run_replay(session, *options); };
  });
}

}  // namespace tensorpath::cli
