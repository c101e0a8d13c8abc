#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <tuple>

#include <fmt/format.h>

#include <tensorpath/harness/timing.h>

namespace tensorpath {
namespace {

constexpr double kDecisionRoom = 0.01;
constexpr double kSameRoom = 0.03;
// Any number does; a fixed one makes the same samples give the same interval.
constexpr std::uint64_t kResampleSeed = 20170401;

using Ratios = std::vector<std::vector<double>>;  // by round

struct CaseRatios {
  std::vector<Ratios> by_arm;
};

struct Pairing {
  std::vector<CaseRatios> cases;
  std::int64_t pairs = 0;
  std::int64_t dropped = 0;
};

int rounds_of(const std::vector<TimedSample>& samples) {
  std::uint32_t rounds = 0;
  for (const TimedSample& sample : samples) rounds = std::max(rounds, sample.round + 1);
  return static_cast<int>(rounds);
}

Pairing pair_up(const TimingPlan& plan, const std::vector<TimedSample>& samples) {
  Pairing pairing;
  const auto rounds = static_cast<std::size_t>(rounds_of(samples));
  pairing.cases.resize(plan.cases.size());
  for (CaseRatios& one : pairing.cases) one.by_arm.assign(plan.arms.size(), Ratios(rounds));
  std::map<std::tuple<std::uint32_t, std::uint16_t, std::uint32_t>, const TimedSample*> candidates;
  for (const TimedSample& sample : samples) {
    if (sample.arm == 0 && !sample.hot()) {
      candidates[{sample.round, sample.one, sample.block}] = &sample;
    }
  }
  for (const TimedSample& sample : samples) {
    if (sample.arm == 0 || sample.hot()) continue;
    const auto found = candidates.find({sample.round, sample.one, sample.block});
    if (found == candidates.end()) continue;
    ++pairing.pairs;
    if (sample.disturbed() || found->second->disturbed()) {
      ++pairing.dropped;
      continue;
    }
    pairing.cases[sample.one].by_arm[sample.arm][sample.round].push_back(sample.per_call() /
                                                                         found->second->per_call());
  }
  return pairing;
}

// Of the chosen rounds; 0 where there is none.
double median_of(const Ratios& ratios, const std::vector<std::size_t>& chosen) {
  std::vector<double> all;
  for (const std::size_t round : chosen) {
    all.insert(all.end(), ratios[round].begin(), ratios[round].end());
  }
  if (all.empty()) return 0;
  std::sort(all.begin(), all.end());
  return quantile(all, 0.5);
}

struct Draw {
  std::vector<std::vector<double>> ratios;  // case, arm
  std::vector<int> strongest;
  std::vector<double> ratio;  // of the strongest, by case
  double overall = 0;
};

Draw draw_once(const TimingPlan& plan, const Pairing& pairing,
               const std::vector<std::size_t>& rounds) {
  Draw draw;
  double logs = 0;
  double weights = 0;
  for (std::size_t i = 0; i < plan.cases.size(); ++i) {
    std::vector<double> ratios(plan.arms.size(), 0);
    int strongest = 0;
    for (std::size_t arm = 1; arm < plan.arms.size(); ++arm) {
      ratios[arm] = median_of(pairing.cases[i].by_arm[arm], rounds);
      if (!plan.arms[arm].denominator || ratios[arm] <= 0) continue;
      if (strongest == 0 || ratios[arm] < ratios[static_cast<std::size_t>(strongest)]) {
        strongest = static_cast<int>(arm);
      }
    }
    const double ratio = ratios[static_cast<std::size_t>(strongest)];
    if (strongest != 0) {
      logs += plan.cases[i].weight * std::log(ratio);
      weights += plan.cases[i].weight;
    }
    draw.ratios.push_back(std::move(ratios));
    draw.strongest.push_back(strongest);
    draw.ratio.push_back(ratio);
  }
  draw.overall = weights > 0 ? std::exp(logs / weights) : 0;
  return draw;
}

Interval interval_of(double value, std::vector<double> draws, double widening) {
  // A draw of rounds in which every pair was dropped says nothing.
  std::erase_if(draws, [](double draw) { return draw <= 0; });
  if (value <= 0 || draws.empty()) return {};
  std::sort(draws.begin(), draws.end());
  const double low = quantile(draws, 0.025);
  const double high = quantile(draws, 0.975);
  return {value, value - (value - low) * widening, value + (high - value) * widening};
}

}  // namespace

double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

ArmStatistic summarise(std::vector<double> seconds) {
  ArmStatistic out;
  if (seconds.empty()) return out;
  std::sort(seconds.begin(), seconds.end());
  const auto count = static_cast<double>(seconds.size());
  out.samples = static_cast<std::int64_t>(seconds.size());
  out.min = seconds.front();
  out.mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / count;
  out.p50 = quantile(seconds, 0.5);
  out.p95 = quantile(seconds, 0.95);
  out.p99 = quantile(seconds, 0.99);
  for (const double value : seconds) out.variance += (value - out.mean) * (value - out.mean);
  out.variance = seconds.size() > 1 ? out.variance / (count - 1) : 0;
  return out;
}

double TimingStatistic::dropped_share() const {
  return pairs == 0 ? 1 : static_cast<double>(dropped) / static_cast<double>(pairs);
}

TimingStatistic compute_statistic(const TimingPlan& plan, const std::vector<TimedSample>& samples) {
  TimingStatistic out;
  const Pairing pairing = pair_up(plan, samples);
  out.pairs = pairing.pairs;
  out.dropped = pairing.dropped;
  out.rounds = rounds_of(samples);
  const auto rounds = static_cast<std::size_t>(out.rounds);
  std::vector<std::size_t> chosen(rounds);
  std::iota(chosen.begin(), chosen.end(), 0);
  const Draw all = draw_once(plan, pairing, chosen);
  std::vector<Draw> draws;
  std::mt19937_64 random(kResampleSeed);
  for (int i = 0; i < kResamples && rounds > 0; ++i) {
    for (std::size_t& round : chosen) round = random() % rounds;
    draws.push_back(draw_once(plan, pairing, chosen));
  }
  const double widening =
      rounds > 1 ? std::sqrt(static_cast<double>(rounds) / static_cast<double>(rounds - 1)) : 1;
  const auto interval = [&](double value, auto&& pick) {
    std::vector<double> values;
    for (const Draw& draw : draws) values.push_back(pick(draw));
    return interval_of(value, std::move(values), widening);
  };
  out.ratio = interval(all.overall, [](const Draw& draw) { return draw.overall; });
  for (std::size_t i = 0; i < plan.cases.size(); ++i) {
    CaseStatistic one;
    one.strongest = all.strongest[i];
    one.ratio = interval(all.ratio[i], [i](const Draw& draw) { return draw.ratio[i]; });
    for (std::size_t arm = 0; arm < plan.arms.size(); ++arm) {
      one.ratios.push_back(
          interval(all.ratios[i][arm], [i, arm](const Draw& draw) { return draw.ratios[i][arm]; }));
      std::array<std::vector<double>, 2> seconds;
      for (const TimedSample& sample : samples) {
        if (sample.one == i && sample.arm == arm && !sample.disturbed()) {
          seconds[sample.hot() ? 1 : 0].push_back(sample.per_call());
        }
      }
      one.cold.push_back(summarise(std::move(seconds[0])));
      one.hot.push_back(summarise(std::move(seconds[1])));
    }
    out.cases.push_back(std::move(one));
  }
  return out;
}

std::vector<TimedSample> pool_samples(const std::vector<std::vector<TimedSample>>& measurements) {
  std::vector<TimedSample> pooled;
  std::uint32_t first_round = 0;
  for (const auto& samples : measurements) {
    std::uint32_t next_round = first_round;
    for (TimedSample sample : samples) {
      sample.round += first_round;
      next_round = std::max(next_round, sample.round + 1);
      pooled.push_back(sample);
    }
    first_round = next_round;
  }
  return pooled;
}

std::string StopRule::stop(int rounds, double interval_width, double elapsed) const {
  if (rounds < least_rounds) return {};
  if (interval_width <= width) return "the interval is narrow enough";
  if (rounds >= most_rounds) return "the rounds are used up";
  if (elapsed >= seconds) return "the time is used up";
  return {};
}

std::string_view name_of(Speed speed) {
  constexpr std::array<std::string_view, 4> kNames = {"FAST", "SLOW", "SAME", "AMBIGUOUS"};
  return kNames[static_cast<std::size_t>(speed)];
}

Speed decide(const TimingStatistic& statistic) {
  const Interval& ratio = statistic.ratio;
  if (statistic.dropped_share() > kMostDropped || ratio.value <= 0) return Speed::kAmbiguous;
  if (ratio.low > 1 + kDecisionRoom) return Speed::kFast;
  if (ratio.high < 1 - kDecisionRoom) return Speed::kSlow;
  if (ratio.low >= 1 - kSameRoom && ratio.high <= 1 + kSameRoom) return Speed::kSame;
  return Speed::kAmbiguous;
}

std::string promotion_obstacle(const TimingPlan& plan, const TimingStatistic& statistic) {
  if (statistic.dropped_share() > kMostDropped) {
    return fmt::format(
        "{:.0f}% of the pairs were disturbed by something else on the machine; at "
        "most {:.0f}% may be",
        100 * statistic.dropped_share(), 100 * kMostDropped);
  }
  for (std::size_t i = 0; i < plan.cases.size(); ++i) {
    const CaseStatistic& one = statistic.cases[i];
    if (one.strongest == 0) return "there is no baseline to compare with at " + plan.cases[i].name;
    if (one.ratio.low < kCaseRatio) {
      return fmt::format("at {} the lower end is {:.3f}, below {:.2f}", plan.cases[i].name,
                         one.ratio.low, kCaseRatio);
    }
  }
  if (statistic.ratio.low < kPromotionRatio) {
    return fmt::format("the lower end of the ratio is {:.3f}, below {:.2f}", statistic.ratio.low,
                       kPromotionRatio);
  }
  return {};
}

}  // namespace tensorpath
