// tensorpath forge packet: what an attempt leaves for others to check.
#include "forge_options.h"
#include "packet_evidence.h"

#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

ExitCode run_packet(const Session& session, const ForgeOptions& options) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto run = forge::RunDirectory::open(forge::runs_root(options.runs), options.run_id);
  if (!run) return report(run.error());
  const auto signer = signing_key(options.sign);
  if (!signer) return report(signer.error());
  const std::optional<SigningKey>& key = *signer;
  const auto packet = forge::packet_run(
      *run, *operators, {options.attempt, options.out, std::string(kVersion), wall_now()},
      key ? &*key : nullptr);
  if (!packet) return report(packet.error());
  const std::vector<std::string> claims =
      forge::claim_sentences(packet->predicate.at("claims"),
                             packet->predicate.at("packet").at("outcome").get<std::string>());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    print_document(session, {{"run_id", run->id()},
                             {"attempt", packet->attempt},
                             {"state", packet->state},
                             {"packet", packet->directory},
                             {"signer", key ? Json(key->public_key().keyid()) : Json(nullptr)},
                             {"claims", claims}});
    return ExitCode::kDone;
  }
  print(packet->directory + "\n");
  if (session.quiet) return ExitCode::kDone;
  std::string text = packet->state + "\n";
  for (const std::string& claim : claims)
    text += wrap_text(claim, session.terminal_width(), 2) + "\n";
  std::fputs(text.c_str(), stderr);
  return ExitCode::kDone;
}

}  // namespace

void add_sign_option(CLI::App& command, ForgeOptions& options) {
  command.add_option("--sign", options.sign, "A private Ed25519 key in PEM, yours alone to read")
      ->type_name("KEY");
}

void add_forge_packet(CLI::App& group, Session& session,
                      const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* packet = group.add_subcommand("packet", "Write the packet of an attempt");
  add_run_option(*packet, *options);
  packet->add_option("--attempt", options->attempt, "Default: the latest")
      ->check(CLI::Range(1, 1'000'000));
  packet->add_option("--out", options->out, "The directory to make; default: beside the attempt")
      ->type_name("DIR");
  add_sign_option(*packet, *options);
  add_shared_options(*packet, session, *options);
  packet->callback([&session, options] {
    session.run = [&session, options] { return run_packet(session, *options); };
  });
}

}  // namespace tensorpath::cli
