// tensorpath profile: lists the benchmark profiles there are, and shows them whole.
#include "command.h"
#include "packet_evidence.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/profile.h>
#include <tensorpath/profile/profile_packet.h>

namespace tensorpath::cli {
namespace {

struct ProfileOptions {
  std::string model, gpu, engine;
  std::vector<std::string> names;
  std::string out, sign;  // packet
};

constexpr std::string_view kUnknown = "-";

std::string shown(const std::optional<std::string>& text) {
  return text ? *text : std::string(kUnknown);
}
std::string shown(const std::optional<int>& value) {
  return value ? fmt::format("{}", *value) : std::string(kUnknown);
}
std::string shown(const std::optional<std::int64_t>& value) {
  return value ? fmt::format("{}", *value) : std::string(kUnknown);
}
std::string shown(const std::optional<bool>& value) {
  return value ? (*value ? "yes" : "no") : std::string(kUnknown);
}
std::string shown(const std::optional<double>& value) {
  return value ? human_number(*value) : std::string(kUnknown);
}
std::string shown(const std::optional<LengthDist>& lengths) {
  return lengths ? lengths->to_string() : std::string(kUnknown);
}

std::string shown(const std::optional<Arrivals>& arrivals) {
  if (!arrivals) return std::string(kUnknown);
  switch (arrivals->kind) {
    case Arrivals::Kind::kClosed:
      return fmt::format("closed, concurrency {}", human_number(arrivals->concurrency));
    case Arrivals::Kind::kPoisson:
      return fmt::format("poisson, {} requests/s", human_number(arrivals->rate_rps));
    case Arrivals::Kind::kGamma:
      return fmt::format("gamma, {} requests/s, cv {}", human_number(arrivals->rate_rps),
                         human_number(arrivals->cv));
    default:
      return fmt::format("{} requests at once", human_number(arrivals->count));
  }
}

std::string shown(const ProfileStat& stat) {
  std::string text;
  const auto add = [&](std::string_view name, const std::optional<double>& value) {
    if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, human_number(*value));
  };
  add("mean", stat.mean);
  add("p50", stat.p50);
  add("p95", stat.p95);
  add("p99", stat.p99);
  return text.empty() ? std::string(kUnknown) : text;
}

bool wants_document(const Session& session) {
  return session.format == OutputFormat::kJson || session.format == OutputFormat::kYaml;
}

// Profiles under their catalog names, so that filters take any name a person would write.
Expected<ProfileStore> load_profiles(const Session& session, Expected<Catalog>& catalog) {
  catalog = session.load_catalog();
  if (!catalog) return tl::unexpected(catalog.error());
  Expected<ProfileStore> store = ProfileStore::load(session.search_path());
  if (store) store->use_names_of(*catalog);
  return store;
}

// The name to look for: the catalog's, or one that some profile uses.
template <typename Found>
Expected<std::string> filter_name(const std::string& wanted, std::string_view what,
                                  const Found* known, const ProfileStore& store,
                                  std::optional<std::string> ProfilePoint::*key) {
  if (wanted.empty()) return std::string();
  if (known != nullptr) return known->name;
  std::vector<std::string> names;
  for (const Profile& profile : store.profiles()) {
    const std::optional<std::string>& name = profile.point.*key;
    if (!name) continue;
    if (*name == wanted) return wanted;
    if (std::find(names.begin(), names.end(), *name) == names.end()) names.push_back(*name);
  }
  return fail(ExitCode::kUsage,
              fmt::format("no catalog entry and no profile has the {} '{}'", what, wanted),
              suggestion(wanted, names));
}

bool passes(const std::optional<std::string>& value, const std::string& wanted) {
  return wanted.empty() || value == wanted;
}

Expected<std::vector<const Profile*>> filtered(const Catalog& catalog, const ProfileStore& store,
                                               const ProfileOptions& options) {
  const auto model = filter_name(options.model, "model", catalog.find_model(options.model), store,
                                 &ProfilePoint::model);
  if (!model) return tl::unexpected(model.error());
  const auto gpu =
      filter_name(options.gpu, "GPU", catalog.find_gpu(options.gpu), store, &ProfilePoint::gpu);
  if (!gpu) return tl::unexpected(gpu.error());
  const auto engine = filter_name(options.engine, "engine", catalog.find_engine(options.engine),
                                  store, &ProfilePoint::engine);
  if (!engine) return tl::unexpected(engine.error());
  std::vector<const Profile*> found;
  for (const Profile& profile : store.profiles()) {
    const ProfilePoint& point = profile.point;
    if (passes(point.model, *model) && passes(point.gpu, *gpu) && passes(point.engine, *engine)) {
      found.push_back(&profile);
    }
  }
  return found;
}

void print_list(const Session& session, const std::vector<const Profile*>& profiles) {
  if (wants_document(session)) {
    Json document = {{"schema", "tensorpath.profile_list/v1"}, {"profiles", Json::array()}};
    for (const Profile* profile : profiles) {
      document["profiles"].push_back({{"name", profile->name},
                                      {"flags", profile->flags},
                                      {"warnings", profile->warnings},
                                      {"profile", profile_json(*profile)}});
    }
    print_document(session, document);
    return;
  }
  using Align = Column::Align;
  Table table({{"Profile", Align::kLeft, 9},
               {"Model", Align::kLeft, 4},
               {"GPU", Align::kLeft, 4},
               {"GPUs", Align::kRight, 2},
               {"Engine", Align::kLeft, 3},
               {"Weights", Align::kLeft, 3},
               {"KV", Align::kLeft, 0},
               {"Load", Align::kLeft, 1},
               {"TTFT p95 ms", Align::kRight, 6},
               {"TPOT mean ms", Align::kRight, 5},
               {"Output tok/s", Align::kRight, 7},
               {"Provenance", Align::kLeft, 8}});
  for (const Profile* profile : profiles) {
    const ProfilePoint& point = profile->point;
    table.add_row({profile->name, shown(point.model), shown(point.gpu), shown(point.n_gpus),
                   shown(point.engine), shown(point.weight_format), shown(point.kv_format),
                   shown(point.arrivals), shown(profile->ttft_ms.p95), shown(profile->tpot_ms.mean),
                   shown(profile->output_tok_s),
                   std::string(to_string(profile->provenance)) +
                       (profile->flags.empty() ? "" : ", flagged")});
  }
  print_table(session, table);
}

void print_one(const Session& session, const Profile& profile) {
  if (wants_document(session)) {
    print_document(session, profile_json(profile));
    return;
  }
  const ProfilePoint& point = profile.point;
  Table table({{"Key", Column::Align::kLeft, 1}, {profile.name, Column::Align::kLeft, 0}});
  table.add_row({"provenance", std::string(to_string(profile.provenance))});
  table.add_row({"source", profile.source.tool});
  table.add_row({"date", shown(profile.source.date)});
  table.add_row({"model", shown(point.model)});
  table.add_row({"gpu", shown(point.gpu)});
  table.add_row({"n_gpus", shown(point.n_gpus)});
  table.add_row({"replicas", shown(point.replicas)});
  table.add_row({"engine", shown(point.engine)});
  table.add_row({"engine_version", shown(point.engine_version)});
  table.add_row({"weight_format", shown(point.weight_format)});
  table.add_row({"kv_format", shown(point.kv_format)});
  table.add_row({"tp", shown(point.tp)});
  table.add_row({"pp", shown(point.pp)});
  table.add_row({"ep", shown(point.ep)});
  table.add_row({"attn_dp", shown(point.attn_dp)});
  table.add_row({"max_batch", shown(point.max_batch)});
  table.add_row({"spec", shown(point.spec)});
  table.add_row({"disagg", shown(point.disagg)});
  table.add_row({"prefix_hit_rate", shown(point.prefix_hit_rate)});
  table.add_row({"arrivals", shown(point.arrivals)});
  table.add_row({"warmup", shown(profile.warmup_requests)});
  table.add_row({"requests", shown(profile.measured_requests)});
  table.add_row({"isl_tokens", shown(point.isl_tokens)});
  table.add_row({"osl_tokens", shown(point.osl_tokens)});
  table.add_row({"ttft_ms", shown(profile.ttft_ms)});
  table.add_row({"tpot_ms", shown(profile.tpot_ms)});
  table.add_row({"output_tok_s", shown(profile.output_tok_s)});
  table.add_row({"errors", shown(profile.errors)});
  print_table(session, table);
}

void note(const Session& session, const std::string& text) {
  if (!session.quiet) fmt::print(stderr, "tensorpath: {}\n", text);
}

void note_doubts(const Session& session, const Profile& profile) {
  for (const auto* list : {&profile.flags, &profile.warnings}) {
    for (const std::string& doubt : *list) {
      note(session, fmt::format("{}: {}", profile.name, doubt));
    }
  }
}

ExitCode run_list(const Session& session, const ProfileOptions& options) {
  Expected<Catalog> catalog;
  const Expected<ProfileStore> store = load_profiles(session, catalog);
  if (!store) return report(store.error());
  const auto found = filtered(*catalog, *store, options);
  if (!found) return report(found.error());
  print_list(session, *found);
  if (found->empty()) note(session, "no profile matches");
  for (const Profile* profile : *found) note_doubts(session, *profile);
  return ExitCode::kDone;
}

// A name ending in .json or .jsonl, or "-", is a file of profiles.
bool is_file(const std::string& name) {
  return name == "-" || name.ends_with(".json") || name.ends_with(".jsonl");
}

// The profiles that the command line names.
Expected<std::vector<Profile>> chosen_profiles(const Session& session,
                                               const ProfileOptions& options) {
  Expected<Catalog> catalog;
  const Expected<ProfileStore> store = load_profiles(session, catalog);
  if (!store) return tl::unexpected(store.error());
  std::vector<Profile> chosen;
  for (const std::string& name : options.names) {
    if (is_file(name)) {
      const auto profiles = read_profile_file(name);
      if (!profiles) return tl::unexpected(profiles.error());
      chosen.insert(chosen.end(), profiles->begin(), profiles->end());
      continue;
    }
    const auto profile = store->profile(name);
    if (!profile) return tl::unexpected(profile.error());
    chosen.push_back(**profile);
  }
  return chosen;
}

ExitCode run_packet(const Session& session, const ProfileOptions& options) {
  const auto chosen = chosen_profiles(session, options);
  if (!chosen) return report(chosen.error());
  if (chosen->size() != 1) {
    return report(fail(ExitCode::kUsage,
                       fmt::format("a packet holds one profile, and these are {}", chosen->size()),
                       "name one of them, as 'profile list' prints it")
                      .value());
  }
  const auto key = signing_key(options.sign);
  if (!key) return report(key.error());
  const auto identity = packet_identity();
  if (!identity) return report(identity.error());
  const Packet packet = profile_packet(chosen->front(), *identity);
  const Status written = write_packet(options.out, packet, *key ? &**key : nullptr);
  if (!written) return report(written.error());
  note_doubts(session, chosen->front());
  return ExitCode::kDone;
}

ExitCode run_show(const Session& session, const ProfileOptions& options) {
  const auto found = chosen_profiles(session, options);
  if (!found) return report(found.error());
  const std::vector<Profile>& chosen = *found;
  for (std::size_t index = 0; index < chosen.size(); ++index) {
    // Several documents are JSON Lines, which `show FILE.jsonl` reads back.
    if (session.format == OutputFormat::kJson && chosen.size() > 1) {
      print(to_line(profile_json(chosen[index])) + "\n");
      continue;
    }
    if (index > 0) print(session.format == OutputFormat::kYaml ? "---\n" : "\n");
    print_one(session, chosen[index]);
  }
  for (const Profile& profile : chosen) note_doubts(session, profile);
  return ExitCode::kDone;
}

}  // namespace

void add_profile(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("profile", "List, show and pack benchmark profiles");
  command->require_subcommand(1);
  auto options = std::make_shared<ProfileOptions>();

  CLI::App* list = command->add_subcommand("list", "One line for each profile");
  list->add_option("--model", options->model, "Only profiles of this model")->type_name("MODEL");
  list->add_option("--gpu", options->gpu, "Only profiles on this GPU")->type_name("GPU");
  list->add_option("--engine", options->engine, "Only profiles of this engine")
      ->type_name("ENGINE");
  add_format_option(*list, session);
  list->callback([&session, options] {
    session.run = [&session, options] { return run_list(session, *options); };
  });

  CLI::App* show = command->add_subcommand("show", "All that a profile says");
  show->add_option("profile", options->names,
                   "Names as 'profile list' prints them, or files (.json, .jsonl, - for stdin)")
      ->type_name("PROFILE")
      ->required();
  add_format_option(*show, session);
  show->callback([&session, options] {
    session.run = [&session, options] { return run_show(session, *options); };
  });

  CLI::App* packet = command->add_subcommand("packet", "Write a profile as a packet of evidence");
  packet->add_option("profile", options->names, "A name, or a file with one profile")
      ->type_name("PROFILE")
      ->expected(1)
      ->required();
  packet->add_option("--out", options->out, "The directory to make")->type_name("DIR")->required();
  packet->add_option("--sign", options->sign, "A private Ed25519 key in PEM")->type_name("KEY");
  packet->callback([&session, options] {
    session.run = [&session, options] { return run_packet(session, *options); };
  });
}

}  // namespace tensorpath::cli
