#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <tensorpath/ops/invariants.h>
#include <tensorpath/ops/mutants.h>

namespace tensorpath {
namespace {

using Change = Mutant::Change;
using Emulation = reference::Emulation;

// What an input is when its values do not matter to the kernel that ignores it.
double neutral(const TensorSpec& spec, const TensorData& tensor, std::size_t index) {
  switch (spec.fill) {
    case Fill::kWeight:
    case Fill::kScale:
      return 1;
    case Fill::kUnique:
      return static_cast<double>(index);
    case Fill::kLength:
      return *std::max_element(tensor.values.begin(), tensor.values.end());
    case Fill::kOffsets:
      return std::floor(tensor.values.back() * static_cast<double>(index) /
                        static_cast<double>(std::max<std::size_t>(tensor.values.size() - 1, 1)));
    case Fill::kProbability:
      return 1.0 / static_cast<double>(tensor.columns);
    default:
      return 0;
  }
}

// The mutants of the second kind compute something else altogether.
Expected<Truth> recompute(const OperatorSpec& spec, const Domain& domain, const Case& one,
                          const CaseData& data, const Mutant& mutant) {
  if (mutant.change == Change::kCheaper) {
    const Emulation emulation{Emulation::Order::kForward, mutant.value};
    return compute_truth(spec, domain, one, data, &emulation);
  }
  if (mutant.change == Change::kAttribute) {
    Domain other = domain;
    for (auto& [name, value] : other.attributes) {
      if (name == mutant.subject) value = mutant.value;
    }
    return compute_truth(spec, other, one, data);
  }
  CaseData other = data;
  for (std::size_t i = 0; i < other.inputs.size(); ++i) {
    TensorData& input = other.inputs[i];
    if (input.name != mutant.subject) continue;
    for (std::size_t j = 0; j < input.values.size(); ++j) {
      input.values[j] = neutral(spec.inputs[i], input, j);
      input.bits[j] = encode(input.dtype, input.values[j]);
    }
  }
  return compute_truth(spec, domain, one, other);
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::isfinite(value) ? value : 0;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// The element whose truth the mutant writes at `i`; -1: a zero.
std::int64_t source_of(Change change, const TensorData& tensor, std::int64_t i) {
  const std::int64_t column = i % tensor.columns;
  switch (change) {
    case Change::kTruncated:
      return 2 * i < tensor.size ? i : -1;
    case Change::kTail:
      return column == tensor.columns - 1 ? -1 : i;
    case Change::kShifted:
      return (i + 1) % tensor.size;
    case Change::kSwapped: {
      const std::int64_t inner_rows =
          tensor.shape.size() > 1 ? tensor.shape[tensor.shape.size() - 2] : 1;
      const std::int64_t plane = inner_rows * tensor.columns;
      const std::int64_t within = i % plane;
      return i - within + within % inner_rows * tensor.columns + within / inner_rows;
    }
    default:
      return i;
  }
}

OutputTruth rearranged(Change change, const TensorData& tensor, const OutputTruth& truth) {
  OutputTruth out = truth;
  const double constant = change == Change::kMean       ? mean_of(truth.values)
                          : change == Change::kOnes     ? 1
                          : change == Change::kNoChoice ? -1
                                                        : 0;
  const bool flat = change == Change::kZeros || change == Change::kOnes ||
                    change == Change::kMean || change == Change::kNoChoice;
  for (std::int64_t i = 0; i < tensor.size; ++i) {
    const std::int64_t from = flat ? -1 : source_of(change, tensor, i);
    const auto to = static_cast<std::size_t>(i);
    const double value = from < 0 ? constant : truth.values[static_cast<std::size_t>(from)];
    out.values[to] = value;
    if (out.bits.empty()) continue;
    out.bits[to] =
        from < 0 ? encode(tensor.dtype, constant) : truth.bits[static_cast<std::size_t>(from)];
  }
  return out;
}

bool same_bytes(const std::vector<TensorData>& a, const std::vector<TensorData>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].bits != b[i].bits) return false;
  }
  return true;
}

constexpr Emulation::Order kOrders[] = {Emulation::Order::kForward, Emulation::Order::kBackward,
                                        Emulation::Order::kPairwise, Emulation::Order::kLanes};
constexpr std::string_view kOrderNames[] = {"first to last", "last to first", "pairwise",
                                            "in 32 lanes"};

// One case: which mutants it kills, which right results it refuses.
struct MutantTrial {
  const OperatorSpec& spec;
  const Domain& domain;
  const Case& one;
  CaseData data;
  Truth truth;

  Expected<bool> passes(const std::vector<TensorData>& written) const {
    const auto result = compare(spec, domain, one, data, truth, written);
    if (!result) return tl::unexpected(result.error());
    return result->passed() && broken_invariants(spec, truth, written).empty();
  }
};

Status try_orders(const MutantTrial& trial, MutationReport& report) {
  for (std::size_t i = 0; i < std::size(kOrders); ++i) {
    const Emulation emulation{kOrders[i], reference::kUnit};
    const auto values = compute_truth(trial.spec, trial.domain, trial.one, trial.data, &emulation);
    if (!values) return tl::unexpected(values.error());
    const auto passed = trial.passes(write_truth(trial.spec, trial.data, *values));
    if (!passed) return tl::unexpected(passed.error());
    if (!*passed) {
      report.wrongly_failed.push_back(fmt::format("fp32 sums {}: case {} ({})", kOrderNames[i],
                                                  trial.one.id, describe(trial.one)));
    }
  }
  return {};
}

}  // namespace

std::string describe(const Case& one) {
  std::string text;
  for (const auto& [name, value] : one.dims) text += fmt::format("{}={} ", name, value);
  if (!text.empty()) text.back() = ',';
  text += fmt::format(" {}", name_of(one.regime));
  if (one.strided) text += ", strided";
  if (one.offset) text += ", offset";
  if (one.zipf) text += ", zipf";
  return text;
}

std::vector<Mutant> mutants_of(const OperatorSpec& spec, const Domain& domain) {
  std::vector<Mutant> mutants = {
      {Change::kZeros, "writes zeros", {}, 0},
      {Change::kOnes, "writes ones", {}, 0},
      {Change::kMean, "writes the mean", {}, 0},
      {Change::kTruncated, "stops half way", {}, 0},
      {Change::kTail, "leaves out each row's last element", {}, 0},
      {Change::kShifted, "is off by one", {}, 0},
      {Change::kSwapped, "swaps the last two axes", {}, 0},
  };
  if (std::any_of(spec.outputs.begin(), spec.outputs.end(), [](const TensorSpec& output) {
        return output.rule == Rule::kSelection || output.rule == Rule::kSample;
      })) {
    mutants.push_back({Change::kNoChoice, "writes -1", {}, 0});
  }
  for (const TensorSpec& input : spec.inputs) {
    mutants.push_back({Change::kIgnored, "ignores " + input.name, input.name, 0});
  }
  for (const auto& [name, value] : domain.attributes) {
    for (const double other : spec.find_attribute(name)->choices) {
      if (other == value) continue;
      mutants.push_back({Change::kAttribute,
                         fmt::format("takes {} = {} for {}", name, value, other), name, other});
    }
  }
  if (spec.reduction.text() != "1") {
    mutants.push_back({Change::kCheaper, "accumulates in fp16", {}, unit_roundoff(DType::kFp16)});
    mutants.push_back({Change::kCheaper, "accumulates in bf16", {}, unit_roundoff(DType::kBf16)});
  }
  return mutants;
}

Expected<std::vector<TensorData>> write_mutant(const OperatorSpec& spec, const Domain& domain,
                                               const Case& one, const CaseData& data,
                                               const Truth& truth, const Mutant& mutant) {
  const bool other_values = mutant.change == Change::kIgnored ||
                            mutant.change == Change::kAttribute ||
                            mutant.change == Change::kCheaper;
  if (other_values) {
    const auto values = recompute(spec, domain, one, data, mutant);
    if (!values) return tl::unexpected(values.error());
    return write_truth(spec, data, *values);
  }
  Truth changed;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    changed.push_back(rearranged(mutant.change, data.outputs[i], truth[i]));
  }
  return write_truth(spec, data, changed);
}

Expected<MutationReport> check_mutants(const OperatorSpec& spec, const Domain& domain,
                                       const Key& seed, int count) {
  const auto cases = draw_cases(spec, domain, seed, count);
  if (!cases) return tl::unexpected(cases.error());
  MutationReport report;
  report.cases = static_cast<int>(cases->size());
  const std::vector<Mutant> mutants = mutants_of(spec, domain);
  for (const Mutant& mutant : mutants) report.mutants.push_back({mutant.name, 0, {}, true});
  for (const Case& one : *cases) {
    auto data = materialise(spec, domain, one);
    if (!data) return tl::unexpected(data.error());
    auto truth = compute_truth(spec, domain, one, *data);
    if (!truth) return tl::unexpected(truth.error());
    const MutantTrial trial{spec, domain, one, std::move(*data), std::move(*truth)};
    if (const Status tried = try_orders(trial, report); !tried)
      return tl::unexpected(tried.error());
    const std::vector<TensorData> right = write_truth(spec, trial.data, trial.truth);
    // A mutant that is dead already is tried again only to see whether the case tells anything.
    bool useful = false;
    for (const bool again : {false, true}) {
      for (std::size_t i = 0; i < mutants.size(); ++i) {
        const bool dead = report.mutants[i].killed_by != 0;
        if (dead != again || (again && useful)) continue;
        const auto written = write_mutant(spec, domain, one, trial.data, trial.truth, mutants[i]);
        if (!written) return tl::unexpected(written.error());
        if (same_bytes(*written, right)) continue;
        MutantResult& result = report.mutants[i];
        result.equal = false;
        const auto passed = trial.passes(*written);
        if (!passed) return tl::unexpected(passed.error());
        if (*passed) continue;
        useful = true;
        if (again) continue;
        result.killed_by = one.id;
        result.case_text = describe(one);
      }
    }
    if (!useful) report.idle_cases.push_back(one.id);
  }
  return report;
}

}  // namespace tensorpath
