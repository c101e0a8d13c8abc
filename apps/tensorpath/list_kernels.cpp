// tensorpath list-kernels: what the registry holds, where it applies, and which one a call takes.
#include "command.h"
#include "kernel_query.h"
#include "kernels_here.h"

#include <algorithm>
#include <array>
#include <future>
#include <memory>

#include <fmt/format.h>

namespace tensorpath::cli {
namespace {

struct ListOptions {
  std::vector<std::string> registries;
  std::string op;
  std::string gpu;
  std::string dtype;
  std::string language;
  std::string level;
  bool stale = false;
  std::string sort = "id";
  std::string explain;
  std::string select;
};

struct Listed {
  const registry::Entry* entry = nullptr;
  std::vector<std::string> stale;
};

bool wants_document(const Session& session) {
  return session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml;
}

std::string day_of(const registry::Entry& entry) {
  return utc_text(entry.promoted_at).substr(0, 10);
}

// --- the list -----------------------------------------------------------------------------------

struct Filter {
  std::string_view option;
  std::string wanted;
  std::string_view (*value)(const registry::Entry&);
};

std::vector<Filter> filters_of(const ListOptions& options) {
  using registry::Entry;
  std::vector<Filter> filters = {
      {"--op", options.op, [](const Entry& e) -> std::string_view { return e.op; }},
      {"--gpu", options.gpu, [](const Entry& e) -> std::string_view { return e.gpu; }},
      {"--dtype", options.dtype, [](const Entry& e) -> std::string_view { return e.dtype; }},
      {"--language", options.language,
       [](const Entry& e) -> std::string_view { return e.language; }},
      {"--level", options.level, [](const Entry& e) { return name_of(e.evidence_level); }}};
  std::erase_if(filters, [](const Filter& filter) { return filter.wanted.empty(); });
  return filters;
}

// A filter that nothing passes may be mistyped.
void note_empty_filters(const std::vector<Filter>& filters,
                        const std::vector<registry::Entry>& entries) {
  for (const Filter& filter : filters) {
    std::vector<std::string> values;
    bool passed = false;
    for (const registry::Entry& entry : entries) {
      const std::string_view value = filter.value(entry);
      passed = passed || value == filter.wanted;
      if (std::find(values.begin(), values.end(), value) == values.end()) {
        values.emplace_back(value);
      }
    }
    if (passed) continue;
    std::sort(values.begin(), values.end());
    const std::string hint = suggestion(filter.wanted, values);
    std::fputs(fmt::format("no kernel has {} {}{}{}\n", filter.option, quote_input(filter.wanted),
                           hint.empty() ? "" : "; ", hint)
                   .c_str(),
               stderr);
  }
}

constexpr std::array<const char*, 7> kSortKeys = {"id",    "op",  "gpu",     "dtype",
                                                  "ratio", "sol", "promoted"};

// The list comes sorted by id, which decides between equals.
void sort_by(const std::string& key, std::vector<Listed>& list) {
  const auto by = [&](auto&& value) {
    std::stable_sort(list.begin(), list.end(), [&](const Listed& a, const Listed& b) {
      return value(*a.entry) < value(*b.entry);
    });
  };
  if (key == "op") by([](const auto& e) -> const std::string& { return e.op; });
  if (key == "gpu") by([](const auto& e) -> const std::string& { return e.gpu; });
  if (key == "dtype") by([](const auto& e) -> const std::string& { return e.dtype; });
  if (key == "ratio") by([](const auto& e) { return -e.performance.ratio; });
  if (key == "sol") by([](const auto& e) { return -e.performance.sol_score.value_or(-1e9); });
  if (key == "promoted")
    by([](const auto& e) { return -e.promoted_at.time_since_epoch().count(); });
}

Json document_of(const Listed& listed) {
  Json document = registry::to_json(*listed.entry);
  document["stale"] = listed.stale;
  document["path"] = listed.entry->directory;
  return document;
}

Table table_of(const std::vector<Listed>& list) {
  using Align = Column::Align;
  Table table({{"kernel", Align::kLeft, 9, true},
               {"cold ratio", Align::kRight, 8},
               {"against", Align::kLeft, 7},
               {"state", Align::kLeft, 6},
               {"level", Align::kLeft, 4},
               {"SOL", Align::kRight, 3},
               {"built for", Align::kLeft, 2},
               {"promoted", Align::kLeft, 1}});
  for (const Listed& listed : list) {
    const registry::Entry& entry = *listed.entry;
    const registry::Performance& p = entry.performance;
    table.add_row({entry.id, registry::ratio_text(p.ratio, p.lower, p.upper), p.baseline,
                   listed.stale.empty() ? "" : "stale", std::string(name_of(entry.evidence_level)),
                   p.sol_score ? fmt::format("{:.2f}", *p.sol_score) : "-", entry.architecture,
                   day_of(entry)});
  }
  return table;
}

void print_list(const Session& session, const std::vector<Listed>& list) {
  if (wants_document(session)) {
    Json kernels = Json::array();
    for (const Listed& listed : list) kernels.push_back(document_of(listed));
    print_document(session, {{"schema", "tensorpath.kernels/v1"}, {"kernels", std::move(kernels)}});
    return;
  }
  if (list.empty() && session.format == OutputFormat::kTable) {
    print("No kernels.\n");
    return;
  }
  print_table(session, table_of(list));
  if (session.format != OutputFormat::kTable) return;
  const auto old = std::count_if(list.begin(), list.end(),
                                 [](const Listed& listed) { return !listed.stale.empty(); });
  if (old > 0) {
    print("\n" + wrap_text("stale: the compiler, the driver, the device or the operator is not the "
                           "one of the measurement; no call gets it until it is replayed. "
                           "--explain tells which.",
                           session.terminal_width()));
    print("\n");
  }
}

ExitCode run_list(const Session& session, const ListOptions& options,
                  const std::vector<registry::Entry>& entries, MachineNow& machine) {
  const std::vector<Filter> filters = filters_of(options);
  std::vector<Listed> list;
  for (const registry::Entry& entry : entries) {
    const bool passes = std::all_of(filters.begin(), filters.end(), [&](const Filter& filter) {
      return filter.value(entry) == filter.wanted;
    });
    if (!passes) continue;
    std::vector<std::string> stale = machine.stale(entry);
    if (options.stale && stale.empty()) continue;
    list.push_back({&entry, std::move(stale)});
  }
  if (list.empty() && !session.quiet) note_empty_filters(filters, entries);
  sort_by(options.sort, list);
  print_list(session, list);
  return ExitCode::kDone;
}

// --- --explain ----------------------------------------------------------------------------------

std::vector<std::string> not_compared(const registry::Now& now) {
  std::vector<std::string> names;
  if (now.op_digest.empty()) names.emplace_back("operator");
  if (now.toolchain.compiler.empty()) names.emplace_back("compiler");
  if (now.toolchain.driver.empty()) names.emplace_back("driver");
  if (now.toolchain.device.empty()) names.emplace_back("device");
  return names;
}

std::vector<std::string> origin_of(const registry::Entry& entry) {
  const registry::Toolchain& t = entry.toolchain;
  std::vector<std::string> lines = {t.compiler + (t.flags.empty() ? "" : " " + t.flags)};
  if (!t.driver.empty()) lines.push_back("driver " + t.driver);
  if (!t.device.empty()) lines.push_back("on " + t.device);
  lines.push_back(fmt::format("run {}, attempt {}, promoted {}", entry.run_id, entry.attempt,
                              utc_text(entry.promoted_at)));
  lines.push_back("packet " + path_join(entry.directory, entry.packet));
  return lines;
}

ExitCode run_explain(const Session& session, const registry::Entry& entry, MachineNow& machine) {
  const registry::Now now = machine.now_for(entry);
  const std::vector<std::string> stale = registry::stale(entry, now);
  const registry::Explanation told = registry::explain(entry);
  if (wants_document(session)) {
    print_document(session, {{"id", entry.id},
                             {"applies", told.applies},
                             {"falls_back", told.falls_back},
                             {"measured", told.measured},
                             {"stale", stale},
                             {"not_compared", not_compared(now)},
                             {"entry", document_of({&entry, stale})}});
    return ExitCode::kDone;
  }
  const int width = session.terminal_width();
  print(entry.id + "\n");
  const auto list = [&](std::string_view title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    print(fmt::format("\n{}\n", title));
    for (const std::string& line : lines) {
      std::string folded = wrap_text(line, width, 4);
      folded[2] = '-';
      print(folded + (folded.ends_with('\n') ? "" : "\n"));
    }
  };
  list("Applies to", told.applies);
  list("Falls back", told.falls_back);
  list("Measured", told.measured);
  list("Proved with", origin_of(entry));
  list("Stale", stale);
  list("Not known here, so not compared", not_compared(now));
  return ExitCode::kDone;
}

// --- --select -----------------------------------------------------------------------------------

Json query_json(const registry::Query& query) {
  Json shape = Json::object();
  for (const auto& [name, size] : query.shape) shape[name] = size;
  Json attributes = Json::object();
  for (const auto& [name, value] : query.attributes) attributes[name] = value;
  return {{"op", query.op},
          {"shape", std::move(shape)},
          {"dtype", query.dtype},
          {"gpu", query.gpu},
          {"layout", query.layout},
          {"architecture", query.architecture},
          {"attributes", std::move(attributes)}};
}

std::string result_text(const registry::Entry& entry, const registry::Query& query) {
  const registry::CaseResult* here = registry::result_at(entry, query.shape);
  if (here == nullptr) {
    return registry::measured_text(entry) + ", over its own cases: this shape is none of them";
  }
  return fmt::format("{} against {}, {}, on {}, at this shape",
                     registry::ratio_text(here->ratio, here->lower, here->upper), here->baseline,
                     entry.performance.timing, entry.gpu);
}

void print_selection(const Session& session, const registry::Query& query,
                     const registry::Selection& selection) {
  const registry::Entry* winner = selection.winner;
  if (wants_document(session)) {
    Json losers = Json::array();
    for (const registry::Loser& loser : selection.losers) {
      losers.push_back({{"id", loser.entry->id}, {"reason", loser.reason}});
    }
    print_document(session,
                   {{"query", query_json(query)},
                    {"winner", winner ? Json(winner->id) : Json(nullptr)},
                    {"measured", winner ? Json(result_text(*winner, query)) : Json(nullptr)},
                    {"losers", std::move(losers)}});
    return;
  }
  if (session.format != OutputFormat::kTable) {
    Table table({{"kernel"}, {"selected"}, {"why"}});
    if (winner) table.add_row({winner->id, "yes", result_text(*winner, query)});
    for (const registry::Loser& loser : selection.losers) {
      table.add_row({loser.entry->id, "no", loser.reason});
    }
    print_table(session, table);
    return;
  }
  const int width = session.terminal_width();
  const auto line = [&](const std::string& text, int indent) {
    const std::string folded = wrap_text(text, width, indent);
    print(folded + (folded.ends_with('\n') ? "" : "\n"));
  };
  if (winner) {
    print(winner->id + "\n");
    line(result_text(*winner, query), 2);
  } else {
    print("No kernel applies: the call falls back.\n");
  }
  if (!selection.losers.empty()) print("\nNot selected:\n");
  for (const registry::Loser& loser : selection.losers) {
    print("  " + loser.entry->id + "\n");
    line(loser.reason, 4);
  }
}

ExitCode run_select(const Session& session, const std::string& text,
                    const std::vector<registry::Entry>& entries, const Operators& operators,
                    MachineNow& machine) {
  const auto query = parse_kernel_query(session, text, operators);
  if (!query) return report(query.error());
  const auto selection =
      registry::select(entries, *query, [&](const auto& entry) { return machine.stale(entry); });
  print_selection(session, *query, selection);
  return selection.winner ? ExitCode::kDone : ExitCode::kAnswerIsNo;
}

ExitCode run(const Session& session, const ListOptions& options) {
  // The two longest parts, beside each other.
  auto reading = std::async(std::launch::async, [&] { return load_operators(session); });
  // A table tells of no single case.
  const bool cases = wants_document(session) || !options.explain.empty() || !options.select.empty();
  const auto loaded = load_registry(session, options.registries, cases);
  const auto operators = reading.get();
  if (!loaded) return report(loaded.error());
  // Only a selection needs them; without, nothing is held against their digests.
  if (!operators && !options.select.empty()) return report(operators.error());
  MachineNow machine(operators ? &*operators : nullptr);
  if (!options.select.empty()) {
    return run_select(session, options.select, loaded->entries, *operators, machine);
  }
  if (options.explain.empty()) return run_list(session, options, loaded->entries, machine);
  const auto entry = registry::find(loaded->entries, options.explain);
  if (!entry) return report(entry.error());
  return run_explain(session, **entry, machine);
}

}  // namespace

void add_list_kernels(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("list-kernels", "List promoted kernels, and say which one a call takes");
  auto options = std::make_shared<ListOptions>();
  const auto filter = [&](const char* name, std::string& value, const char* text,
                          const char* type) {
    return command->add_option(name, value, text)->type_name(type);
  };
  filter("--op", options->op, "Only kernels of this operator", "OP");
  filter("--gpu", options->gpu, "Only kernels for this GPU, or for host", "GPU");
  filter("--dtype", options->dtype, "Only kernels of this type", "TYPE");
  filter("--language", options->language, "Only kernels written in this language", "LANGUAGE");
  filter("--level", options->level, "Only with evidence of this level", "")
      ->check(CLI::IsMember(registry::evidence_level_names()));
  command->add_flag("--stale", options->stale, "Only those that must be replayed");
  command->add_option("--sort", options->sort, "Order; default: id")
      ->type_name("")
      ->check(CLI::IsMember(std::vector<std::string>(kSortKeys.begin(), kSortKeys.end())));
  CLI::Option* explain = command
                             ->add_option("--explain", options->explain,
                                          "Where one kernel applies, and what was measured")
                             ->type_name("ID");
  command
      ->add_option("--select", options->select,
                   "Which kernel a call takes: op=rmsnorm,shape=16x4096,dtype=fp32,gpu=host")
      ->type_name("CALL")
      ->excludes(explain);
  add_registry_option(*command, options->registries);
  add_format_option(*command, session);
  command->callback([&session, options] {
    session.run = [&session, options] { return run(session, *options); };
  });
}

}  // namespace tensorpath::cli
