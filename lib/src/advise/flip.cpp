#include "flip.h"

#include "disaggregate.h"
#include "sizing.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include <fmt/format.h>

namespace tensorpath::advise {
namespace {

// Plans past these places do not take over within the range looked at; they would only cost time.
constexpr std::size_t kPool = 64;
constexpr double kRange = 8;
constexpr double kScanFactor = 1.25;
constexpr double kPrecision = 0.002;
constexpr double kConfirm = 0.01;

// What a changed knob makes stale in an Evaluated.
enum class Redo { kPrice, kLoad, kSlo };

struct Knob {
  std::string name;
  double now = 0;
  Redo redo = Redo::kPrice;
  std::function<void(Workload&, double)> set;
};

void add_price_knob(const Workload& workload, const Gpu& gpu, double usd, std::vector<Knob>& out) {
  const auto same = [&](const Knob& k) { return k.name == "usd_per_gpu_hour of " + gpu.name; };
  if (usd <= 0 || std::any_of(out.begin(), out.end(), same)) return;
  const std::string name = gpu.name;
  const bool owned = std::any_of(workload.hardware.owned.begin(), workload.hardware.owned.end(),
                                 [&](const OwnedGpus& o) { return o.gpu == name; });
  out.push_back(
      {"usd_per_gpu_hour of " + name, usd, Redo::kPrice, [name, owned](Workload& w, double value) {
         if (!owned) {
           w.cost.override_usd_per_gpu_hour[name] = value;
           return;
         }
         for (OwnedGpus& o : w.hardware.owned) {
           if (o.gpu == name) o.usd_per_gpu_hour = value;
         }
       }});
}

void add_slo_knob(const std::optional<double>& bound, const char* name,
                  std::optional<double> Percentiles::*which, Percentiles Slo::*stat,
                  std::vector<Knob>& out) {
  if (!bound) return;
  out.push_back({name, *bound, Redo::kSlo,
                 [which, stat](Workload& w, double value) { (w.slo.*stat).*which = value; }});
}

std::vector<Knob> knobs_of(const Question& question, const SearchResult& found) {
  const Workload& workload = *question.workload;
  std::vector<Knob> out;
  if (question.demand.open && workload.arrivals.rate_rps > 0) {
    out.push_back({"arrivals.rate_rps", workload.arrivals.rate_rps, Redo::kLoad,
                   [](Workload& w, double value) { w.arrivals.rate_rps = value; }});
  }
  const Choice winner = choice_of(found.plans.front().candidate);
  for (const Evaluated& plan : found.plans) {
    if (plan.rate.billed_gpus == 0) continue;
    add_price_knob(workload, *plan.candidate.layout.gpu, plan.rate.usd_per_gpu_hour, out);
    if (choice_of(plan.candidate) != winner && out.size() >= 3) break;
  }
  add_slo_knob(workload.slo.ttft_ms.p95, "slo.ttft_ms.p95", &Percentiles::p95, &Slo::ttft_ms, out);
  add_slo_knob(workload.slo.tpot_ms.p95, "slo.tpot_ms.p95", &Percentiles::p95, &Slo::tpot_ms, out);
  return out;
}

// A workload with one knob turned, and the question about it.
struct Changed {
  Workload workload;
  Question question;

  Changed(const Question& base, const Knob& knob, double value)
      : workload(*base.workload), question(base) {
    knob.set(workload, value);
    question.workload = &workload;
    question.prices = PriceBook(*base.catalog, workload);
    question.demand = demand_of(workload);
  }
  Changed(const Changed&) = delete;
  Changed& operator=(const Changed&) = delete;
};

Verdict redo(const Question& question, Redo what, Evaluated& evaluated) {
  if (evaluated.candidate.disaggregated) {
    if (what == Redo::kPrice) return settle(question, evaluated);
    const Evaluated seed = evaluated;
    return evaluate_pair(question, seed, *seed.prefill_compiled, evaluated);
  }
  if (what == Redo::kSlo) {
    if (Verdict verdict = load_at_slo(question, evaluated); !verdict.feasible) return verdict;
  }
  if (what != Redo::kPrice) {
    if (Verdict verdict = size_for_demand(question, evaluated); !verdict.feasible) return verdict;
  }
  return settle(question, evaluated);
}

class Pool {
 public:
  explicit Pool(const SearchResult& found) {
    const auto take = [&](const std::vector<Evaluated>& from, std::size_t most) {
      members_.insert(members_.end(), from.begin(),
                      from.begin() + static_cast<long>(std::min(most, from.size())));
    };
    take(found.plans, kPool);
    take(found.near_misses, kPool / 4);
  }

  // The winner among the pool with the knob turned; nullopt when nothing fits.
  [[nodiscard]] std::optional<Choice> winner(const Question& base, const Knob& knob,
                                             double value) const {
    const Changed changed(base, knob, value);
    std::vector<Evaluated> fit;
    for (Evaluated evaluated : members_) {
      if (redo(changed.question, knob.redo, evaluated).feasible && !evaluated.near_miss) {
        fit.push_back(std::move(evaluated));
      }
    }
    sort_by_score(fit);
    return fit.empty() ? std::nullopt : std::optional(choice_of(fit.front().candidate));
  }

 private:
  std::vector<Evaluated> members_;
};

// The first value from `now` in one direction at which the pool's winner is another one; 0: none.
double find_change(const Pool& pool, const Question& question, const Knob& knob,
                   const Choice& winner, bool upward) {
  double good = knob.now;
  double bad = 0;
  for (double factor = kScanFactor; factor <= kRange; factor *= kScanFactor) {
    const double value = upward ? knob.now * factor : knob.now / factor;
    const auto now = pool.winner(question, knob, value);
    if (!now) return 0;  // nothing fits there: no plan takes over
    if (*now != winner) {
      bad = value;
      break;
    }
    good = value;
  }
  if (bad == 0) return 0;
  while (std::abs(bad - good) > kPrecision * good) {
    const double middle = 0.5 * (good + bad);
    (pool.winner(question, knob, middle) == winner ? good : bad) = middle;
  }
  return 0.5 * (good + bad);
}

// Kept between confirmations, so that a search of many plans does not ask for its memory again.
struct Confirmation {
  SearchResult before, after;
};

// The full search just before and just after the change, side by side.
bool confirm(const Question& question, const Knob& knob, const Choice& winner,
             const FullSearch& full_search, double at, bool upward, Confirmation& scratch,
             FlipPoint& out) {
  const Changed near(question, knob, upward ? at * (1 - kConfirm) : at * (1 + kConfirm));
  const Changed past(question, knob, upward ? at * (1 + kConfirm) : at * (1 - kConfirm));
  {
    const std::jthread beside([&] { full_search(near.question, scratch.before); });
    full_search(past.question, scratch.after);
  }
  if (scratch.before.plans.empty() || scratch.after.plans.empty()) return false;
  const Candidate& after = scratch.after.plans.front().candidate;
  if (choice_of(scratch.before.plans.front().candidate) != winner) return false;
  if (choice_of(after) == winner) return false;
  out = {knob.name, knob.now, at, short_name(after)};
  return true;
}

struct Constraint {
  std::string name;
  double now = 0;
  bool raise = true;  // relaxing makes the value larger
  std::function<void(Workload&, double)> set;
};

void add_bound(const std::optional<double>& bound, std::string name, bool raise,
               std::function<void(Workload&, double)> set, std::vector<Constraint>& out) {
  if (bound) out.push_back({std::move(name), *bound, raise, std::move(set)});
}

std::vector<Constraint> constraints_of(const Workload& w) {
  std::vector<Constraint> out;
  const auto percentiles = [&](Percentiles Slo::*stat, const std::string& name) {
    const auto add = [&](std::optional<double> Percentiles::*which, const char* suffix) {
      add_bound((w.slo.*stat).*which, "slo." + name + suffix, true,
                [stat, which](Workload& x, double v) { (x.slo.*stat).*which = v; }, out);
    };
    add(&Percentiles::p50, ".p50");
    add(&Percentiles::p95, ".p95");
    add(&Percentiles::p99, ".p99");
  };
  percentiles(&Slo::ttft_ms, "ttft_ms");
  percentiles(&Slo::tpot_ms, "tpot_ms");
  percentiles(&Slo::e2e_ms, "e2e_ms");
  add_bound(
      w.slo.min_tok_s_user, "slo.min_tok_s_user", false,
      [](Workload& x, double v) { x.slo.min_tok_s_user = v; }, out);
  add_bound(
      w.slo.min_output_tok_s, "slo.min_output_tok_s", false,
      [](Workload& x, double v) { x.slo.min_output_tok_s = v; }, out);
  if (w.slo.goodput) {
    out.push_back({"slo.goodput.min_share", w.slo.goodput->min_share, false,
                   [](Workload& x, double v) { x.slo.goodput->min_share = v; }});
  }
  add_bound(
      w.cost.max_usd_per_month, "cost.max_usd_per_month", true,
      [](Workload& x, double v) { x.cost.max_usd_per_month = v; }, out);
  add_bound(
      w.quality_floor, "quality_floor", false, [](Workload& x, double v) { x.quality_floor = v; },
      out);
  out.push_back(
      {"hardware.max_gpus", static_cast<double>(w.hardware.max_gpus), true,
       [](Workload& x, double v) { x.hardware.max_gpus = static_cast<int>(std::lround(v)); }});
  out.push_back({"requests.max_context_tokens", w.max_context_tokens, false,
                 [](Workload& x, double v) { x.max_context_tokens = v; }});
  if (w.arrivals.rate_rps > 0) {
    out.push_back({"arrivals.rate_rps", w.arrivals.rate_rps, false,
                   [](Workload& x, double v) { x.arrivals.rate_rps = v; }});
  }
  // These have no half-way: `now` 0 says so.
  if (w.cost.commitment != "on_demand") {
    out.push_back({"cost.commitment " + w.cost.commitment, 0, true,
                   [](Workload& x, double) { x.cost.commitment = "on_demand"; }});
  }
  if (!w.hardware.allow.empty()) {
    out.push_back({"hardware.allow", 0, true, [](Workload& x, double) {
                     x.hardware.allow.clear();
                     x.hardware.owned.clear();
                   }});
  }
  return out;
}

// Far enough that whatever a constraint can cure is cured.
constexpr double kFar = 256;
// How near the needed value is found; a relaxation is a hint, not a bound.
constexpr double kRelaxPrecision = 0.05;

double far_value(const Constraint& c) { return c.raise ? c.now * kFar : c.now / kFar; }

struct Setting {
  const Constraint* constraint = nullptr;
  double value = 0;
};

std::string best_under(const Question& question, const std::vector<Setting>& settings,
                       const FullSearch& full_search) {
  Workload workload = *question.workload;
  for (const Setting& setting : settings) setting.constraint->set(workload, setting.value);
  const Question changed = ask(workload, *question.catalog, question.profiles, *question.options);
  SearchResult result;
  full_search(changed, result);
  return result.plans.empty() ? std::string() : short_name(result.plans.front().candidate);
}

// Moves settings[i] back towards its present value as far as something still fits.
std::string tighten(const Question& question, std::vector<Setting>& settings, std::size_t i,
                    std::string plan, const FullSearch& full_search) {
  const Constraint& constraint = *settings[i].constraint;
  double miss = constraint.now;
  double fits = settings[i].value;
  while (constraint.now > 0 && std::abs(std::log(fits / miss)) > kRelaxPrecision) {
    settings[i].value = std::sqrt(miss * fits);
    std::string name = best_under(question, settings, full_search);
    if (name.empty()) {
      miss = settings[i].value;
    } else {
      fits = settings[i].value;
      plan = std::move(name);
    }
  }
  settings[i].value = fits;
  return plan;
}

// The fewest constraints, each in the order given, that must give way together.
std::vector<Relaxation> relax_together(const Question& question,
                                       const std::vector<Constraint>& constraints,
                                       const FullSearch& full_search) {
  std::vector<Setting> settings;
  for (const Constraint& c : constraints) settings.push_back({&c, far_value(c)});
  std::string plan = best_under(question, settings, full_search);
  if (plan.empty()) return {};
  for (std::size_t i = 0; i < settings.size();) {
    std::vector<Setting> fewer = settings;
    fewer.erase(fewer.begin() + static_cast<long>(i));
    std::string still = best_under(question, fewer, full_search);
    if (still.empty()) {
      ++i;
    } else {
      settings = std::move(fewer);
      plan = std::move(still);
    }
  }
  for (std::size_t i = 0; i < settings.size(); ++i) {
    plan = tighten(question, settings, i, plan, full_search);
  }
  std::vector<Relaxation> out;
  for (const Setting& s : settings) {
    out.push_back({s.constraint->name, s.constraint->now, s.value, plan, true});
  }
  return out;
}

}  // namespace

std::vector<FlipPoint> flip_points(const Question& question, const SearchResult& found,
                                   const FullSearch& full_search) {
  std::vector<FlipPoint> out;
  if (found.plans.empty()) return out;
  const Choice winner = choice_of(found.plans.front().candidate);
  const Pool pool(found);
  Confirmation scratch;
  for (const Knob& knob : knobs_of(question, found)) {
    for (const bool upward : {false, true}) {
      const double at = find_change(pool, question, knob, winner, upward);
      FlipPoint flip;
      if (at > 0 && confirm(question, knob, winner, full_search, at, upward, scratch, flip)) {
        out.push_back(flip);
      }
    }
  }
  return out;
}

std::vector<Relaxation> relaxations(const Question& question, const FullSearch& full_search) {
  const std::vector<Constraint> constraints = constraints_of(*question.workload);
  std::vector<Relaxation> out;
  for (const Constraint& constraint : constraints) {
    std::vector<Setting> one{{&constraint, far_value(constraint)}};
    std::string plan = best_under(question, one, full_search);
    if (plan.empty()) continue;
    plan = tighten(question, one, 0, std::move(plan), full_search);
    out.push_back({constraint.name, constraint.now, one.front().value, plan, false});
  }
  return out.empty() ? relax_together(question, constraints, full_search) : out;
}

}  // namespace tensorpath::advise
