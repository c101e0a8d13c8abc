// The report of a benchmark, for scripts.
#include <tensorpath/harness/bench.h>

namespace tensorpath {

std::string BenchReport::obstacle() const {
  if (failure != Failure::kNone) return detail;
  return timing.obstacle();
}

Json BenchReport::to_json() const {
  Json json = tensorpath::to_json(timing);
  if (failure != Failure::kNone) {
    // Timings of a candidate that does not hold are nobody's.
    json["decision"] = nullptr;
    json["failure_class"] = name_of(failure);
    json["explanation"] = explain(failure);
    json["detail"] = detail;
  }
  json["ceilings"] = ceilings;
  if (!sheet.empty()) json["data_sheet"] = sheet;
  json["promotion"] = promotion_json(obstacle());
  json["plan"] = tensorpath::to_json(timing.plan);
  json["method"] = {
      {"pairing", "arms in random order within each block, in processes of their own"},
      {"statistic",
       "weighted geometric mean over cases of the median paired ratio to the "
       "strongest baseline; 95% interval by a bootstrap over rounds"},
      {"resamples", kResamples},
      {"contents", "made anew for each call"},
      {"stopped_because", stop_reason}};
  json["method"].update(method);
  json["checked_calls"] = checked_calls;
  json["empty_call_us"] = json_number(empty_call_us, 4);
  json["stop_us"] = json_number(stop_us, 4);
  Json compilers = Json::object();
  for (std::size_t i = 0; i < toolchains.size(); ++i) {
    if (!toolchains[i].empty()) compilers[timing.plan.arms[i].name] = toolchains[i];
  }
  json["toolchains"] = compilers;
  json["candidate_digest"] = candidate_digest;
  json["environment"] = environment;
  json["seconds"] = json_number(seconds, 4);
  return json;
}

}  // namespace tensorpath
