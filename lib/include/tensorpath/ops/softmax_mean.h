// Attention in an operator's reference: the mean of value rows weighted by the softmax of scores.
//   SoftmaxMean<Number> mean(call, "p");              // "p": the declared rounding of
//   probabilities for each key: mean.add(score, first element of its value row); mean.write(values,
//   head_dim, out, begin);
//
// The bound is not that of the operations one by one, which promises nothing once a score is off by
// a few units. However wrong the scores, the result stays a mean of the same rows:
//   o' - o = sum_i (p'_i - p_i) (v_i - o),
// where p'_i lies between the softmax with score i at its lowest and all others at their highest,
// and the reverse. Rounded probabilities, the sums and the rescaling of partial ones (online
// softmax, split-K: Milakov and Gimelshein 2018, arXiv:1805.02867) come on top.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <tensorpath/ops/reference.h>

namespace tensorpath::reference {

template <typename Number>
class SoftmaxMean;

template <>
class SoftmaxMean<Exact> {
 public:
  SoftmaxMean(const Call& call, const char* rounding) : call_(call), rounding_(rounding) {}

  void add(Exact score, std::int64_t row) {
    scores_.push_back(score);
    rows_.push_back(row);
  }

  void write(const Tensor& values, std::int64_t width, const Output& out,
             std::int64_t begin) const {
    double top = -kAny;
    bool nan = false;
    bool any = false;
    bool minus_infinity = false;
    for (const Exact& score : scores_) {
      nan = nan || std::isnan(score.value) || score.value == kAny;
      any = any || (score.error == kAny && std::isfinite(score.value));
      minus_infinity = minus_infinity || score.value == -kAny;
      top = std::fmax(top, score.value);
    }
    if (nan || any) {
      const Exact undefined{std::numeric_limits<double>::quiet_NaN(), nan ? 0 : kAny};
      for (std::int64_t d = 0; d < width; ++d) out.set(begin + d, undefined);
    } else if (top == -kAny) {
      // No key carries weight: kernels that guard exp(-inf + inf) write zeros.
      for (std::int64_t d = 0; d < width; ++d) out.set(begin + d, Exact{0, 0});
    } else if (minus_infinity) {
      // Such keys weigh nothing, whatever their values: kernels may leave them out.
      without_minus_infinity().write(values, width, out, begin);
    } else {
      write_mean(weigh(top), values.values, width, out, begin);
    }
    // Where a block or split holds nothing but -inf, kernels that do not guard it yield NaN, and so
    // do those that weigh an infinite value with zero.
    for (std::int64_t d = 0; minus_infinity && d < width; ++d) out.allow(begin + d, Output::kNan);
  }

 private:
  struct Weight {
    double probability = 0;
    double lowest = 0;    // of the perturbed softmax
    double change = 0;    // from the probability to the farther end
    double rounding = 0;  // of the probability to its declared type
    bool possible = false;
  };

  // log sum over all but one of exp(x), whatever the magnitudes.
  class SumOfOthers {
   public:
    explicit SumOfOthers(std::vector<double> exponents) : exponents_(std::move(exponents)) {
      top_ = static_cast<std::size_t>(std::max_element(exponents_.begin(), exponents_.end()) -
                                      exponents_.begin());
      for (std::size_t i = 0; i < exponents_.size(); ++i) {
        if (i != top_) second_ = std::fmax(second_, exponents_[i]);
        sum_ += relative(exponents_[i], exponents_[top_]);
      }
      for (std::size_t i = 0; i < exponents_.size(); ++i) {
        if (i != top_) sum_below_ += relative(exponents_[i], second_);
      }
    }
    [[nodiscard]] double without(std::size_t i) const {
      if (i == top_) return second_ + std::log(sum_below_);
      const double top = exponents_[top_];
      return top + std::log(std::fmax(sum_ - relative(exponents_[i], top), 1));
    }

   private:
    static double relative(double x, double top) { return top == -kAny ? 0 : std::exp(x - top); }

    std::vector<double> exponents_;
    std::size_t top_ = 0;
    double second_ = -kAny;
    double sum_ = 0;
    double sum_below_ = 0;
  };

  // How far the argument of a key's exp may be off: its score, the maximum taken from it, the scale
  // and log2(e) folded into one constant, exp itself, and the rescaling of partial sums by others.
  [[nodiscard]] double score_error(const Exact& score, double top) const {
    return score.error + 4 * kUnit * (std::fabs(score.value) + std::fabs(top)) +
           kExpUlp * 2 * kUnit + call_.accumulate_unit * sum_growth(count());
  }
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(scores_.size()); }

  [[nodiscard]] SoftmaxMean without_minus_infinity() const {
    SoftmaxMean rest(call_, rounding_);
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (scores_[i].value != -kAny) rest.add(scores_[i], rows_[i]);
    }
    return rest;
  }

  [[nodiscard]] std::vector<Weight> weigh(double top) const {
    const std::size_t n = scores_.size();
    std::vector<double> low(n);
    std::vector<double> high(n);
    std::vector<Weight> weights(n);
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double error = score_error(scores_[i], top);
      low[i] = scores_[i].value - error;
      high[i] = scores_[i].value + error;
      weights[i].probability = std::exp(scores_[i].value - top);
      sum += weights[i].probability;
    }
    const SumOfOthers lows(low);
    const SumOfOthers highs(high);
    for (std::size_t i = 0; i < n; ++i) {
      Weight& weight = weights[i];
      weight.probability /= sum;
      const double highest = 1 / (1 + std::exp(lows.without(i) - high[i]));
      weight.lowest = 1 / (1 + std::exp(highs.without(i) - low[i]));
      const double change =
          std::fmax(highest - weight.probability, weight.probability - weight.lowest);
      // Small weights may be flushed to zero.
      weight.change = std::fmax(change, 0) + kSmallestNormal;
      weight.possible = highest > 0;
      // Of one key alone, or beside others that vanish, the probability is 1: nothing rounds.
      if (weight.probability < 1 - kUnit) {
        const double rounding = call_.rounded(rounding_, Exact{weight.probability, 0}).error;
        weight.rounding = std::fmin(rounding, weight.probability);
      }
    }
    return weights;
  }

  struct Element {
    double value = 0;
    double magnitude = 0;
    double spread = 0;    // sum of change * |v - o|
    double farthest = 0;  // of the rows that may carry weight
    double rounding = 0;
  };

  void write_mean(const std::vector<Weight>& weights, const double* values, std::int64_t width,
                  const Output& out, std::int64_t begin) const {
    std::vector<Element> elements(static_cast<std::size_t>(width));
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double* row = values + rows_[i];
      for (Element& element : elements) {
        const double v = *row++;
        element.value += weights[i].probability * v;
        element.magnitude += weights[i].probability * std::fabs(v);
      }
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double* row = values + rows_[i];
      const Weight& weight = weights[i];
      for (Element& element : elements) {
        const double v = *row++;
        const double distance = std::fabs(v - element.value);
        element.spread += weight.change * distance;
        if (weight.possible) element.farthest = std::fmax(element.farthest, distance);
        // The divisor may be the sum of the rounded probabilities or of those before.
        element.rounding += weight.rounding * std::fmax(std::fabs(v), distance);
      }
    }
    const auto n = static_cast<double>(weights.size());
    // Each of the two sums grows by adding and by being rescaled.
    const double sums =
        n < 2 ? 0 : call_.accumulate_unit * 2 * sum_growth(count()) + 4 * kDivideUlp * kUnit;
    for (std::int64_t d = 0; d < width; ++d) {
      const Element& element = elements[static_cast<std::size_t>(d)];
      if (!std::isfinite(element.value)) {
        write_special(weights, values + d, out, begin + d);
        continue;
      }
      // Products may be flushed to zero, and denormal values be read as such.
      const bool moved = n < 2 && std::fabs(element.value) >= kSmallestNormal;
      const double flushed = moved ? 0 : (n + 1) * kSmallestNormal;
      out.set(begin + d,
              Exact{element.value, std::fmin(element.spread, element.farthest) + element.rounding +
                                       sums * (element.magnitude + std::fabs(element.value)) +
                                       flushed});
    }
  }

  // An element whose column holds NaN or infinities.
  void write_special(const std::vector<Weight>& weights, const double* column, const Output& out,
                     std::int64_t at) const {
    bool nan = false;
    bool vanishing = false;
    double infinity = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const double v = column[rows_[i]];
      if (std::isfinite(v)) continue;
      nan = nan || std::isnan(v) || infinity * v < 0;
      infinity = v;
      // A weight that a type on the way may round to zero: 0 * inf is NaN.
      vanishing = vanishing || weights[i].lowest < kUnit;
    }
    out.set(at, Exact{nan ? std::numeric_limits<double>::quiet_NaN() : infinity, 0});
    if (vanishing) out.allow(at, Output::kNan);
  }

  const Call& call_;
  const char* rounding_;
  std::vector<Exact> scores_;
  std::vector<std::int64_t> rows_;
};

template <>
class SoftmaxMean<Emulated> {
 public:
  SoftmaxMean(const Call& call, const char* rounding) : call_(call), rounding_(rounding) {}

  void add(Emulated score, std::int64_t row) {
    scores_.push_back(score);
    rows_.push_back(row);
  }

  void write(const Tensor& values, std::int64_t width, const Output& out,
             std::int64_t begin) const {
    Emulated top = scores_.front();
    for (const Emulated& score : scores_) top = maximum(top, score);
    std::vector<Emulated> weights;
    Sum<Emulated> total(call_);
    for (const Emulated& score : scores_) {
      weights.push_back(call_.rounded(rounding_, exp(score - top)));
      total.add(weights.back());
    }
    for (std::int64_t d = 0; d < width; ++d) {
      Sum<Emulated> sum(call_);
      for (std::size_t i = 0; i < weights.size(); ++i) {
        sum.add(weights[i] * values.at<Emulated>(rows_[i] + d));
      }
      out.set(begin + d, sum.total() / total.total());
    }
  }

 private:
  const Call& call_;
  const char* rounding_;
  std::vector<Emulated> scores_;
  std::vector<std::int64_t> rows_;
};

}  // namespace tensorpath::reference
