// Samples and statistics as files: binary for what is measured, JSON for what follows from it.
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include <tensorpath/harness/timing.h>

namespace tensorpath {
namespace {

constexpr std::string_view kMagic = "TPS1";
constexpr std::size_t kRecord = 32;
constexpr std::uint32_t kMostRounds = 10'000;

template <typename Word>
void put(std::string& to, Word word) {
  for (std::size_t i = 0; i < sizeof word; ++i) {
    to.push_back(static_cast<char>(static_cast<std::uint64_t>(word) >> (8 * i) & 0xFFU));
  }
}

template <typename Word>
Word take(std::string_view& from) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < sizeof(Word); ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << (8 * i);
  }
  from.remove_prefix(sizeof(Word));
  return static_cast<Word>(word);
}

std::uint64_t nanoseconds(double seconds) {
  return static_cast<std::uint64_t>(std::llround(seconds * 1e9));
}

Json interval_json(const Interval& interval) {
  if (interval.value <= 0) return nullptr;
  return {{"value", json_number(interval.value)},
          {"low", json_number(interval.low)},
          {"high", json_number(interval.high)}};
}

Json arm_json(const ArmStatistic& arm) {
  if (arm.samples == 0) return nullptr;
  return {{"samples", arm.samples},
          {"min_us", json_number(arm.min * 1e6)},
          {"mean_us", json_number(arm.mean * 1e6)},
          {"p50_us", json_number(arm.p50 * 1e6)},
          {"p95_us", json_number(arm.p95 * 1e6)},
          {"p99_us", json_number(arm.p99 * 1e6)},
          {"variance_us2", json_number(arm.variance * 1e12)}};
}

}  // namespace

std::string write_samples(const std::vector<TimedSample>& samples) {
  std::string out(kMagic);
  out.reserve(kMagic.size() + kRecord * samples.size());
  for (const TimedSample& sample : samples) {
    put(out, sample.round);
    put(out, sample.block);
    put(out, sample.one);
    put(out, sample.arm);
    put(out, sample.flags);
    put(out, sample.calls);
    put(out, nanoseconds(sample.seconds));
    put(out, nanoseconds(sample.stop_seconds));
  }
  return out;
}

Expected<std::vector<TimedSample>> read_samples(std::string_view bytes, const std::string& file,
                                                const TimingPlan& plan) {
  if (!bytes.starts_with(kMagic) || (bytes.size() - kMagic.size()) % kRecord != 0) {
    return fail_at({file, 0, 0}, "is no file of timed samples");
  }
  bytes.remove_prefix(kMagic.size());
  std::vector<TimedSample> samples;
  while (!bytes.empty()) {
    TimedSample sample;
    sample.round = take<std::uint32_t>(bytes);
    sample.block = take<std::uint32_t>(bytes);
    sample.one = take<std::uint16_t>(bytes);
    sample.arm = take<std::uint16_t>(bytes);
    sample.flags = take<std::uint16_t>(bytes);
    sample.calls = take<std::uint16_t>(bytes);
    // Divided, as std::chrono does: multiplied by 1e-9 a last bit differs, and with it a mean that
    // lies halfway between two printed numbers.
    sample.seconds = static_cast<double>(take<std::uint64_t>(bytes)) / 1e9;
    sample.stop_seconds = static_cast<double>(take<std::uint64_t>(bytes)) / 1e9;
    constexpr std::uint16_t kFlags = TimedSample::kHot | TimedSample::kDisturbed;
    if (sample.calls == 0 || sample.seconds <= 0 || (sample.flags & ~kFlags) != 0 ||
        sample.round >= kMostRounds || sample.one >= plan.cases.size() ||
        sample.arm >= plan.arms.size()) {
      return fail_at({file, 0, 0}, fmt::format("sample {} is none of this plan", samples.size()));
    }
    samples.push_back(sample);
  }
  return samples;
}

Json to_json(const TimingPlan& plan) {
  Json arms = Json::array();
  for (const TimedArm& arm : plan.arms) {
    Json entry = {{"name", arm.name}, {"denominator", arm.denominator}};
    if (!arm.absent.empty()) entry["absent"] = arm.absent;
    arms.push_back(std::move(entry));
  }
  Json cases = Json::array();
  for (const TimedCase& one : plan.cases) {
    cases.push_back(
        {{"case", one.name}, {"weight", one.weight}, {"bytes", one.bytes}, {"flops", one.flops}});
  }
  return {{"arms", arms}, {"cases", cases}};
}

Expected<TimingPlan> read_timing_plan(const Json& json) {
  TimingPlan plan;
  try {
    for (const Json& entry : json.at("arms")) {
      plan.arms.push_back({entry.at("name").get<std::string>(), entry.at("denominator").get<bool>(),
                           entry.value("absent", "")});
    }
    for (const Json& entry : json.at("cases")) {
      plan.cases.push_back({entry.at("case").get<std::string>(), entry.at("weight").get<double>(),
                            entry.at("bytes").get<double>(), entry.at("flops").get<double>()});
    }
  } catch (const Json::exception& error) {
    return fail(ExitCode::kUsage, fmt::format("no timing plan: {}", error.what()));
  }
  if (plan.arms.empty() || plan.cases.empty()) {
    return fail(ExitCode::kUsage, "no timing plan: it has no arms or no cases");
  }
  return plan;
}

Json to_json(const TimingPlan& plan, const TimingStatistic& statistic) {
  Json cases = Json::array();
  for (std::size_t i = 0; i < plan.cases.size(); ++i) {
    const CaseStatistic& one = statistic.cases[i];
    Json arms = Json::array();
    for (std::size_t arm = 0; arm < plan.arms.size(); ++arm) {
      Json entry = {{"arm", plan.arms[arm].name},
                    {"cold", arm_json(one.cold[arm])},
                    {"hot", arm_json(one.hot[arm])}};
      if (arm > 0) entry["ratio"] = interval_json(one.ratios[arm]);
      arms.push_back(std::move(entry));
    }
    cases.push_back(
        {{"case", plan.cases[i].name},
         {"weight", plan.cases[i].weight},
         {"strongest_baseline",
          one.strongest == 0 ? Json(nullptr)
                             : Json(plan.arms[static_cast<std::size_t>(one.strongest)].name)},
         {"ratio", interval_json(one.ratio)},
         {"arms", arms}});
  }
  return {{"decision", name_of(decide(statistic))},
          {"ratio", interval_json(statistic.ratio)},
          {"rounds", statistic.rounds},
          {"pairs", statistic.pairs},
          {"dropped_pairs", statistic.dropped},
          {"cases", cases}};
}

}  // namespace tensorpath
