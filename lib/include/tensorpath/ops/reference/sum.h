// Sums, and how far one may be off that was added up in any order.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <tensorpath/ops/reference/call.h>

namespace tensorpath::reference {

// Growth of the rounding error of a sum of n terms, over u times the sum of their magnitudes, in
// any order. Each addition is off by at most u times a partial sum: n - 1 is certain, but hides a
// cheaper type where sums are long. There it is a random walk (Higham and Mary 2019, "A New
// Approach to Probabilistic Rounding Error Analysis"): its standard deviation is sqrt(n / 3) at
// worst, with a large term first that lies just above a power of two. 4 sqrt(n) is seven of those;
// 2 sqrt(n) would refuse one in 2,000 of such elements, of which a case may hold hundreds.
// `squares` is the sum of the squared lengths of steps that go the same way, n where none do.
inline double sum_growth(std::int64_t terms, double squares) {
  if (terms < 2) return 0;
  const double certain = static_cast<double>(terms - 1);
  return std::fmax(2 * std::sqrt(squares), std::fmin(certain, 4 * std::sqrt(squares)));
}
inline double sum_growth(std::int64_t terms) {
  return sum_growth(terms, static_cast<double>(terms));
}

template <typename Number>
class Sum;

template <>
class Sum<Exact> {
 public:
  explicit Sum(const Call& call) : unit_(call.accumulate_unit) {}

  void add(Exact term) {
    value_ += term.value;
    magnitude_ += std::fabs(term.value);
    if (!overflowed(term)) error_ += term.error;
    if (term.value != 0) terms_.push_back(static_cast<float>(term.value));
    if (term.value != 0 && std::fabs(term.value) < kSmallestNormal / kUnit) ++small_;
    if (term.error == 0 && term.value != 0 && std::isfinite(term.value)) {
      lowest_ = std::fmin(lowest_, lowest_bit(term.value));
    }
  }
  [[nodiscard]] Exact total() const {
    // Terms that are multiples of a power of two and small enough beside it sum without rounding,
    // in any order and grouping: such probes leave no room for a cheaper accumulation.
    const bool probe =
        error_ == 0 && small_ == 0 && magnitude_ <= lowest_ / unit_ && magnitude_ <= kLargest;
    return probe ? Exact{value_, 0} : inexact_total();
  }
  // Where the terms may be scaled or shifted on the way, as by Welford's running mean: no probe.
  [[nodiscard]] Exact inexact_total() const {
    if (!std::isfinite(value_)) return {value_, 0};
    if (magnitude_ > kLargest) {
      // Partial sums of either sign may overflow where the terms are not nearly all of one.
      return unpromised(value_, is_near(value_, magnitude_ - std::fabs(value_) + error_));
    }
    return {value_,
            error_ + unit_ * growth() * magnitude_ + static_cast<double>(small_) * kSmallestNormal};
  }

 private:
  // A running sum rounds terms the same way each time where they are equal, or lost beside it:
  // together they are one step of the random walk, as long as there are many of them.
  [[nodiscard]] double growth() const {
    if (terms_.size() < 2) return 0;
    std::vector<float> sorted = terms_;
    std::sort(sorted.begin(), sorted.end());
    const auto alike = static_cast<float>(unit_ * magnitude_ / 4);
    double squares = 0;
    for (auto first = sorted.begin(); first != sorted.end();) {
      const auto last = std::upper_bound(first, sorted.end(), *first + alike);
      const auto count = static_cast<double>(last - first);
      squares += count * count;
      first = last;
    }
    return sum_growth(static_cast<std::int64_t>(terms_.size()), squares);
  }
  static double lowest_bit(double value) {
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(value), &exponent);
    const auto digits = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
    return std::ldexp(static_cast<double>(digits & (~digits + 1)), exponent - 53);
  }

  double unit_;
  double value_ = 0;
  double magnitude_ = 0;
  double error_ = 0;
  // Partial sums below the smallest normal may be flushed too, as a GPU's atomics do. Larger terms
  // are multiples of it, and so is what is left of them where they cancel.
  std::int64_t small_ = 0;
  double lowest_ = std::numeric_limits<double>::infinity();
  std::vector<float> terms_;
};

template <>
class Sum<Emulated> {
 public:
  explicit Sum(const Call& call, std::int64_t terms = 0) : emulation_(*call.emulation) {
    terms_.reserve(static_cast<std::size_t>(terms));
  }

  void add(Emulated term) { terms_.push_back(term.value); }
  [[nodiscard]] Emulated inexact_total() const { return total(); }
  [[nodiscard]] Emulated total() const {
    std::vector<float> terms = terms_;
    switch (emulation_.order) {
      case Emulation::Order::kBackward:
        return {forward(terms.rbegin(), terms.rend())};
      case Emulation::Order::kPairwise:
        return {pairwise(terms)};
      case Emulation::Order::kLanes: {
        std::vector<float> lanes(32, 0.0F);
        for (std::size_t i = 0; i < terms.size(); ++i) {
          lanes[i % 32] = kept(lanes[i % 32] + terms[i]);
        }
        return {pairwise(lanes)};
      }
      default:
        return {forward(terms.begin(), terms.end())};
    }
  }

 private:
  // A partial sum as the accumulation type keeps it.
  [[nodiscard]] float kept(float sum) const {
    if (emulation_.accumulate_unit <= kUnit || !std::isfinite(sum) || sum == 0) return sum;
    const double quantum =
        std::ldexp(2 * emulation_.accumulate_unit, std::ilogb(static_cast<double>(sum)));
    return static_cast<float>(std::nearbyint(static_cast<double>(sum) / quantum) * quantum);
  }
  template <typename Iterator>
  [[nodiscard]] float forward(Iterator begin, Iterator end) const {
    float sum = 0;
    for (; begin != end; ++begin) sum = kept(sum + *begin);
    return sum;
  }
  [[nodiscard]] float pairwise(std::vector<float> terms) const {
    if (terms.empty()) return 0;
    while (terms.size() > 1) {
      const std::size_t half = (terms.size() + 1) / 2;
      for (std::size_t i = 0; i + half < terms.size(); ++i)
        terms[i] = kept(terms[i] + terms[i + half]);
      terms.resize(half);
    }
    return terms.front();
  }

  Emulation emulation_;
  std::vector<float> terms_;
};

}  // namespace tensorpath::reference
