#include "advice.h"

#include <cstdlib>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace tensorpath::cli {

void add_workload_flags(CLI::App& command, WorkloadFlags& flags) {
  const char* group = "Workload, instead of a file";
  command.add_option("--model", flags.models, "Model to serve; repeatable for alternatives")
      ->allow_extra_args(false)
      ->type_name("MODEL")
      ->group(group);
  command.add_option("--type", flags.type, "chat, codegen, summarization, batch, ...")
      ->type_name("TYPE")
      ->group(group);
  const auto number = [&](const char* name, std::optional<double>& value, const char* what) {
    command.add_option(name, value, what)->type_name("N")->group(group);
  };
  number("--isl-tokens", flags.isl_tokens, "Prompt length");
  number("--osl-tokens", flags.osl_tokens, "Output length");
  number("--max-context-tokens", flags.max_context_tokens, "Longest request that must fit");
  number("--rate-rps", flags.rate_rps, "Requests per second, Poisson");
  number("--concurrency", flags.concurrency, "Requests in flight, closed loop");
  number("--ttft-p95-ms", flags.ttft_p95_ms, "SLO: 95% see the first token within this");
  number("--tpot-p95-ms", flags.tpot_p95_ms, "SLO: 95% see later tokens this far apart or less");
  number("--e2e-p95-ms", flags.e2e_p95_ms, "SLO: 95% are answered within this");
  number("--max-usd-per-month", flags.max_usd_per_month, "Budget");
  number("--quality-floor", flags.quality_floor, "Least share of the 16-bit quality, 0 to 1");
  command.add_option("--max-gpus", flags.max_gpus, "Most GPUs of the deployment")
      ->type_name("N")
      ->group(group);
  command.add_option("--allow-gpu", flags.allow_gpus, "Only these GPU types; repeatable")
      ->allow_extra_args(false)
      ->type_name("GPU")
      ->group(group);
}

Json to_json(const WorkloadFlags& flags) {
  Json out;
  if (!flags.models.empty()) out["models"] = flags.models;
  if (!flags.type.empty()) out["type"] = flags.type;
  if (flags.isl_tokens) out["requests"]["isl_tokens"] = *flags.isl_tokens;
  if (flags.osl_tokens) out["requests"]["osl_tokens"] = *flags.osl_tokens;
  if (flags.max_context_tokens) out["requests"]["max_context_tokens"] = *flags.max_context_tokens;
  if (flags.concurrency) {
    out["arrivals"] = {{"kind", "closed"}, {"concurrency", *flags.concurrency}};
  }
  if (flags.rate_rps) out["arrivals"] = {{"kind", "poisson"}, {"rate_rps", *flags.rate_rps}};
  if (flags.ttft_p95_ms) out["slo"]["ttft_ms"]["p95"] = *flags.ttft_p95_ms;
  if (flags.tpot_p95_ms) out["slo"]["tpot_ms"]["p95"] = *flags.tpot_p95_ms;
  if (flags.e2e_p95_ms) out["slo"]["e2e_ms"]["p95"] = *flags.e2e_p95_ms;
  if (flags.max_usd_per_month) out["cost"]["max_usd_per_month"] = *flags.max_usd_per_month;
  if (flags.quality_floor) out["quality_floor"] = *flags.quality_floor;
  if (flags.max_gpus) out["hardware"]["max_gpus"] = *flags.max_gpus;
  if (!flags.allow_gpus.empty()) out["hardware"]["allow"] = flags.allow_gpus;
  return out;
}

void add_advice_flags(CLI::App& command, AdviceFlags& flags) {
  command.add_option("--prices", flags.prices, "More prices, before the shipped ones")
      ->type_name("FILE");
  command.add_option("--today", flags.today, "Judge the age of prices as of this date")
      ->type_name("YYYY-MM-DD");
}

Expected<std::string> today_of(const AdviceFlags& flags) {
  std::string today = flags.today;
  if (today.empty()) {
    const char* from_environment = std::getenv("TENSORPATH_TODAY");
    if (from_environment != nullptr) today = from_environment;
  }
  if (today.empty()) return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  if (!days_of_date(today)) {
    return fail(ExitCode::kUsage, fmt::format("--today: '{}' is not a date", today),
                "write it as 2026-08-21");
  }
  return today;
}

Expected<Advice> load_advice(const Session& session, const AdviceFlags& flags) {
  auto today = today_of(flags);
  if (!today) return tl::unexpected(today.error());
  auto catalog = session.load_catalog();
  if (!catalog) return tl::unexpected(catalog.error());
  if (!flags.prices.empty()) {
    if (const Status added = catalog->add_prices(flags.prices); !added) {
      return tl::unexpected(added.error());
    }
  }
  auto calibration = Calibration::load(session.search_path());
  if (!calibration) return tl::unexpected(calibration.error());
  auto profiles = ProfileStore::load(session.search_path());
  if (!profiles) return tl::unexpected(profiles.error());
  profiles->use_names_of(*catalog);
  return Advice{std::move(*catalog), std::move(*calibration), std::move(*profiles),
                std::move(*today)};
}

Expected<Workload> workload_of(const std::string& path, const WorkloadFlags& flags,
                               Catalog& catalog) {
  Expected<Workload> workload = tl::unexpected(Error{});
  const Json spelled_out = to_json(flags);
  if (path.empty()) {
    if (spelled_out.is_null()) {
      return fail(ExitCode::kUsage, "no workload: neither a file nor --model and --type was given",
                  "tensorpath recommend data/workloads/support-chat.yaml");
    }
    workload = parse_workload(to_yaml_text(spelled_out), "<flags>", catalog);
  } else if (!spelled_out.is_null()) {
    return fail(ExitCode::kUsage,
                fmt::format("workload flags beside the file '{}': which one holds?", path),
                "write the values into the file, or leave the file out");
  } else {
    workload = read_workload(path, catalog);
  }
  if (!workload) return workload;
  set_priority(*workload, flags.priority);
  return workload;
}

void set_priority(Workload& workload, const std::string& name) {
  if (name == "latency") workload.priority = Priority::kLatency;
  if (name == "throughput") workload.priority = Priority::kThroughput;
  if (name == "cost") workload.priority = Priority::kCost;
  if (name == "balanced") workload.priority = Priority::kBalanced;
}

}  // namespace tensorpath::cli
