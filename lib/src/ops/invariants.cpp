#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/ops/invariants.h>

namespace tensorpath {
namespace {

bool is_relation(const Invariant& invariant) {
  return invariant.rule == Invariant::Rule::kScale ||
         invariant.rule == Invariant::Rule::kPermuteRows;
}

std::string broken(const Invariant& invariant, const TensorData& tensor, const OutputTruth& truth) {
  for (std::int64_t row = 0; row < tensor.rows; ++row) {
    double sum = 0;
    double room = 0;
    std::vector<double> seen;
    for (std::int64_t i = 0; i < tensor.columns; ++i) {
      const auto at = static_cast<std::size_t>(row * tensor.columns + i);
      const double value = tensor.values[at];
      sum += value;
      room += truth.errors[at] + ulp_at(tensor.dtype, truth.values[at]) / 2;
      seen.push_back(value);
      const double slack = truth.errors[at];
      if (invariant.rule == Invariant::Rule::kRange && std::isfinite(value) &&
          (value < invariant.low - slack || value > invariant.high + slack)) {
        return fmt::format("{}: {} at row {}", invariant.name, value, row);
      }
    }
    if (invariant.rule == Invariant::Rule::kRowSum && std::isfinite(sum) &&
        std::fabs(sum - invariant.value) > room) {
      return fmt::format("{}: row {} sums to {}", invariant.name, row, sum);
    }
    if (invariant.rule == Invariant::Rule::kUniqueRows) {
      std::sort(seen.begin(), seen.end());
      if (std::adjacent_find(seen.begin(), seen.end()) != seen.end()) {
        return fmt::format("{}: row {} holds one twice", invariant.name, row);
      }
    }
  }
  return {};
}

// The position that turning a tensor by one along its first dim moves `index` to.
std::size_t turned(const TensorData& tensor, std::size_t index) {
  const auto size = static_cast<std::size_t>(tensor.size);
  const auto leading = static_cast<std::size_t>(tensor.shape.empty() ? 1 : tensor.shape.front());
  return (index + size / std::max<std::size_t>(leading, 1)) % size;
}

void write(TensorData& tensor, std::size_t index, std::uint64_t bits) {
  store_bits(tensor.dtype, tensor.storage.data(), tensor.place_of(static_cast<std::int64_t>(index)),
             bits);
}

// False when an element grows past the largest number.
bool transform(const Invariant& relation, TensorData& tensor) {
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    if (relation.rule == Invariant::Rule::kPermuteRows) {
      write(tensor, turned(tensor, i), tensor.bits[i]);
      continue;
    }
    const double scaled = tensor.values[i] * relation.by;
    if (std::isfinite(scaled) && std::fabs(scaled) > largest_finite(tensor.dtype)) return false;
    write(tensor, i, encode(tensor.dtype, scaled));
  }
  read_storage(tensor);
  return true;
}

// How far a legal result may be from the truth, rounding and flushing included.
double room(const TensorData& written, const OutputTruth& truth, std::size_t i) {
  const double magnitude = std::fabs(truth.values[i]) + truth.errors[i];
  const bool flushed = magnitude < smallest_normal(written.dtype);
  return truth.errors[i] + (flushed ? magnitude : ulp_at(written.dtype, magnitude) / 2);
}

}  // namespace

std::vector<std::string> broken_invariants(const OperatorSpec& spec, const Truth& truth,
                                           const std::vector<TensorData>& written) {
  std::vector<std::string> found;
  for (const Invariant& invariant : spec.invariants) {
    if (is_relation(invariant)) continue;
    for (std::size_t i = 0; i < written.size(); ++i) {
      if (written[i].name != invariant.output) continue;
      std::string what = broken(invariant, written[i], truth[i]);
      if (!what.empty()) found.push_back(std::move(what));
    }
  }
  return found;
}

bool has_relations(const OperatorSpec& spec) {
  return std::any_of(spec.invariants.begin(), spec.invariants.end(), is_relation);
}

std::vector<FollowUp> follow_ups(const OperatorSpec& spec, const CaseData& data) {
  std::vector<FollowUp> out;
  for (const Invariant& invariant : spec.invariants) {
    if (!is_relation(invariant)) continue;
    FollowUp next{&invariant, data};
    bool fits = true;
    // A tensor that is input and output at once is among the outputs.
    for (auto* tensors : {&next.data.inputs, &next.data.outputs}) {
      for (TensorData& tensor : *tensors) {
        const bool named = std::find(invariant.inputs.begin(), invariant.inputs.end(),
                                     tensor.name) != invariant.inputs.end();
        if (named) fits = transform(invariant, tensor) && fits;
      }
    }
    if (fits) out.push_back(std::move(next));
  }
  return out;
}

std::string broken_relation(const OperatorSpec& spec, const Invariant& relation,
                            const Results& first, const Results& follow_up) {
  for (std::size_t o = 0; o < spec.outputs.size(); ++o) {
    if (spec.outputs[o].name != relation.output) continue;
    const TensorData& a = first.written[o];
    const TensorData& b = follow_up.written[o];
    const bool turns = relation.rule == Invariant::Rule::kPermuteRows;
    const double factor = turns ? 1 : relation.value;
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      const std::size_t to = turns ? turned(a, i) : i;
      const double distance = std::fabs(b.values[to] - factor * a.values[i]);
      // NaN and infinities are the comparison's, which knows the legal classes.
      if (!std::isfinite(distance)) continue;
      const double allowed =
          room(b, follow_up.truth[o], to) + std::fabs(factor) * room(a, first.truth[o], i);
      if (distance > allowed) {
        return fmt::format("{}: off by {:.3g} times what is allowed", relation.name,
                           distance / allowed);
      }
    }
  }
  return {};
}

}  // namespace tensorpath
