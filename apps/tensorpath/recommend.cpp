// tensorpath recommend: workloads in; ranked, explained, priced plans and their files out.
#include "advice.h"
#include "kernels_here.h"
#include "packet_evidence.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include <tensorpath/deploy.h>
#include <tensorpath/version.h>

namespace tensorpath::cli {
namespace {

// Below this many workloads a second thread costs more in loading than it saves.
constexpr std::size_t kWorkloadsPerThread = 16;
// A small machine's cores; more would only help batches that take under a second each way.
constexpr std::size_t kMostThreads = 8;

// And the operators, which say what part of a step a kernel serves.
struct PromotedKernels {
  std::vector<registry::Entry> entries;
  Operators operators;  // none where there are no entries
};

struct RecommendOptions {
  std::vector<std::string> workloads;
  WorkloadFlags flags;
  AdviceFlags advice;
  AdviseOptions advise;
  std::string explain = "engineer";
  std::string out;
  std::vector<std::string> registries;
  std::string packet;
  std::string sign;
};

// What every packet of a call shares.
struct PacketMeans {
  std::optional<SigningKey> key;
  std::string data_digest;
  std::string prices;  // the text of --prices
  PacketIdentity identity;
};

struct Answer {
  bool ready = false;
  std::string text;  // as printed
  std::optional<Error> error;
  bool fits = false;
};

Detail detail_of(const std::string& word) {
  if (word == "brief") return Detail::kBrief;
  return word == "executive" ? Detail::kExecutive : Detail::kEngineer;
}

Expected<AdviseOptions> resolve(const RecommendOptions& options, const Advice& advice) {
  AdviseOptions out = options.advise;
  out.today = advice.today;
  for (std::string& name : out.prefer_gpus) {
    const auto gpu = advice.catalog.gpu(name);
    if (!gpu) return tl::unexpected(gpu.error());
    name = (*gpu)->name;
  }
  for (std::string& name : out.prefer_engines) {
    const auto engine = advice.catalog.engine(name);
    if (!engine) return tl::unexpected(engine.error());
    name = (*engine)->name;
  }
  return out;
}

std::string table_of_plans(const Recommendation& r, OutputFormat format) {
  if (format == OutputFormat::kMarkdown) return render_markdown(r, Detail::kEngineer);
  return plans_csv(r);
}

std::string render(const Session& session, const RecommendOptions& options,
                   const Recommendation& r) {
  switch (session.format) {
    case OutputFormat::kJson:
      return options.workloads.size() > 1 ? to_line(to_json(r)) + "\n" : to_text(to_json(r));
    case OutputFormat::kYaml:
      return (options.workloads.size() > 1 ? "---\n" : "") + to_yaml_text(to_json(r));
    case OutputFormat::kMarkdown:
    case OutputFormat::kCsv:
      return table_of_plans(r, session.format);
    case OutputFormat::kTable:
      break;
  }
  return render_text(r, detail_of(options.explain), session.terminal_width());
}

Expected<std::optional<PacketMeans>> packet_means(const Session& session,
                                                  const RecommendOptions& options) {
  if (options.packet.empty()) return std::optional<PacketMeans>();
  if (std::find(options.workloads.begin(), options.workloads.end(), "-") !=
      options.workloads.end()) {
    return fail(ExitCode::kUsage, "a packet holds the workload's file, and - is none",
                "write the workload into a file");
  }
  PacketMeans means;
  auto key = signing_key(options.sign);
  if (!key) return tl::unexpected(key.error());
  means.key = std::move(*key);
  auto digest = data_digest(session);
  if (!digest) return tl::unexpected(digest.error());
  means.data_digest = std::move(*digest);
  if (!options.advice.prices.empty()) {
    auto prices = read_file(options.advice.prices);
    if (!prices) return tl::unexpected(prices.error());
    means.prices = std::move(*prices);
  }
  auto identity = packet_identity();
  if (!identity) return tl::unexpected(identity.error());
  means.identity = std::move(*identity);
  return std::optional<PacketMeans>(std::move(means));
}

// The workload is read once more: what was given is what the packet holds.
Status write_evidence(const RecommendOptions& options, const AdviseOptions& advise_options,
                      const PacketMeans& means, const Recommendation& r, std::size_t index) {
  RecommendationSources sources;
  sources.priority = options.flags.priority;
  sources.prices = means.prices;
  sources.options = advise_options;
  sources.data_digest = means.data_digest;
  const std::string& path = options.workloads[index];
  auto text =
      path.empty() ? Expected<std::string>(to_yaml_text(to_json(options.flags))) : read_file(path);
  if (!text) return tl::unexpected(text.error());
  sources.workload = std::move(*text);
  const auto packet = recommendation_packet(sources, to_json(r), means.identity);
  if (!packet) return tl::unexpected(packet.error());
  const std::string directory =
      options.workloads.size() > 1 ? path_join(options.packet, r.workload.name) : options.packet;
  return write_packet(directory, *packet, means.key ? &*means.key : nullptr);
}

// plan.json marks a directory as ours: only then are its deployment files replaced.
Status write_out(const Session& session, const RecommendOptions& options, const Recommendation& r,
                 const Catalog& catalog, const std::string& directory) {
  if (Status made = make_directories(directory); !made) return made;
  const std::string plan_path = path_join(directory, "plan.json");
  const bool ours = file_exists(plan_path);
  const Json document = to_json(r);
  if (!r.plans.empty()) {
    auto files = export_plan(document, 1, catalog, session.search_path());
    if (!files) return tl::unexpected(files.error());
    const std::string deploy = path_join(directory, "deploy");
    if (Status written = write_export(*files, deploy, ours); !written) return written;
    for (const ExportedFile& file : *files) {
      if (!session.quiet) {
        fmt::print(stderr, "wrote {}\n", path_join(deploy, file.path));
      }
    }
  }
  const std::vector<std::pair<std::string, std::string>> reports{
      {"plan.json", to_text(document)},
      {"report.md", render_markdown(r, detail_of(options.explain))},
      {"pareto.svg", pareto_svg(r.pareto, r.workload.name + ": Pareto front")}};
  for (const auto& [name, text] : reports) {
    const std::string path = path_join(directory, name);
    if (Status written = write_file_atomic(path, text); !written) return written;
    if (!session.quiet) fmt::print(stderr, "wrote {}\n", path);
  }
  return {};
}

// The directory that each workload of a batch writes to is its name: the first one in the order of
// the command line has it. A worker knows the name of its own workload only, so it states that and
// waits for those before it; they were all taken earlier and state theirs without waiting.
class BatchNames {
 public:
  explicit BatchNames(std::size_t count) : names_(count) {}

  // An empty name is one that could not be read.
  void state(std::size_t index, const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_[index] = name;
    changed_.notify_all();
  }
  // The first workload of that name, once all before `index` have stated theirs.
  std::size_t first_of_same_name(std::size_t index) {
    std::unique_lock lock(mutex_);
    const auto begin = names_.begin();
    const auto end = begin + static_cast<std::ptrdiff_t>(index);
    changed_.wait(lock, [&] {
      return std::all_of(begin, end, [](const auto& name) { return name.has_value(); });
    });
    return static_cast<std::size_t>(std::find(begin, end, names_[index]) - begin);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::optional<std::string>> names_;
};

Status claim_directory(const RecommendOptions& options, BatchNames& names, std::size_t index,
                       const std::string& name) {
  const std::size_t owner = names.first_of_same_name(index);
  if (owner == index) return {};
  return fail_at({options.workloads[index], 0, 0},
                 fmt::format("its name {} is also that of {}: both would be written to {}",
                             quote_input(name), options.workloads[owner],
                             path_join(options.out.empty() ? options.packet : options.out, name)),
                 "give one of them another 'name:'");
}

Answer answer_one(const Session& session, const RecommendOptions& options,
                  const AdviseOptions& advise_options, const PromotedKernels& kernels,
                  const std::optional<PacketMeans>& means, Advice& advice, Advisor& advisor,
                  BatchNames& names, std::size_t index) {
  Answer answer;
  answer.ready = true;
  const auto fail_with = [&](const Error& error) {
    answer.error = error;
    return answer;
  };
  const bool many = options.workloads.size() > 1;
  const auto workload = workload_of(options.workloads[index], options.flags, advice.catalog);
  names.state(index, workload ? workload->name : std::string());
  if (!workload) return fail_with(workload.error());
  if (many && !(options.out.empty() && options.packet.empty())) {
    const Status claimed = claim_directory(options, names, index, workload->name);
    if (!claimed) return fail_with(claimed.error());
  }
  auto recommendation = advisor.recommend(*workload, advise_options);
  if (!recommendation) return fail_with(recommendation.error());
  if (!recommendation->plans.empty()) {
    recommendation->kernels =
        kernel_opportunities(recommendation->plans.front(), recommendation->workload,
                             advice.calibration, kernels.entries, kernels.operators);
  }
  answer.fits = !recommendation->plans.empty();
  answer.text = render(session, options, *recommendation);
  if (!options.out.empty()) {
    const std::string directory =
        many ? path_join(options.out, recommendation->workload.name) : options.out;
    const Status written = write_out(session, options, *recommendation, advice.catalog, directory);
    if (!written) answer.error = written.error();
  }
  if (means && !answer.error) {
    const Status written = write_evidence(options, advise_options, *means, *recommendation, index);
    if (!written) answer.error = written.error();
  }
  return answer;
}

// Answers in the order of the workloads, whoever computed them; the printer waits for the next one.
class AnswerQueue {
 public:
  explicit AnswerQueue(std::size_t count) : answers_(count) {}

  std::optional<std::size_t> take() {
    const std::lock_guard lock(mutex_);
    if (next_ >= answers_.size()) return std::nullopt;
    return next_++;
  }
  void put(std::size_t index, Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_[index] = std::move(answer);
    changed_.notify_all();
  }
  Answer wait(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_[index].ready; });
    return std::move(answers_[index]);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Answer> answers_;
  std::size_t next_ = 0;
};

ExitCode print_answer(const Session& session, const Answer& answer, const std::string& path,
                      bool many) {
  print(answer.text);
  if (many && session.format == OutputFormat::kTable && !answer.text.empty()) print("\n");
  if (!answer.error) return answer.fits ? ExitCode::kDone : ExitCode::kAnswerIsNo;
  if (many && session.format == OutputFormat::kJson && answer.text.empty()) {
    print(to_line(Json{{"schema", "tensorpath.error/v1"},
                       {"source", path},
                       {"error", answer.error->to_string()}}) +
          "\n");
  }
  return report(*answer.error);
}

void work(const Session& session, const RecommendOptions& options,
          const AdviseOptions& advise_options, const PromotedKernels& kernels,
          const std::optional<PacketMeans>& means, Advice& advice, AnswerQueue& queue,
          BatchNames& names) {
  Advisor advisor(advice.catalog, advice.calibration, &advice.profiles);
  while (const auto index = queue.take()) {
    queue.put(*index, answer_one(session, options, advise_options, kernels, means, advice, advisor,
                                 names, *index));
  }
}

ExitCode run(const Session& session, RecommendOptions& options) {
  if (options.workloads.empty()) options.workloads.emplace_back();
  const std::size_t count = options.workloads.size();
  const std::size_t threads =
      std::min({kMostThreads, 1 + count / kWorkloadsPerThread,
                static_cast<std::size_t>(std::max(1U, std::thread::hardware_concurrency()))});
  std::vector<Advice> advices;
  for (std::size_t i = 0; i < threads; ++i) {
    auto advice = load_advice(session, options.advice);
    if (!advice) return report(advice.error());
    advices.push_back(std::move(*advice));
  }
  const auto advise_options = resolve(options, advices.front());
  if (!advise_options) return report(advise_options.error());
  const auto registry = load_registry(session, options.registries, false);
  if (!registry) return report(registry.error());
  PromotedKernels kernels{registry->entries, {}};
  if (!kernels.entries.empty()) {
    auto operators = load_operators(session);
    if (!operators) return report(operators.error());
    kernels.operators = std::move(*operators);
  }
  const auto means = packet_means(session, options);
  if (!means) return report(means.error());
  AnswerQueue queue(count);
  BatchNames names(count);
  std::vector<std::jthread> workers;
  for (Advice& advice : advices) {
    workers.emplace_back(
        [&] { work(session, options, *advise_options, kernels, *means, advice, queue, names); });
  }
  ExitCode code = ExitCode::kDone;
  for (std::size_t i = 0; i < count; ++i) {
    const ExitCode one = print_answer(session, queue.wait(i), options.workloads[i], count > 1);
    code = std::max(code, one);
  }
  return code;
}

}  // namespace

void add_recommend(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand(
      "recommend", "Rank ways to serve a workload, with price, p95 and prediction error");
  auto options = std::make_shared<RecommendOptions>();
  command->add_option("workload", options->workloads, "Workload files; - reads standard input")
      ->type_name("WORKLOAD.yaml");
  command->add_option("--top", options->advise.top, "How many plans to show; default: 5")
      ->check(CLI::Range(1, 1000))
      ->type_name("N");
  command->add_option("--priority", options->flags.priority, "Overrides the workload's priority")
      ->check(CLI::IsMember({"latency", "throughput", "cost", "balanced"}));
  command
      ->add_option("--prefer-gpu", options->advise.prefer_gpus,
                   "Decides between near equals only; repeatable")
      ->allow_extra_args(false)
      ->type_name("GPU");
  command
      ->add_option("--prefer-engine", options->advise.prefer_engines,
                   "Decides between near equals only; repeatable")
      ->allow_extra_args(false)
      ->type_name("ENGINE");
  command
      ->add_option("--why-not", options->advise.why_not,
                   "What became of GPU:ENGINE:FORMAT; repeatable")
      ->allow_extra_args(false)
      ->type_name("GPU:ENGINE:FORMAT");
  command->add_option("--explain", options->explain, "How much to say; default: engineer")
      ->check(CLI::IsMember({"brief", "engineer", "executive"}));
  command
      ->add_option("--out", options->out,
                   "Also write plan.json, report.md, pareto.svg and deploy/ there")
      ->type_name("DIR");
  command
      ->add_option("--packet", options->packet,
                   "Also write a packet there, which replay computes again")
      ->type_name("DIR");
  command->add_option("--sign", options->sign, "Sign it: a private Ed25519 key in PEM")
      ->type_name("KEY")
      ->needs("--packet");
  command->add_flag("--screen", options->advise.screen_only,
                    "Rank only: no flip points, no relaxations");
  add_registry_option(*command, options->registries);
  add_format_option(*command, session);
  add_advice_flags(*command, options->advice);
  add_workload_flags(*command, options->flags);
  command->callback([&session, options] {
    session.run = [&session, options] { return run(session, *options); };
  });
}

}  // namespace tensorpath::cli
