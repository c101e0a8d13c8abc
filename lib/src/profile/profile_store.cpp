#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/profile.h>

namespace tensorpath {
namespace {

// Loads and lengths this near are one point: a benchmark client draws its own lengths, so no two
// runs of one point have exactly the same.
constexpr double kSamePoint = 0.05;

bool near(double a, double b) {
  return std::fabs(a - b) <= kSamePoint * std::max(std::fabs(a), std::fabs(b));
}

template <typename T>
bool known_and_equal(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b && *a == *b;
}

// The shape counts too: TTFT follows the long prompts, not the mean one.
bool same_lengths(const std::optional<LengthDist>& a, const std::optional<LengthDist>& b) {
  if (!a || !b) return false;
  return near(a->mean(), b->mean()) && near(a->quantile(0.5), b->quantile(0.5)) &&
         near(a->quantile(0.05), b->quantile(0.05)) && near(a->quantile(0.95), b->quantile(0.95));
}

bool same_arrivals(const std::optional<Arrivals>& a, const std::optional<Arrivals>& b) {
  if (!a || !b || a->kind != b->kind) return false;
  switch (a->kind) {
    case Arrivals::Kind::kClosed:
      return near(a->concurrency, b->concurrency);
    case Arrivals::Kind::kPoisson:
      return near(a->rate_rps, b->rate_rps);
    case Arrivals::Kind::kGamma:
      return near(a->rate_rps, b->rate_rps) && near(a->cv, b->cv);
    case Arrivals::Kind::kAllAtOnce:
      return near(a->count, b->count);
    default:
      return false;  // a trace is one recording, not a point
  }
}

template <typename Find>
void rename(std::optional<std::string>& name, Find find) {
  if (!name) return;
  if (const auto* found = find(*name)) name = found->name;
}

// Reads what lies in one directory; names that are taken already stay whose they are.
void read_directory(const std::string& directory, std::set<std::string>& names,
                    std::vector<Profile>& profiles, Error& mistakes) {
  for (const std::string_view suffix : {".json", ".jsonl"}) {
    for (const std::string& file : list_files(directory, suffix)) {
      Expected<std::vector<Profile>> found = read_profile_file(path_join(directory, file));
      if (!found) {
        const auto& more = found.error().diagnostics;
        mistakes.diagnostics.insert(mistakes.diagnostics.end(), more.begin(), more.end());
        continue;
      }
      for (Profile& profile : *found) {
        if (names.insert(profile.name).second) profiles.push_back(std::move(profile));
      }
    }
  }
}

}  // namespace

bool same_point(const ProfilePoint& a, const ProfilePoint& b) {
  return known_and_equal(a.model, b.model) && known_and_equal(a.gpu, b.gpu) &&
         known_and_equal(a.n_gpus, b.n_gpus) && known_and_equal(a.replicas, b.replicas) &&
         known_and_equal(a.engine, b.engine) &&
         known_and_equal(a.engine_version, b.engine_version) &&
         known_and_equal(a.weight_format, b.weight_format) &&
         known_and_equal(a.kv_format, b.kv_format) && known_and_equal(a.tp, b.tp) &&
         known_and_equal(a.pp, b.pp) && known_and_equal(a.ep, b.ep) &&
         known_and_equal(a.attn_dp, b.attn_dp) && known_and_equal(a.max_batch, b.max_batch) &&
         known_and_equal(a.spec, b.spec) && known_and_equal(a.disagg, b.disagg) &&
         known_and_equal(a.prefix_hit_rate, b.prefix_hit_rate) &&
         same_arrivals(a.arrivals, b.arrivals) && same_lengths(a.isl_tokens, b.isl_tokens) &&
         same_lengths(a.osl_tokens, b.osl_tokens);
}

Expected<ProfileStore> ProfileStore::load(const std::vector<std::string>& directories) {
  ProfileStore store;
  std::set<std::string> names;
  Error mistakes;
  for (const std::string& directory : directories) {
    read_directory(path_join(directory, "profiles"), names, store.profiles_, mistakes);
  }
  if (!mistakes.diagnostics.empty()) return tl::unexpected(std::move(mistakes));
  std::sort(store.profiles_.begin(), store.profiles_.end(),
            [](const Profile& a, const Profile& b) { return a.name < b.name; });
  return store;
}

void ProfileStore::use_names_of(const Catalog& catalog) {
  for (Profile& profile : profiles_) {
    ProfilePoint& point = profile.point;
    rename(point.model, [&](const std::string& name) { return catalog.find_model(name); });
    rename(point.gpu, [&](const std::string& name) { return catalog.find_gpu(name); });
    rename(point.engine, [&](const std::string& name) { return catalog.find_engine(name); });
    rename(point.weight_format, [&](const std::string& name) { return catalog.find_format(name); });
    rename(point.kv_format, [&](const std::string& name) { return catalog.find_kv_format(name); });
  }
}

Expected<const Profile*> ProfileStore::profile(std::string_view name) const {
  std::vector<std::string> names;
  for (const Profile& profile : profiles_) {
    if (profile.name == name) return &profile;
    names.push_back(profile.name);
  }
  return fail(ExitCode::kUsage, fmt::format("unknown profile '{}'", name), suggestion(name, names));
}

const Profile* ProfileStore::match(const ProfilePoint& point) const {
  const Profile* best = nullptr;
  for (const Profile& profile : profiles_) {
    if (!profile.flags.empty() || !same_point(profile.point, point)) continue;
    // Dates sort as text; an unknown one is the oldest.
    if (best == nullptr || profile.source.date.value_or("") > best->source.date.value_or("")) {
      best = &profile;
    }
  }
  return best;
}

}  // namespace tensorpath
