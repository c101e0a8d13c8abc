// tensorpath estimate: one plan point, all its numbers and where the time of a step goes.
#include "advice.h"

#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace tensorpath::cli {
namespace {

struct EstimateOptions {
  std::string workload;
  std::string plan;
  int rank = 1;
  WorkloadFlags flags;
  AdviceFlags advice;
  std::string gpu, engine, weight_format, kv_format = "bf16";
  int tp = 1, pp = 1, ep = 1, attn_dp = 1;
  int max_batch = 0, max_batched_tokens = 0;
  std::optional<int> replicas;
};

struct Point {
  Workload workload;
  PlannedPoint planned;
};

Expected<Layout> layout_of(const EstimateOptions& options, Catalog& catalog,
                           const std::string& model_name) {
  Layout layout;
  const auto model = catalog.model(model_name);
  if (!model) return tl::unexpected(model.error());
  layout.model = *model;
  if (options.gpu.empty() || options.engine.empty()) {
    return fail(ExitCode::kUsage, "estimate needs --gpu and --engine, or --plan FILE",
                "tensorpath estimate --model llama-3.1-8b --type chat --rate-rps 4 --gpu l40s "
                "--engine vllm");
  }
  const auto gpu = catalog.gpu(options.gpu);
  if (!gpu) return tl::unexpected(gpu.error());
  layout.gpu = *gpu;
  const auto engine = catalog.engine(options.engine);
  if (!engine) return tl::unexpected(engine.error());
  layout.engine = *engine;
  const auto format = catalog.format(options.weight_format.empty() ? (*model)->native_format
                                                                   : options.weight_format);
  if (!format) return tl::unexpected(format.error());
  layout.weight = *format;
  layout.kv = catalog.find_kv_format(options.kv_format);
  if (layout.kv == nullptr) {
    std::vector<std::string> names;
    for (const KvFormat& kv : catalog.kv_formats()) names.push_back(kv.name);
    return fail(ExitCode::kUsage, fmt::format("unknown KV format '{}'", options.kv_format),
                suggestion(options.kv_format, names));
  }
  layout.tp = options.tp;
  layout.pp = options.pp;
  layout.ep = options.ep;
  layout.attn_dp = options.attn_dp;
  return layout;
}

Expected<Point> point_of(const EstimateOptions& options, Catalog& catalog) {
  if (options.plan.empty()) {
    auto workload = workload_of(options.workload, options.flags, catalog);
    if (!workload) return tl::unexpected(workload.error());
    auto layout = layout_of(options, catalog, workload->models.front());
    if (!layout) return tl::unexpected(layout.error());
    Candidate candidate = candidate_with_defaults(*layout);
    if (options.max_batch > 0) candidate.max_batch = options.max_batch;
    if (options.max_batched_tokens > 0) candidate.max_batched_tokens = options.max_batched_tokens;
    return Point{std::move(*workload), {candidate, options.replicas.value_or(1), 0}};
  }
  const auto document = read_json_file(options.plan);
  if (!document) return tl::unexpected(document.error());
  auto planned = point_from_json(*document, options.rank, catalog);
  if (!planned) {
    for (Diagnostic& d : planned.error().diagnostics) {
      if (d.where.file.empty()) d.where.file = options.plan;
    }
    return tl::unexpected(planned.error());
  }
  if (options.replicas) planned->replicas = *options.replicas;
  const bool own = options.workload.empty() && document->contains("workload");
  auto workload = own ? parse_workload(to_yaml_text(document->at("workload")),
                                       options.plan + " (workload)", catalog)
                      : workload_of(options.workload, options.flags, catalog);
  if (!workload) return tl::unexpected(workload.error());
  return Point{std::move(*workload), *planned};
}

Json breakdown_json(const std::vector<OperatorShare>& operators) {
  Json out = Json::array();
  for (const OperatorShare& op : operators) {
    out.push_back({{"name", op.name},
                   {"calls", json_number(op.calls)},
                   {"prefill_ms", json_number(op.prefill_ms)},
                   {"decode_ms", json_number(op.decode_ms)},
                   {"share", json_number(op.share, 4)},
                   {"bound_by", op.bound_by}});
  }
  return out;
}

Table breakdown_table(const std::vector<OperatorShare>& operators) {
  using Align = Column::Align;
  Table table({{"operator", Align::kLeft, 9},
               {"calls", Align::kRight, 2},
               {"prefill ms", Align::kRight, 4},
               {"decode ms", Align::kRight, 4},
               {"share", Align::kRight, 8},
               {"bound by", Align::kLeft, 7}});
  for (const OperatorShare& op : operators) {
    table.add_row({op.name, human_number(op.calls), human_number(op.prefill_ms),
                   human_number(op.decode_ms), fmt::format("{:.1f}%", 100 * op.share),
                   op.bound_by});
  }
  return table;
}

std::string stat_row(const char* name, const LatencyStat& stat, double lo, double hi) {
  if (!std::isfinite(stat.mean)) return fmt::format("{:<8} grows without end\n", name);
  const std::string band = lo == hi ? std::string()
                                    : fmt::format("  band [{}, {}]", human_number(stat.mean * lo),
                                                  human_number(stat.mean * hi));
  return fmt::format("{:<8} mean {:>7} ms{}  p50 {}  p95 {}\n", name, human_number(stat.mean), band,
                     human_number(stat.p50), human_number(stat.p95));
}

void print_plan(const Plan& plan, const Workload& workload) {
  const Accuracy& a = plan.accuracy;
  const Prediction& at = plan.at_load;
  print(short_name(plan) + "\n\n");
  print(stat_row("TTFT", at.ttft_ms, a.ttft_lo, a.ttft_hi));
  if (workload.osl_tokens.mean() > 1) print(stat_row("TPOT", at.tpot_ms, a.tpot_lo, a.tpot_hi));
  print(stat_row("E2E", at.e2e_ms, std::min(a.ttft_lo, a.tpot_lo), std::max(a.ttft_hi, a.tpot_hi)));
  print(fmt::format("class    {}{}\n         {}\n", to_string(a.provenance),
                    a.level > 0 ? fmt::format(", {:.0f}% band of the mean", 100 * a.level) : "",
                    a.basis));
  print(fmt::format("load     {} requests/s, {} in flight, engine busy {:.0f}% of the time{}\n",
                    human_number(plan.offered_rps), human_number(plan.offered_concurrency),
                    100 * at.busy_share, at.saturated ? ", SATURATED" : ""));
  print(fmt::format("output   {} tok/s, {} per GPU, {} per user\n", human_number(plan.output_tok_s),
                    human_number(plan.output_tok_s / std::max(1, plan.gpu_count)),
                    human_number(plan.tok_s_user)));
  print(fmt::format(
      "memory   weights {}, reserve {}, KV cache {} a GPU\n         {} KV tokens a replica\n",
      human_bytes(plan.memory.weight_bytes), human_bytes(plan.memory.reserve_bytes),
      human_bytes(plan.memory.kv_bytes), human_number(plan.memory.kv_capacity_tokens)));
  print(fmt::format("cost     {} an hour, {} a month, {} per Mtok output\n         price: {}\n",
                    human_usd(plan.cost.usd_per_hour), human_usd(plan.cost.usd_per_month),
                    human_usd(plan.cost.usd_per_mtok_output), plan.cost.price_source));
  print(fmt::format("bound by {}; without it a step could be {:.2f}x as fast\n\n", plan.bottleneck,
                    plan.amdahl_bound));
}

ExitCode run(const Session& session, const EstimateOptions& options) {
  auto advice = load_advice(session, options.advice);
  if (!advice) return report(advice.error());
  const auto point = point_of(options, advice->catalog);
  if (!point) return report(point.error());
  Advisor advisor(advice->catalog, advice->calibration, &advice->profiles);
  AdviseOptions advise;
  advise.today = advice->today;
  const auto plan = advisor.estimate(point->workload, point->planned, advise);
  if (!plan) return report(plan.error());
  const auto operators = operator_breakdown(*plan, point->workload, advice->calibration);
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json out = to_json(*plan, 1, point->workload);
    out["breakdown"] = breakdown_json(operators);
    print_document(session, out);
    return ExitCode::kDone;
  }
  if (session.format == OutputFormat::kTable) print_plan(*plan, point->workload);
  print_table(session, breakdown_table(operators));
  return ExitCode::kDone;
}

void add_point_options(CLI::App& command, EstimateOptions& options) {
  const char* group = "Plan point";
  const auto word = [&](const char* name, std::string& value, const char* what, const char* type) {
    command.add_option(name, value, what)->type_name(type)->group(group);
  };
  word("--gpu", options.gpu, "GPU type", "GPU");
  word("--engine", options.engine, "Serving engine", "ENGINE");
  word("--weight-format", options.weight_format, "Default: as published", "FORMAT");
  word("--kv-format", options.kv_format, "bf16, fp8 or int8; default: bf16", "FORMAT");
  const auto count = [&](const char* name, int& value, const char* what) {
    command.add_option(name, value, what)
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N")
        ->group(group);
  };
  count("--tp", options.tp, "Tensor parallelism of attention");
  count("--pp", options.pp, "Pipeline stages");
  count("--ep", options.ep, "Expert parallelism");
  count("--attn-dp", options.attn_dp, "Attention data parallelism");
  count("--max-batch", options.max_batch, "Most requests in a step; default: the engine's");
  count("--max-batched-tokens", options.max_batched_tokens, "Most tokens; default: the engine's");
  command
      .add_option("--replicas", options.replicas,
                  "Replicas; 0 sizes for the SLO; default: 1, or the plan's")
      ->check(CLI::Range(0, 100'000))
      ->type_name("N")
      ->group(group);
  word("--plan", options.plan, "Take the point from a plan file instead", "PLAN.json");
  count("--rank", options.rank, "Which plan of the file; default: 1");
}

}  // namespace

void add_estimate(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand(
      "estimate", "All numbers of one plan point, and where the time of a step goes");
  auto options = std::make_shared<EstimateOptions>();
  command->add_option("workload", options->workload, "Workload file; - reads standard input")
      ->type_name("WORKLOAD.yaml");
  add_point_options(*command, *options);
  add_format_option(*command, session);
  add_advice_flags(*command, options->advice);
  add_workload_flags(*command, options->flags);
  command->callback([&session, options] {
    session.run = [&session, options] { return run(session, *options); };
  });
}

}  // namespace tensorpath::cli
