#include "pareto.h"

#include <algorithm>
#include <array>

namespace tensorpath::advise {
namespace {

constexpr std::array<double, 4> kLoadShares{1.0, 0.5, 0.25, 0.125};
// Points closer than 2% on both axes are one point to a reader.
constexpr double kSamePoint = 0.02;

struct Raw {
  ParetoPoint point;
  const Candidate* candidate = nullptr;
};

void add_points(const Question& question, const Evaluated& evaluated, std::vector<Raw>& out) {
  if (evaluated.candidate.disaggregated || evaluated.at_slo.load <= 0) return;
  const int gpus = evaluated.candidate.layout.gpus();
  const double usd_per_hour = evaluated.rate.usd_per_hour / std::max(1, evaluated.gpu_count) * gpus;
  for (const double share : kLoadShares) {
    const double load = evaluated.at_slo.load * share;
    if (!question.demand.open && load < 1) break;
    const Prediction at = share == 1.0
                              ? evaluated.at_slo.at
                              : predict(evaluated.compiled->step,
                                        operating_at(question.demand, evaluated.candidate, load));
    if (at.tpot_ms.p50 <= 0 || at.output_tok_s <= 0) continue;
    Raw raw;
    raw.point.tok_s_user = 1000 / at.tpot_ms.p50;
    raw.point.tok_s_gpu = at.output_tok_s / gpus;
    raw.point.usd_per_mtok_output = usd_per_hour / (at.output_tok_s * 3600 / 1e6);
    raw.candidate = &evaluated.candidate;
    out.push_back(raw);
  }
}

// Marks the points no other beats on both axes; `value` is to be maximised. Sorted by tok_s_user,
// falling.
template <typename Value>
void mark_front(std::vector<Raw>& points, Value value, bool ParetoPoint::*flag) {
  double best = -1e300;
  double last_user = 1e300;
  for (Raw& raw : points) {
    const double v = value(raw.point);
    const bool better = v > best;
    const bool apart = raw.point.tok_s_user < last_user * (1 - kSamePoint) ||
                       v > best + std::abs(best) * kSamePoint;
    if (!better) continue;
    best = v;
    if (!apart) continue;
    last_user = raw.point.tok_s_user;
    raw.point.*flag = true;
  }
}

}  // namespace

std::vector<ParetoPoint> pareto_front(const Question& question,
                                      const std::vector<Evaluated>& plans) {
  std::vector<Raw> points;
  points.reserve(plans.size() * kLoadShares.size());
  for (const Evaluated& evaluated : plans) add_points(question, evaluated, points);
  std::stable_sort(points.begin(), points.end(), [](const Raw& a, const Raw& b) {
    if (a.point.tok_s_user != b.point.tok_s_user) return a.point.tok_s_user > b.point.tok_s_user;
    return a.point.tok_s_gpu > b.point.tok_s_gpu;
  });
  mark_front(
      points, [](const ParetoPoint& p) { return p.tok_s_gpu; }, &ParetoPoint::on_throughput_front);
  mark_front(
      points, [](const ParetoPoint& p) { return -p.usd_per_mtok_output; },
      &ParetoPoint::on_cost_front);
  std::vector<ParetoPoint> front;
  for (Raw& raw : points) {
    if (!raw.point.on_throughput_front && !raw.point.on_cost_front) continue;
    raw.point.plan = short_name(*raw.candidate);
    front.push_back(raw.point);
  }
  return front;
}

}  // namespace tensorpath::advise
