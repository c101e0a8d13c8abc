#include "bench_arms.h"
#include "bench_device.h"
#include "bench_with.h"
#include "scratch.h"
#include "slot_contents.h"
#include "trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include <tensorpath/base/parallel.h>
#include <tensorpath/harness/bench.h>

namespace tensorpath {
namespace {

using Clock = std::chrono::steady_clock;

// A sample lasts at least this many exchanges and stops (timed_session.h): what both cost, and what
// a call could do behind its own word in that time, is 2% of it at most.
constexpr double kLeastExchanges = 50;
// A sample grows for a device's least number of slots up to this only: the flush alone makes it
// cold as well, and a slow call on little data would take seconds.
constexpr double kLongSample = 20e-3;
constexpr int kMostBases = 4;
constexpr int kProbes = 24;     // of the empty exchange
constexpr int kHotBlocks = 3;   // of each round
constexpr int kHotCalls = 256;  // at most, of one hot sample
// Timed calls whose outputs are checked: in ten rounds 120 on average, and fewer than 90 once in
// 100,000 runs.
constexpr int kChecksInRound = 12;  // of twenty blocks, on average
// A baseline this much slower than the fastest is no contender: one block in four has it.
constexpr double kContender = 2;
constexpr std::uint32_t kThinEvery = 4;
constexpr unsigned char kPoisons[2] = {0x5A, 0xFF};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return quantile(values, 0.5);
}

class Benchmark {
 public:
  Benchmark(const KernelTask& task, const BenchOptions& options,
            const BenchDefences& bench_defences, const Device& device, BenchDevice& timed,
            std::string scratch)
      : task_(task),
        options_(options),
        bench_defences_(bench_defences),
        device_(device),
        timed_(timed),
        scratch_(std::move(scratch)) {}

  Expected<BenchReport> run(const std::string& directory,
                            const std::vector<BaselineSource>& baselines) {
    const Clock::time_point start = Clock::now();
    const auto key = random_key();
    if (!key) return tl::unexpected(key.error());
    key_ = *key;
    if (Status added = add_arms(directory, baselines); !added) {
      return tl::unexpected(added.error());
    }
    if (Status planned = plan_cases(); !planned) return tl::unexpected(planned.error());
    report_.environment = timed_.environment();
    report_.method = timed_.method();
    if (report_.failure == Failure::kNone) {
      if (Status run = run_rounds(start); !run) return tl::unexpected(run.error());
    }
    timed_.complete(report_.environment);
    const TimingPlan plan = report_.timing.plan;
    report_.timing = judge_timing(plan, report_.samples, floors());
    report_.empty_call_us = median(empty_) * 1e6;
    report_.stop_us = median(stops_) * 1e6;
    report_.seconds = seconds_since(start);
    return std::move(report_);
  }

 private:
  // What a sample's last calls wrote may still lie in the cache.
  [[nodiscard]] double cached_bytes(std::size_t index, double cache_bytes) const {
    const std::vector<int>& slots = arms_.front()->slots;
    const double left = index < slots.size() ? cache_bytes / slots[index] : cache_bytes;
    return std::min(left, index < written_.size() ? written_[index] : 0);
  }

  std::vector<Roofline> floors() {
    std::vector<Roofline> out;
    const auto roof = timed_.roof(options_.ceilings, task_);
    const DataSheet* const sheet = timed_.data_sheet(options_.sheets);
    if (!roof && sheet == nullptr) return out;
    if (roof) report_.ceilings = roof->ceilings;
    if (sheet != nullptr) report_.sheet = sheet->name;
    for (std::size_t i = 0; i < report_.timing.plan.cases.size(); ++i) {
      const TimedCase& one = report_.timing.plan.cases[i];
      const double cached = cached_bytes(i, timed_.cache_bytes());
      Floors floors;
      if (roof) floors.measured_us = 1e6 * roof->floor_seconds(one.bytes, one.flops, cached);
      if (sheet != nullptr) {
        floors.physical_us =
            1e6 * sheet->floor_seconds(one.bytes - cached, one.flops, task_.domain.dtype);
      }
      out.emplace_back().floors = floors;
    }
    return out;
  }

  void say(const std::string& step) const {
    if (options_.on_step) options_.on_step(step);
  }

  Status add_arms(const std::string& directory, const std::vector<BaselineSource>& baselines) {
    auto made = make_arms({task_, options_, bench_defences_, defences_, device_,
                           static_cast<int>(timed_.cores().worker.size()), scratch_, &timed_},
                          directory, baselines);
    if (!made) return tl::unexpected(made.error());
    arms_ = std::move(*made);
    const Arm& candidate = *arms_.front();
    report_.candidate_digest = candidate.candidate.digest;
    report_.failure = candidate.built.refusal.failure;
    report_.detail = candidate.built.refusal.detail;
    for (const auto& arm : arms_) {
      report_.timing.plan.arms.push_back(
          {arm->name, arm->denominator && arm->absent.empty(), arm->absent});
      report_.toolchains.push_back(arm->built.toolchain);
    }
    return {};
  }

  Status plan_cases() {
    auto shapes = timed_shapes(*task_.op, task_.domain);
    if (!shapes) return tl::unexpected(shapes.error());
    for (WeightedShape& shape : *shapes) {
      Case one;
      one.id = static_cast<int>(cases_.size()) + 1;
      one.dims = std::move(shape.dims);
      const Symbols symbols = symbols_of(*task_.op, task_.domain, one);
      std::string name;
      for (const DimSpec& dim : task_.op->dims) {
        name += fmt::format("{}{}={}", name.empty() ? "" : " ", dim.name, one.dims.at(dim.name));
      }
      report_.timing.plan.cases.push_back(
          {name, shape.weight, static_cast<double>(task_.op->bytes.evaluate(symbols).value_or(0)),
           static_cast<double>(task_.op->flops.evaluate(symbols).value_or(0))});
      cases_.push_back(std::move(one));
    }
    return {};
  }

  Status run_rounds(Clock::time_point start) {
    for (int round = 0; report_.stop_reason.empty(); ++round) {
      if (Status begun = timed_.begin_round(); !begun) return begun;
      for (const auto& arm : arms_) {
        if (!arm->absent.empty()) continue;
        auto session = timed_.start(*arm->subject, arm->built);
        if (!session) return tl::unexpected(session.error());
        arm->session = std::move(*session);
      }
      // All start side by side, and nothing is timed while one of them does.
      for (const std::size_t at : present()) {
        if (Status settled = arms_[at]->session->settle(); !settled) return settled;
      }
      for (std::size_t i = 0; i < cases_.size(); ++i) {
        if (Status run = run_case(round, i); !run) return run;
        if (report_.failure != Failure::kNone) break;
      }
      parallel_for(std::ssize(arms_), [&](std::int64_t i) {
        Arm& arm = *arms_[static_cast<std::size_t>(i)];
        if (arm.session) (void)arm.session->finish();
        arm.session.reset();
      });
      timed_.end_round();
      if (report_.failure != Failure::kNone) return {};
      const bool enough = round + 1 >= options_.stop.least_rounds;
      const double width =
          enough ? compute_statistic(report_.timing.plan, report_.samples).ratio.width() : 1;
      say(fmt::format("round {}", round + 1));
      report_.stop_reason = options_.stop.stop(round + 1, width, seconds_since(start));
    }
    return {};
  }

  [[nodiscard]] std::vector<std::size_t> present() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < arms_.size(); ++i) {
      if (arms_[i]->session) out.push_back(i);
    }
    return out;
  }

  // How long a call takes and how long an exchange does, so how many calls make a sample. Once a
  // run: every round has the same batches.
  Status size_batches(std::size_t index, const SlotContents& contents,
                      const std::vector<CallSpec>& specs) {
    constexpr int kFew = 4;
    double exchange = 0;
    for (const std::size_t at : present()) {
      Arm& arm = *arms_[at];
      if (Status laid = lay_out(arm, contents, specs[at], kFew); !laid) return laid;
      // The exchange of a baseline: its word is believed here.
      for (int i = 0; at > 0 && i < kProbes; ++i) {
        auto span = arm.session->run({}, 0, task_.limits.call_s);
        if (!span) return tl::unexpected(span.error());
        empty_.push_back(span->seconds);
        stops_.push_back(span->stop_seconds);
      }
      std::vector<double> seconds;
      for (int i = 0; i < 3; ++i) {
        auto span =
            sample(arm, contents, specs[at], kFew, fmt::format("sizing {} {}", index, i), {});
        if (!span) return tl::unexpected(span.error());
        if (span->refusal.failure != Failure::kNone) return blame(at, span->refusal);
        seconds.push_back(span->seconds);
      }
      arm.per_call.push_back(*std::min_element(seconds.begin(), seconds.end()) / kFew);
    }
    exchange = median(empty_) + median(stops_);
    double bytes = 0;
    double written = 0;
    for (const CallBuffer& buffer : specs.front().buffers) {
      bytes += static_cast<double>(buffer.bytes);
      if (buffer.role == CallBuffer::Role::kOutput) written += static_cast<double>(buffer.bytes);
    }
    written_.push_back(written);
    const SlotLimits limits = timed_.slots(bytes);
    double fastest = 1e9;
    for (const std::size_t at : present()) {
      if (arms_[at]->denominator) fastest = std::min(fastest, arms_[at]->per_call.back());
    }
    for (const std::size_t at : present()) {
      Arm& arm = *arms_[at];
      const double rotated = std::min<double>(limits.least, kLongSample / arm.per_call.back());
      const double needed =
          std::ceil(std::max(rotated, kLeastExchanges * exchange / arm.per_call.back()));
      arm.slots.push_back(std::clamp(static_cast<int>(std::min(needed, 1e6)), 1, limits.most));
      arm.contender.push_back(at == 0 || arm.per_call.back() <= kContender * fastest);
    }
    return {};
  }

  Status lay_out(Arm& arm, const SlotContents& contents, const CallSpec& spec, int slots) {
    const auto laid = arm.session->lay_out(contents, spec, slots);
    if (!laid) return tl::unexpected(laid.error());
    if (laid->failure != Failure::kNone) {
      return fail(ExitCode::kEnvironment,
                  fmt::format("the worker of {} does not answer: {}", arm.name, laid->detail));
    }
    return {};
  }

  // The candidate's fault ends the run with a verdict; a baseline's is nobody's verdict.
  Status blame(std::size_t arm, const Refusal& refusal) {
    if (arm == 0) {
      report_.failure = refusal.failure;
      report_.detail = refusal.detail;
      return {};
    }
    return fail(ExitCode::kEnvironment, fmt::format("the baseline {} failed while it was timed: {}",
                                                    arms_[arm]->name, refusal.detail));
  }

  struct Hot {
    int calls = 0;  // 0: cold
  };

  // One sample of an arm: contents, flush, run.
  Expected<Span> sample(Arm& arm, const SlotContents& contents, const CallSpec& spec, int slots,
                        const std::string& label, Hot hot) {
    const Key key = derive_key(key_, label);
    Random random(derive_key(key, "order of " + arm.name));
    std::vector<std::uint16_t> order(static_cast<std::size_t>(hot.calls > 0 ? hot.calls : slots));
    const int written = hot.calls > 0 ? 1 : slots;
    if (hot.calls == 0) {
      std::iota(order.begin(), order.end(), std::uint16_t{0});
      for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(
            order[i - 1],
            order[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(i) - 1))]);
      }
    }
    poison_ = kPoisons[random.between(0, 1)];
    const auto filled = arm.session->write(contents, key, written, poison_);
    if (!filled) return tl::unexpected(filled.error());
    if (filled->failure != Failure::kNone) return Span{0, 0, false, *filled};
    if (hot.calls == 0) arm.session->flush(written);
    auto span =
        arm.session->run(order, random.bits(), spec.limit_s * static_cast<double>(order.size()));
    if (span && timed_.throttled()) span->disturbed = true;
    return span;
  }

  Status run_case(int round, std::size_t index) {
    Arm& first = *arms_.front();
    const Key round_key = derive_key(key_, fmt::format("round {}", round));
    std::vector<std::optional<SlotContents>> contents(arms_.size());
    // One set of contents; layouts differ where a candidate has a workspace of its own.
    auto drawn =
        SlotContents::draw(*first.subject, cases_[index],
                           derive_key(round_key, fmt::format("case {}", index)), kMostBases);
    if (!drawn) return tl::unexpected(drawn.error());
    std::vector<CallSpec> specs(arms_.size());
    for (const std::size_t at : present()) {
      auto spec = drawn->layout(*arms_[at]->subject);
      if (!spec) return tl::unexpected(spec.error());
      specs[at] = std::move(*spec);
    }
    if (round == 0) {
      if (Status sized = size_batches(index, *drawn, specs); !sized) return sized;
      if (report_.failure != Failure::kNone) return {};
    }
    for (const std::size_t at : present()) {
      if (Status laid = lay_out(*arms_[at], *drawn, specs[at], arms_[at]->slots[index]); !laid)
        return laid;
    }
    Random random(derive_key(round_key, fmt::format("arms {}", index)));
    const int warmups = options_.warmups;
    for (int block = -warmups; block < options_.blocks + kHotBlocks; ++block) {
      const bool hot = block >= options_.blocks;
      std::vector<std::size_t> turns = present();
      for (std::size_t i = turns.size(); i > 1; --i) {
        std::swap(
            turns[i - 1],
            turns[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(i) - 1))]);
      }
      for (const std::size_t at : turns) {
        Arm& arm = *arms_[at];
        const bool thin = !arm.contender[index] && !hot;
        if (thin && static_cast<std::uint32_t>(block + warmups) % kThinEvery != 0) continue;
        const std::string label = fmt::format("sample {} {} {}", round, index, block);
        const int slots = arm.slots[index];
        const Hot calls{hot ? std::min(kHotCalls, std::max(slots, 4)) : 0};
        auto span = sample(arm, *drawn, specs[at], slots, label, calls);
        if (!span) return tl::unexpected(span.error());
        if (span->refusal.failure != Failure::kNone) return blame(at, span->refusal);
        if (block < 0) continue;
        keep(round, index, block, at, *span, hot ? calls.calls : slots, hot);
        // Chosen after the time was taken.
        if (at != 0 || hot) continue;
        if (!bench_defences_.check_outputs ||
            random.between(0, options_.blocks - 1) >= kChecksInRound) {
          continue;
        }
        if (Status checked = check(*drawn, derive_key(key_, label),
                                   static_cast<int>(random.between(0, slots - 1)));
            !checked) {
          return checked;
        }
        if (report_.failure != Failure::kNone) return {};
      }
    }
    return {};
  }

  void keep(int round, std::size_t index, int block, std::size_t arm, const Span& span, int calls,
            bool hot) {
    TimedSample sample;
    sample.round = static_cast<std::uint32_t>(round);
    sample.block = static_cast<std::uint32_t>(block);
    sample.one = static_cast<std::uint16_t>(index);
    sample.arm = static_cast<std::uint16_t>(arm);
    sample.calls = static_cast<std::uint16_t>(calls);
    sample.seconds = span.seconds;
    sample.stop_seconds = span.stop_seconds;
    if (hot) sample.flags |= TimedSample::kHot;
    if (span.disturbed) sample.flags |= TimedSample::kDisturbed;
    report_.samples.push_back(sample);
    stops_.push_back(span.stop_seconds);
  }

  // The outputs of one timed call of the candidate, every element.
  Status check(const SlotContents& contents, const Key& key, int slot) {
    Arm& arm = *arms_.front();
    const CallResult result = arm.session->result(contents, key, slot);
    const auto trial = contents.trial(*arm.subject, key, slot);
    if (!trial) return tl::unexpected(trial.error());
    Placing placing;
    placing.poison = poison_;
    const auto judged = judge(*arm.subject, *trial, placing, result);
    if (!judged) return tl::unexpected(judged.error());
    ++report_.checked_calls;
    if (judged->refusal.failure != Failure::kNone) {
      report_.failure = judged->refusal.failure;
      report_.detail = "in a timed call: " + judged->refusal.detail;
    }
    return {};
  }

  const KernelTask& task_;
  const BenchOptions& options_;
  const BenchDefences& bench_defences_;
  const Device& device_;
  BenchDevice& timed_;
  std::string scratch_;
  Defences defences_;
  Key key_{};
  std::vector<Case> cases_;
  std::vector<std::unique_ptr<Arm>> arms_;
  std::vector<double> empty_, stops_;
  std::vector<double> written_;  // bytes of the outputs, by case
  unsigned char poison_ = 0;
  BenchReport report_;
};

}  // namespace

Expected<BenchReport> bench_with(const KernelTask& task, const std::string& candidate_directory,
                                 const std::vector<BaselineSource>& baselines,
                                 const BenchOptions& options, const BenchDefences& defences) {
  const auto device = make_device(task.device);
  if (!device) return tl::unexpected(device.error());
  const auto scratch = Scratch::make(options.scratch);
  if (!scratch) return tl::unexpected(scratch.error());
  const auto timed = make_bench_device(task.device, options);
  if (!timed) return tl::unexpected(timed.error());
  return Benchmark(task, options, defences, **device, **timed, scratch->path())
      .run(candidate_directory, baselines);
}

Expected<BenchReport> bench(const KernelTask& task, const std::string& candidate_directory,
                            const std::vector<BaselineSource>& baselines,
                            const BenchOptions& options) {
  return bench_with(task, candidate_directory, baselines, options, BenchDefences{});
}

}  // namespace tensorpath
