// From samples to a decision: pairs, medians, intervals, the stop rule, the files.
#include "catch.h"

#include <cmath>
#include <random>

#include <tensorpath/harness/timing.h>

using namespace tensorpath;

namespace {

TimedArm arm(const std::string& name) { return {name, true, {}}; }
TimedCase one_case(const std::string& name, double weight = 1) { return {name, weight, 0, 0}; }
TimingPlan two_arms() { return {{arm("candidate"), arm("tuned")}, {one_case("n=1")}}; }

struct Noise {
  double round = 0.002;  // relative, common to a round's arm
  double sample = 0.01;  // relative, of each sample
  double drift = 0.0;    // relative, common to both arms of a block
};

// Rounds of paired samples in which arm a takes seconds[a].
std::vector<TimedSample> samples_of(const std::vector<double>& seconds, int rounds, Noise noise,
                                    std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<TimedSample> samples;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> arm_bias;
    for (std::size_t arm = 0; arm < seconds.size(); ++arm) {
      arm_bias.push_back(1 + noise.round * normal(random));
    }
    for (int block = 0; block < 20; ++block) {
      const double drift = 1 + noise.drift * std::fabs(normal(random));
      for (std::size_t arm = 0; arm < seconds.size(); ++arm) {
        TimedSample sample;
        sample.round = static_cast<std::uint32_t>(round);
        sample.block = static_cast<std::uint32_t>(block);
        sample.arm = static_cast<std::uint16_t>(arm);
        sample.calls = 4;
        sample.seconds =
            4 * seconds[arm] * arm_bias[arm] * drift * (1 + noise.sample * normal(random));
        samples.push_back(sample);
      }
    }
  }
  return samples;
}

}  // namespace

TEST_CASE("a quantile lies between order statistics") {
  CHECK(quantile({1, 2, 3, 4}, 0.5) == 2.5);
  CHECK(quantile({7}, 0.99) == 7);
  CHECK(quantile({0, 10}, 0.95) == 9.5);
  const ArmStatistic arm = summarise({3, 1, 2});
  CHECK(arm.samples == 3);
  CHECK(arm.min == 1);
  CHECK(arm.mean == 2);
  CHECK(arm.p50 == 2);
  CHECK(arm.variance == 1);
}

TEST_CASE("the ratio is that of pairs: what slows both arms of a block down does not count") {
  const Noise noise{0.001, 0.002, 0.8};
  const auto statistic = compute_statistic(two_arms(), samples_of({1e-3, 1.3e-3}, 10, noise, 1));
  CHECK(std::fabs(statistic.ratio.value - 1.3) < 0.01);
  CHECK(statistic.ratio.low > 1.28);
  CHECK(statistic.ratio.high < 1.32);
  CHECK(statistic.pairs == 200);
  CHECK(decide(statistic) == Speed::kFast);
  CHECK(promotion_obstacle(two_arms(), statistic).empty());
}

TEST_CASE("equal arms are SAME, slower ones SLOW, wide intervals AMBIGUOUS") {
  const auto at = [](double ratio, Noise noise) {
    return decide(compute_statistic(two_arms(), samples_of({1e-3, ratio * 1e-3}, 10, noise, 3)));
  };
  CHECK(at(1.0, {}) == Speed::kSame);
  CHECK(at(0.9, {}) == Speed::kSlow);
  CHECK(at(1.0, {0.15, 0.01, 0}) == Speed::kAmbiguous);
}

TEST_CASE("the interval holds the truth about as often as it says") {
  int held = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto statistic =
        compute_statistic(two_arms(), samples_of({1e-3, 1.1e-3}, 10, {0.01, 0.01, 0}, seed));
    if (statistic.ratio.low <= 1.1 && 1.1 <= statistic.ratio.high) ++held;
  }
  CHECK(held >= 88);
}

TEST_CASE("the strongest denominator counts, whatever is shown beside it") {
  const TimingPlan plan{{arm("candidate"), arm("naive"), arm("tuned"), {"broken", false, {}}},
                        {one_case("n=1")}};
  const auto statistic =
      compute_statistic(plan, samples_of({1e-3, 5e-3, 1.2e-3, 0.5e-3}, 10, {}, 5));
  CHECK(statistic.cases[0].strongest == 2);
  CHECK(std::fabs(statistic.ratio.value - 1.2) < 0.02);
  CHECK(std::fabs(statistic.cases[0].ratios[1].value - 5) < 0.1);
  CHECK(statistic.cases[0].ratios[3].value < 0.6);
}

TEST_CASE("a case that got slower stops a promotion that the mean would carry") {
  const TimingPlan plan{{arm("candidate"), arm("tuned")},
                        {one_case("small"), one_case("large", 9)}};
  auto samples = samples_of({1e-3, 0.9e-3}, 10, {}, 7);
  auto large = samples_of({1e-3, 2e-3}, 10, {}, 8);
  for (TimedSample& sample : large) sample.one = 1;
  samples.insert(samples.end(), large.begin(), large.end());
  const auto statistic = compute_statistic(plan, samples);
  CHECK(statistic.ratio.low > 1.5);
  CHECK(promotion_obstacle(plan, statistic).find("small") != std::string::npos);
}

TEST_CASE("disturbed pairs are dropped, and too many of them are no answer") {
  auto samples = samples_of({1e-3, 1.5e-3}, 10, {}, 9);
  for (std::size_t i = 0; i < samples.size(); i += 8) {
    samples[i].flags |= TimedSample::kDisturbed;
    samples[i].seconds *= 10;
  }
  auto statistic = compute_statistic(two_arms(), samples);
  CHECK(statistic.dropped == 50);
  CHECK(decide(statistic) == Speed::kAmbiguous);
  CHECK(promotion_obstacle(two_arms(), statistic).find("disturbed") != std::string::npos);
  for (std::size_t i = 0; i < samples.size(); i += 16) samples[i].flags = 0;
  for (std::size_t i = 0; i < samples.size(); i += 16) samples[i].seconds /= 10;
  statistic = compute_statistic(two_arms(), samples);
  CHECK(statistic.dropped == 25);
  CHECK(decide(statistic) == Speed::kFast);
}

TEST_CASE("no samples, one round, all dropped: no decision and no crash") {
  CHECK(decide(compute_statistic(two_arms(), {})) == Speed::kAmbiguous);
  auto one_round = samples_of({1e-3, 1.5e-3}, 1, {}, 2);
  (void)compute_statistic(two_arms(), one_round);
  for (TimedSample& sample : one_round) sample.flags |= TimedSample::kDisturbed;
  CHECK(decide(compute_statistic(two_arms(), one_round)) == Speed::kAmbiguous);
}

TEST_CASE("equal samples give equal statistics") {
  const auto samples = samples_of({1e-3, 1.1e-3}, 12, {}, 4);
  CHECK(to_json(two_arms(), compute_statistic(two_arms(), samples)) ==
        to_json(two_arms(), compute_statistic(two_arms(), samples)));
}

TEST_CASE("sampling ends: by width, by rounds, by time, and never before the least rounds") {
  const StopRule rule;
  CHECK(rule.stop(9, 0, 1e9).empty());
  CHECK(!rule.stop(10, 0.01, 0).empty());
  CHECK(rule.stop(10, 0.5, 0).empty());
  CHECK(!rule.stop(10, 0.5, 301).empty());
  // Whatever the width does: NaN, infinity, a number that never narrows.
  for (const double width : {0.021, 1.0, std::nan(""), HUGE_VAL}) {
    int rounds = 0;
    while (rule.stop(rounds, width, 0).empty()) ++rounds;
    CHECK(rounds == rule.most_rounds);
  }
}

TEST_CASE("samples and plans come back from their files as they were") {
  auto samples = samples_of({1e-3, 1.1e-3}, 3, {}, 6);
  samples[5].flags = TimedSample::kHot | TimedSample::kDisturbed;
  const std::string bytes = write_samples(samples);
  CHECK(bytes.size() == 4 + 32 * samples.size());
  const auto back = read_samples(bytes, "samples.bin", two_arms());
  REQUIRE(back);
  CHECK(write_samples(*back) == bytes);
  CHECK((*back)[5].hot());
  CHECK(std::fabs((*back)[7].seconds - samples[7].seconds) < 1e-9);
  const TimingPlan plan{{arm("candidate"), {"openblas", true, "it is not installed"}},
                        {{"m=1 n=2", 3, 1e6, 2e6}}};
  const auto again = read_timing_plan(to_json(plan));
  REQUIRE(again);
  CHECK(to_json(*again) == to_json(plan));
}

TEST_CASE("what is no file of samples is said to be none") {
  const std::string good = write_samples(samples_of({1e-3, 1.1e-3}, 1, {}, 6));
  CHECK(!read_samples("", "f", two_arms()));
  CHECK(!read_samples("TPS2", "f", two_arms()));
  CHECK(!read_samples(good.substr(0, good.size() - 1), "f", two_arms()));
  const auto with = [&](std::size_t at, char byte) {
    std::string bytes = good;
    bytes[4 + at] = byte;
    return read_samples(bytes, "f", two_arms());
  };
  CHECK(with(0, 0));
  CHECK(!with(3, 1));   // a round beyond any
  CHECK(!with(8, 1));   // no such case
  CHECK(!with(10, 2));  // no such arm
  CHECK(!with(12, 4));  // no such flag
  CHECK(!with(14, 0));  // no calls
  CHECK(!read_timing_plan({}));
  CHECK(!read_timing_plan({{"arms", Json::array()}, {"cases", Json::array()}}));
  CHECK(!read_timing_plan({{"arms", 3}, {"cases", "x"}}));
}
