#include "call.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <tensorpath/ops/truth.h>

namespace tensorpath {
namespace {

using Class = reference::Output::Class;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Enough to see a pattern (a tail, a row, a stripe), few enough to read.
constexpr std::size_t kMostMismatches = 64;

unsigned char class_of(double value) {
  if (std::isnan(value)) return Class::kNan;
  if (std::isinf(value)) return value > 0 ? Class::kPositiveInfinity : Class::kNegativeInfinity;
  return Class::kFinite;
}

// What one element may be.
struct Allowed {
  unsigned char classes = 0;
  double distance = 0;  // of a finite result from the value
};

// Results below the smallest normal may be flushed where the hardware's own flag does it: types
// with the exponent range of fp32.
bool may_flush(DType dtype) { return dtype == DType::kFp32 || dtype == DType::kBf16; }

Allowed allowed_of(DType dtype, double value, double error, unsigned char legal) {
  if (error == reference::kAny) {
    return {Class::kNan | Class::kPositiveInfinity | Class::kNegativeInfinity | Class::kFinite,
            kInfinity};
  }
  Allowed allowed{static_cast<unsigned char>(legal | class_of(value)), 0};
  // A reference that loses its own bound allows nothing: the mutation check then shows it.
  if (std::isnan(error)) return {0, 0};
  if (!std::isfinite(value)) return allowed;
  const double magnitude = std::fabs(value);
  const double half_ulp = ulp_at(dtype, magnitude + error) / 2;
  allowed.distance = error + half_ulp;
  if (may_flush(dtype) && magnitude - error < smallest_normal(dtype)) {
    allowed.distance = std::max(allowed.distance, magnitude + error);
  }
  if (!is_floating(dtype) || !has_infinity(dtype)) return allowed;
  const double largest = largest_finite(dtype);
  const double top_half_ulp = ulp_at(dtype, largest) / 2;
  const auto infinity = value < 0 ? Class::kNegativeInfinity : Class::kPositiveInfinity;
  // Overflow starts half an ulp above the largest number; half an ulp on either side is a draw.
  if (magnitude + error >= largest) allowed.classes |= infinity;
  if (magnitude - error > largest + 2 * top_half_ulp) {
    allowed.classes = static_cast<unsigned char>(allowed.classes & ~Class::kFinite);
  }
  return allowed;
}

class Comparer {
 public:
  Comparer(ElementComparison& out, const TensorData& written, int output,
           std::optional<unsigned char> poison)
      : out_(out), written_(written), output_(output), dtype_(written.dtype) {
    if (poison) {
      std::array<unsigned char, 8> bytes{};
      bytes.fill(*poison);
      poison_ = load_bits(dtype_, bytes.data(), 0);
    }
  }

  void bounded(const OutputTruth& truth) {
    for (std::size_t i = 0; i < written_.values.size(); ++i) {
      const double got = written_.values[i];
      const double value = truth.values[i];
      const Allowed allowed = allowed_of(dtype_, value, truth.errors[i], truth.legal[i]);
      if ((class_of(got) & allowed.classes) == 0) {
        reject(i, {output_, 0, Wrong::kClass, got, value, allowed.distance, kInfinity, {}});
        continue;
      }
      if (class_of(got) != Class::kFinite || class_of(value) != Class::kFinite) continue;
      const double distance = std::fabs(got - value);
      const double ulps = distance / ulp_at(dtype_, value);
      out_.worst_ulp = std::max(out_.worst_ulp, allowed.distance == kInfinity ? 0 : ulps);
      count_ulps(ulps);
      if (distance == 0 || allowed.distance == kInfinity) continue;
      const double excess = distance / allowed.distance;
      out_.worst = std::max(out_.worst, excess);
      if (!(excess <= 1)) {
        reject(i, {output_, 0, Wrong::kValue, got, value, allowed.distance, excess, {}});
      }
    }
  }

  void bitwise(const OutputTruth& truth) {
    for (std::size_t i = 0; i < written_.bits.size(); ++i) {
      if (written_.bits[i] == truth.bits[i]) {
        ++out_.ulp_histogram.front();
      } else {
        reject(i,
               {output_, 0, Wrong::kBits, written_.values[i], truth.values[i], 0, kInfinity, {}});
      }
    }
  }

  void exact(const OutputTruth& truth) {
    for (std::size_t i = 0; i < written_.values.size(); ++i) {
      const double got = written_.values[i];
      const double value = truth.values[i];
      const bool nan = std::isnan(got) && std::isnan(value);
      if (got == value || nan || (class_of(got) & truth.legal[i]) != 0) {
        ++out_.ulp_histogram.front();
      } else {
        const Wrong wrong = class_of(got) == class_of(value) ? Wrong::kValue : Wrong::kClass;
        reject(i, {output_, 0, wrong, got, value, 0, kInfinity, {}});
      }
    }
  }

  void reject(std::size_t i, Mismatch mismatch) {
    mismatch.index = static_cast<std::int64_t>(i);
    ++out_.wrong;
    if (poison_ && written_.bits[i] == *poison_) ++out_.untouched;
    out_.worst = std::max(out_.worst, mismatch.excess);
    if (kept_ < kMostMismatches) {
      ++kept_;
      out_.mismatches.push_back(std::move(mismatch));
    } else if (mismatch.excess > out_.mismatches.back().excess) {
      out_.mismatches.back() = std::move(mismatch);
    }
  }

 private:
  void count_ulps(double ulps) {
    const auto* const edge = std::lower_bound(kUlpEdges.begin(), kUlpEdges.end(), ulps);
    ++out_.ulp_histogram[static_cast<std::size_t>(edge - kUlpEdges.begin())];
  }

  ElementComparison& out_;
  const TensorData& written_;
  int output_;
  DType dtype_;
  std::optional<std::uint64_t> poison_;
  std::size_t kept_ = 0;
};

class JudgeSink : public reference::Judgement {
 public:
  JudgeSink(const std::vector<TensorData>& written, const Truth& truth,
            std::vector<Comparer>& comparers)
      : written_(written), truth_(truth), comparers_(comparers) {}

  void reject(const char* output, std::int64_t index, const std::string& what,
              double excess) override {
    for (std::size_t i = 0; i < written_.size(); ++i) {
      if (written_[i].name != output || index < 0 || index >= written_[i].size) continue;
      const auto at = static_cast<std::size_t>(index);
      comparers_[i].reject(at, {static_cast<int>(i), index, Wrong::kJudged, written_[i].values[at],
                                truth_[i].values[at], 0, excess, what});
      return;
    }
    throw std::logic_error(
        fmt::format("the judge rejects element {} of '{}', which is not there", index, output));
  }

 private:
  const std::vector<TensorData>& written_;
  const Truth& truth_;
  std::vector<Comparer>& comparers_;
};

bool is_judged(Rule rule) {
  return rule == Rule::kSelection || rule == Rule::kSample || rule == Rule::kCodes;
}

}  // namespace

void ElementComparison::merge(const ElementComparison& other) {
  elements += other.elements;
  wrong += other.wrong;
  untouched += other.untouched;
  worst = std::max(worst, other.worst);
  worst_ulp = std::max(worst_ulp, other.worst_ulp);
  for (std::size_t i = 0; i < ulp_histogram.size(); ++i) ulp_histogram[i] += other.ulp_histogram[i];
  mismatches.insert(mismatches.end(), other.mismatches.begin(), other.mismatches.end());
}

Expected<ElementComparison> compare(const OperatorSpec& spec, const Domain& domain, const Case& one,
                                    const CaseData& data, const Truth& truth,
                                    const std::vector<TensorData>& written,
                                    std::optional<unsigned char> poison) {
  ElementComparison result;
  std::vector<Comparer> comparers;
  bool judged = false;
  for (std::size_t i = 0; i < written.size(); ++i) {
    comparers.emplace_back(result, written[i], static_cast<int>(i), poison);
    result.elements += written[i].size;
    const Rule rule = spec.outputs[i].rule;
    judged = judged || is_judged(rule);
    if (rule == Rule::kBounded) comparers.back().bounded(truth[i]);
    if (rule == Rule::kBitwise) comparers.back().bitwise(truth[i]);
    if (rule == Rule::kExact) comparers.back().exact(truth[i]);
  }
  if (judged) {
    std::vector<reference::Tensor> views;
    for (const TensorData& tensor : written) views.push_back(view_of(tensor));
    const CallView view(spec, domain, one, data, nullptr, nullptr);
    JudgeSink sink(written, truth, comparers);
    try {
      spec.reference->judge(view.call(), views.data(), sink);
    } catch (const std::exception& mistake) {
      return fail(ExitCode::kUsage, fmt::format("the judge of {}: {}", spec.name, mistake.what()));
    }
  }
  std::stable_sort(result.mismatches.begin(), result.mismatches.end(),
                   [](const Mismatch& a, const Mismatch& b) { return a.excess > b.excess; });
  return result;
}

}  // namespace tensorpath
