// tensorpath compare: models of one workload, or plans and profiles, side by side.
#include "advice.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/compare.h>

namespace tensorpath::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> inputs;
  WorkloadFlags flags;
  AdviceFlags advice;
};

// "plan.json" is its first plan, "plan.json:2" its second.
std::pair<std::string, int> split_rank(const std::string& input) {
  const auto colon = input.rfind(':');
  if (colon == std::string::npos || colon + 1 == input.size()) return {input, 1};
  const std::string digits = input.substr(colon + 1);
  if (digits.find_first_not_of("0123456789") != std::string::npos || digits.size() > 6) {
    return {input, 1};
  }
  return {input.substr(0, colon), std::stoi(digits)};
}

// Plans and profiles are JSON; who hands in YAML most likely means workloads.
Expected<Json> read_side(const std::string& path) {
  auto document = read_json_file(path);
  const bool named_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
  if (!document && named_yaml && file_exists(path)) {
    return fail_at({path, 0, 0}, "this is YAML, but plans and profiles are JSON",
                   "compare takes one workload that lists several models, or plan and profile "
                   "files (*.json); tensorpath recommend --out makes a workload's plan");
  }
  return document;
}

Expected<std::vector<ComparisonSide>> sides_of_files(const CompareOptions& options,
                                                     const Catalog& catalog) {
  std::vector<ComparisonSide> sides;
  for (const std::string& input : options.inputs) {
    const auto [path, rank] = split_rank(input);
    const auto document = read_side(path);
    if (!document) return tl::unexpected(document.error());
    auto side = comparison_side(*document, rank, input, catalog);
    if (!side) return tl::unexpected(side.error());
    sides.push_back(std::move(*side));
  }
  return sides;
}

// The best plan of each model of the workload, searched for on its own.
Expected<std::vector<ComparisonSide>> sides_of_models(const CompareOptions& options,
                                                      Advice& advice) {
  const std::string path = options.inputs.empty() ? std::string() : options.inputs.front();
  const auto workload = workload_of(path, options.flags, advice.catalog);
  if (!workload) return tl::unexpected(workload.error());
  if (workload->models.size() < 2) {
    return fail(ExitCode::kUsage, "compare needs two models or more, the workload names one",
                "list them under models:, or give two plan or profile files");
  }
  Advisor advisor(advice.catalog, advice.calibration, &advice.profiles);
  AdviseOptions advise;
  advise.top = 1;
  advise.today = advice.today;
  advise.screen_only = true;
  std::vector<ComparisonSide> sides;
  for (const std::string& model : workload->models) {
    Workload one = *workload;
    one.models = {model};
    const auto recommendation = advisor.recommend(one, advise);
    if (!recommendation) return tl::unexpected(recommendation.error());
    if (recommendation->plans.empty()) {
      fmt::print(stderr, "tensorpath: no plan fits {}: left out\n", model);
      continue;
    }
    auto side = comparison_side(to_json(*recommendation), 1, model, advice.catalog);
    if (!side) return tl::unexpected(side.error());
    sides.push_back(std::move(*side));
  }
  if (sides.size() < 2) {
    return fail(ExitCode::kAnswerIsNo, "fewer than two models have a plan that fits",
                "tensorpath recommend says for each what would");
  }
  return sides;
}

// Paths make columns that no terminal holds: longer names become A, B, ... with a legend.
constexpr std::size_t kLongestTitle = 20;

std::string shorten_names(std::vector<ComparisonSide>& sides) {
  std::string legend;
  const bool fits = std::all_of(sides.begin(), sides.end(), [](const ComparisonSide& side) {
    return side.facts.name.size() <= kLongestTitle;
  });
  if (fits || sides.size() > 26) return legend;
  char letter = 'A';
  for (ComparisonSide& side : sides) {
    legend += fmt::format("{}: {}\n", letter, side.facts.name);
    side.facts.name = std::string(1, letter++);
  }
  return legend + "\n";
}

ExitCode run(const Session& session, const CompareOptions& options) {
  auto advice = load_advice(session, options.advice);
  if (!advice) return report(advice.error());
  auto sides = options.inputs.size() > 1 ? sides_of_files(options, advice->catalog)
                                         : sides_of_models(options, *advice);
  if (!sides) return report(sides.error());
  if (session.format == OutputFormat::kTable) print(shorten_names(*sides));
  const Comparison comparison = compare(std::move(*sides));
  switch (session.format) {
    case OutputFormat::kJson:
    case OutputFormat::kYaml:
      print_document(session, to_json(comparison));
      break;
    case OutputFormat::kTable:
      print(render_text(comparison, session.terminal_width()));
      break;
    default:
      print_table(session, comparison_table(comparison));
  }
  return ExitCode::kDone;
}

}  // namespace

void add_compare(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("compare", "Put models of one workload, plans or profiles side by side");
  auto options = std::make_shared<CompareOptions>();
  command
      ->add_option("input", options->inputs,
                   "One workload with several models, or plan and profile files; plan.json:2 is "
                   "the plan of rank 2")
      ->type_name("FILE");
  add_format_option(*command, session);
  add_advice_flags(*command, options->advice);
  add_workload_flags(*command, options->flags);
  command->callback([&session, options] {
    session.run = [&session, options] { return run(session, *options); };
  });
}

}  // namespace tensorpath::cli
