// tensorpath forge promote: measure anew, and publish what every gate and the times carry.
#include "forge_options.h"
#include "kernels_here.h"
#include "packet_evidence.h"

#include <fmt/format.h>

#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

std::string or_nothing(const std::string& text) { return text.empty() ? "none" : text; }

Json document_of(const forge::RunDirectory& run, const forge::PromotedAttempt& attempt,
                 const std::string& registry) {
  const auto text = [](const std::string& value) {
    return value.empty() ? Json(nullptr) : Json(value);
  };
  Json document = {{"run_id", run.id()},
                   {"attempt", attempt.attempt},
                   {"state", attempt.state},
                   {"promoted", attempt.promoted},
                   {"reason", text(attempt.reason)},
                   {"entry", text(attempt.entry)},
                   {"registry", registry},
                   {"packet", text(attempt.packet)},
                   {"measurements", attempt.measurements},
                   {"timing", nullptr}};
  if (attempt.measured) document["timing"] = attempt.report.to_json();
  return document;
}

ExitCode run_promote(const Session& session, const ForgeOptions& options) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto run = forge::RunDirectory::open(forge::runs_root(options.runs), options.run_id);
  if (!run) return report(run.error());
  const auto key = signing_key(options.sign);
  if (!key) return report(key.error());
  const auto bench = bench_options(session, options);
  if (!bench) return report(bench.error());
  const auto task = forge::task_of(*run, *operators);
  if (!task) return report(task.error());
  const forge::PromoteRequest request{
      options.attempt, registry_roots(session, options.registry).front(),
      toolchain_here(std::string(language_of(task->device)), task->gpu), std::string(kVersion),
      wall_now()};
  const auto attempt =
      forge::promote_run(*run, *operators, request, kernel_directories(session, "baselines"),
                         *bench, *key ? &**key : nullptr);
  if (!attempt) return report(attempt.error());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    print_document(session, document_of(*run, *attempt, request.registry));
  } else if (session.quiet && attempt->promoted) {
    print(attempt->entry + "\n");
  } else {
    if (attempt->measured) print_timing(session, attempt->report, attempt->state);
    std::string text = attempt->measured ? "" : attempt->state + "\n";
    if (attempt->measurements > 1) {
      text += fmt::format("{} measurements for a promotion, pooled\n", attempt->measurements);
    }
    if (!attempt->reason.empty()) text += fmt::format("refused: {}\n", attempt->reason);
    if (!attempt->entry.empty()) {
      text += fmt::format("entry: {} in {}\n", attempt->entry, request.registry);
    }
    text += fmt::format("packet: {}\n", or_nothing(attempt->packet));
    print(wrap_text(text, session.terminal_width()));
  }
  return attempt->promoted ? ExitCode::kDone : ExitCode::kAnswerIsNo;
}

}  // namespace

void add_forge_promote(CLI::App& group, Session& session,
                       const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* promote =
      group.add_subcommand("promote", "Measure anew, and publish what holds and wins");
  add_run_option(*promote, *options);
  add_bench_options(*promote, *options);
  promote
      ->add_option("--registry", options->registry,
                   "Where to publish; default: .tensorpath/kernels")
      ->type_name("DIR")
      ->expected(1);
  add_sign_option(*promote, *options);
  add_shared_options(*promote, session, *options);
  promote->callback([&session, options] {
    session.run = [&session, options] { return run_promote(session, *options); };
  });
}

}  // namespace tensorpath::cli
