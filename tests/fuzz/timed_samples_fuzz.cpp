// read_samples and what is computed from them: whatever the bytes are, either an error or a
// statistic, and samples that were read are written back as they were.
#include <cstdint>
#include <cstdlib>

#include <tensorpath/harness/timing.h>

using namespace tensorpath;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  // A statistic over rounds is quadratic work for a fuzzer; a few samples show the same.
  if (size > 4 + 32 * 12) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const TimingPlan plan{{{"candidate", true, {}}, {"naive", true, {}}, {"tuned", true, {}}},
                        {{"n=1", 1, 0, 0}, {"n=2", 2, 0, 0}}};
  const auto samples = read_samples(text, "samples.bin", plan);
  if (!samples) return 0;
  for (const TimedSample& sample : *samples) {
    if (sample.round > 8) return 0;
  }
  if (write_samples(*samples).size() != size) std::abort();
  const TimingStatistic statistic = compute_statistic(plan, *samples);
  if (statistic.cases.size() != plan.cases.size()) std::abort();
  (void)to_json(plan, statistic);
  (void)decide(statistic);
  return 0;
}
