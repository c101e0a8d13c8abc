// tensorpath forge: create a run, verify a candidate.
#include "forge_options.h"

#include <cstdlib>
#include <memory>

#include <fmt/format.h>

namespace tensorpath::cli {
namespace {

std::string first_file(std::initializer_list<std::string> paths) {
  for (const std::string& path : paths) {
    if (file_exists(path)) return path;
  }
  return {};
}

// A GPU's name decides on the language and the architecture that were not given.
Status settle_device(const Session& session, ForgeOptions& options) {
  forge::CreateRequest& request = options.request;
  if (request.gpu == "host") {
    if (options.language != "cuda") return {};
    return fail(ExitCode::kUsage, "a CUDA kernel does not run on the host",
                "name the GPU: --gpu h200_sxm");
  }
  const auto catalog = session.load_catalog();
  if (!catalog) return tl::unexpected(catalog.error());
  const auto gpu = catalog->gpu(request.gpu);
  if (!gpu) return tl::unexpected(gpu.error());
  if ((*gpu)->vendor != "nvidia") {
    return fail(ExitCode::kUsage,
                fmt::format("there is no language for kernels of {} yet", (*gpu)->name),
                "'host' and the GPUs of NVIDIA have one");
  }
  if (options.language == "cpp") {
    return fail(ExitCode::kUsage,
                fmt::format("a C++ kernel runs on the host, not on {}", (*gpu)->name),
                "leave --gpu out, or say --language cuda");
  }
  request.language = "cuda";
  request.gpu = (*gpu)->name;
  if (request.architecture.empty()) request.architecture = (*gpu)->architecture;
  return {};
}

Expected<KernelTask> task_of(const Session& session, ForgeOptions& options,
                             const Operators& operators) {
  if (options.spec.empty()) {
    if (options.request.op.empty()) {
      return fail(ExitCode::kUsage, "forge create: neither --op nor --spec says what the task is",
                  "as in: tensorpath forge create --op rmsnorm --dtype fp16");
    }
    if (const Status settled = settle_device(session, options); !settled) {
      return tl::unexpected(settled.error());
    }
    return forge::make_task(options.request, operators);
  }
  const auto text = read_file(options.spec);
  if (!text) return tl::unexpected(text.error());
  return read_task(*text, options.spec == "-" ? "standard input" : options.spec, operators);
}

Json run_document(const forge::RunDirectory& run, const KernelTask& task) {
  Json dims = Json::object();
  for (const DimRange& dim : task.domain.dims) {
    dims[dim.name] = dim.fixed() ? Json(dim.least) : Json::array({dim.least, dim.most});
  }
  return {{"run_id", run.id()},
          {"path", run.path()},
          {"op", task.op->name},
          {"dtype", name_of(task.domain.dtype)},
          {"language", language_of(task.device)},
          {"architecture", task.architecture},
          {"shape", dims}};
}

ExitCode run_create(const Session& session, ForgeOptions& options) {
  if (options.cases > 0) options.request.cases = options.cases;
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto task = task_of(session, options, *operators);
  if (!task) return report(task.error());
  const auto run = forge::create_run(*task, forge::runs_root(options.runs), wall_now());
  if (!run) return report(run.error());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    print_document(session, run_document(*run, *task));
    return ExitCode::kDone;
  }
  print(run->id() + "\n");
  if (!session.quiet) {
    std::fputs(fmt::format("contract: {}\nput the candidate into {} and run\n"
                           "  tensorpath forge verify --run-id {}\n",
                           run->file("contract.md"), run->candidate_path(), run->id())
                   .c_str(),
               stderr);
  }
  return ExitCode::kDone;
}

// A compiler's words keep their lines; they point at columns.
std::string failure_of(const VerifyReport& report, int width) {
  if (report.failure == Failure::kNone) return {};
  std::string text;
  const auto add = [&](const std::string& words, int indent) {
    text += wrap_text(words, width, indent) + "\n";
  };
  add(fmt::format("{}: {}", name_of(report.failure), explain(report.failure)), 0);
  if (report.detail.find('\n') != std::string::npos) {
    text += report.detail + "\n";
  } else {
    add(report.detail, 2);
  }
  if (!report.suspected_cause.empty()) add(report.suspected_cause, 2);
  for (const CounterExample& example : report.counter_examples) {
    add(fmt::format("public case {}: {}[{}] is {:.9g}, expected {:.9g} within {:.3g}",
                    example.case_text, example.output, example.index, example.got, example.expected,
                    example.allowed),
        2);
  }
  return text;
}

std::string summary_of(const VerifyReport& report) {
  std::string text;
  for (const GateReport& gate : report.gates) {
    if (gate.status != GateReport::Status::kNotRun || gate.detail.empty()) continue;
    text += fmt::format("{} was not run: {}\n", name_of(gate.gate), gate.detail);
  }
  if (report.cases > 0) {
    text += fmt::format(
        "{} of {} hidden cases compared, {} elements; largest error {:.2f} of what is allowed, "
        "{:.3g} ulp{}\n",
        report.cases, report.case_count, human_number(static_cast<double>(report.elements)),
        report.worst, report.worst_ulp,
        report.deterministic ? "" : "; equal inputs gave different bytes");
  }
  for (const KernelResources& kernel : report.resources) text += kernel.to_text() + "\n";
  if (report.emitted.known()) text += report.emitted.to_text() + "\n";
  if (!report.emitted.absent.empty()) {
    text += fmt::format("{}: {}\n", kExpectedCodeAbsent, fmt::join(report.emitted.absent, ", "));
  }
  if (!report.commitment.empty()) text += fmt::format("commitment {}\n", report.commitment);
  return text + fmt::format("sandbox: {} ({})\n", to_string(report.sandbox), report.sandbox_reason);
}

ExitCode run_verify(const Session& session, const ForgeOptions& options) {
  const auto operators = operators_of(session, options);
  if (!operators) return report(operators.error());
  const auto run = forge::RunDirectory::open(forge::runs_root(options.runs), options.run_id);
  if (!run) return report(run.error());
  VerifyOptions verify;
  auto worker = require_worker();
  if (!worker) return report(worker.error());
  verify.worker = std::move(*worker);
  verify.sandbox = sandbox_mode(options);
  verify.sanitizers = !options.no_sanitizers;
  verify.threads = options.threads;
  if (!session.quiet) {
    verify.on_gate = [](const GateReport& gate) -> Status {
      const char* outcome = gate.status == GateReport::Status::kPassed   ? ""
                            : gate.status == GateReport::Status::kFailed ? " FAILED"
                                                                         : " not run";
      std::fputs(fmt::format("{}{} {:.2f} s\n", name_of(gate.gate), outcome, gate.seconds).c_str(),
                 stderr);
      return {};
    };
  }
  const auto attempt = forge::verify_run(*run, *operators, options.candidate, verify);
  if (!attempt) return report(attempt.error());
  if (session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml) {
    Json document = {
        {"run_id", run->id()}, {"attempt", attempt->attempt}, {"state", attempt->state}};
    document.update(attempt->report.to_json());
    print_document(session, document);
  } else {
    print_table(session, attempt->report.to_table());
    print("\n" + attempt->state + "\n");
    print(failure_of(attempt->report, session.terminal_width()));
    print(wrap_text(summary_of(attempt->report), session.terminal_width()));
  }
  return attempt->report.passed ? ExitCode::kDone : ExitCode::kAnswerIsNo;
}

void add_task_options(CLI::App& create, ForgeOptions& options) {
  forge::CreateRequest& request = options.request;
  CLI::Option* spec = create.add_option("--spec", options.spec, "A task file (- for stdin)")
                          ->type_name("TASK.yaml");
  const auto add = [&](const char* name, std::string& value, const char* text, const char* type) {
    return create.add_option(name, value, text)->type_name(type)->excludes(spec);
  };
  add("--op", request.op, "The operator", "OP");
  add("--language", options.language, "What candidates are written in; default: by the GPU", "")
      ->check(CLI::IsMember({"cpp", "cuda"}));
  add("--gpu", request.gpu, "Where it runs: host (the default), or a GPU", "NAME");
  add("--arch", request.architecture, "x86-64-v3, sm_90; default: the machine's or the GPU's",
      "ARCH");
  add("--dtype", request.dtype, "The type T of the operator", "TYPE");
  add("--shape", request.shape, "rows=16,hidden=4096; rows=1..64 is a range", "DIMS");
  add("--attribute", request.attributes, "eps=1e-6", "NAME=VALUE");
  add("--shapes", request.captures, "Shapes of a real run, with counts", "FILE.json");
  add("--objective", request.objective, "What is to be made small or large", "")
      ->check(CLI::IsMember({"latency", "throughput"}));
  create.add_option("--cases", options.cases, "Hidden cases of an attempt, at least")
      ->check(CLI::Range(1, 10'000))
      ->excludes(spec);
}

void add_create(CLI::App& group, Session& session, const std::shared_ptr<ForgeOptions>& options) {
  CLI::App* create = group.add_subcommand("create", "Start a run: a task, its contract, a ledger");
  add_task_options(*create, *options);
  add_shared_options(*create, session, *options);
  create->callback([&session, options] {
    session.run = [&session, options] { return run_create(session, *options); };
  });
}

}  // namespace

std::vector<std::string> kernel_directories(const Session& session, std::string_view name) {
  std::vector<std::string> directories;
  for (const std::string& data : session.search_path()) {
    directories.push_back(path_join(path_join(data, "kernels"), name));
    // A source tree has its kernels beside its data.
    directories.push_back(path_join(path_join(data, "../kernels"), name));
  }
  return directories;
}

SandboxMode sandbox_mode(const ForgeOptions& options) {
  return options.sandbox == "strict" ? SandboxMode::kStrict : SandboxMode::kBestEffort;
}

Expected<Operators> operators_of(const Session& session, const ForgeOptions& options) {
  auto operators = load_operators(session);
  if (!operators) return operators;
  OperatorDirectoryOptions directory;
  directory.sandbox = sandbox_mode(options);
  if (!session.quiet) {
    directory.on_build = [](const std::string& op) {
      std::fputs(fmt::format("compiling and checking the operator {}\n", op).c_str(), stderr);
    };
  }
  if (const Status added = add_operators(*operators, options.ops, directory); !added) {
    return tl::unexpected(added.error());
  }
  return operators;
}

void add_sandbox_options(CLI::App& command, ForgeOptions& options) {
  command
      .add_option("--ops", options.ops, "Operators of your own: NAME.yaml, NAME.cpp; repeatable")
      ->type_name("DIR")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--sandbox", options.sandbox, "strict needs namespaces; default: strict")
      ->check(CLI::IsMember({"strict", "best-effort"}));
}

void add_shared_options(CLI::App& command, Session& session, ForgeOptions& options) {
  add_sandbox_options(command, options);
  command.add_option("--runs", options.runs, "Where runs are kept")->type_name("DIR");
  add_format_option(command, session);
}

void add_run_option(CLI::App& command, ForgeOptions& options) {
  command.add_option("--run-id", options.run_id, "The run, or the beginning of its id")
      ->type_name("ID")
      ->required();
}

Expected<std::string> require_worker() {
  std::string worker = worker_path();
  if (worker.empty()) {
    return fail(ExitCode::kEnvironment, "tensorpath-worker is not installed",
                "it belongs beside tensorpath, or into libexec/tensorpath");
  }
  return worker;
}

Expected<Operators> load_operators(const Session& session) {
  auto operators = Operators::load(kernel_directories(session, "ops"));
  if (operators && operators->all().empty()) {
    return fail(ExitCode::kEnvironment, "no operators were found",
                "an installation has them in share/tensorpath/kernels/ops");
  }
  return operators;
}

std::string worker_path() {
  return first_file({installed_path("bin/tensorpath-worker"),
                     installed_path("libexec/tensorpath/tensorpath-worker")});
}

void add_forge(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("forge", "Get a kernel written, and prove it");
  group->require_subcommand(1);
  auto options = std::make_shared<ForgeOptions>();
  add_create(*group, session, options);

  CLI::App* verify = group->add_subcommand("verify", "Put a candidate through every gate");
  add_run_option(*verify, *options);
  verify->add_option("--candidate", options->candidate, "Default: the run's candidate directory")
      ->type_name("DIR");
  verify->add_option("--threads", options->threads, "Of the pool; default: the cores, at most 4")
      ->check(CLI::Range(1, 64));
  verify->add_flag("--no-sanitizers", options->no_sanitizers,
                   "Leave that gate out; such a verdict promotes nothing");
  add_shared_options(*verify, session, *options);
  verify->callback([&session, options] {
    session.run = [&session, options] { return run_verify(session, *options); };
  });
  add_forge_bench(*group, session, options);
  add_forge_promote(*group, session, options);
  add_forge_packet(*group, session, options);
  add_forge_export(*group, session, options);
  add_forge_profile(*group, session, options);
  add_forge_summary(*group, session, options);
}

}  // namespace tensorpath::cli
