// The truth of a case, and the judgement of what a candidate wrote against it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/cases.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {

// Of one output, per element: the value, how far a legal implementation may be from it before it
// rounds to the output's type, and the classes (reference::Output::Class) legal besides its own.
struct OutputTruth {
  std::vector<double> values;
  std::vector<double> errors;
  std::vector<std::uint64_t> bits;  // rule bitwise only
  std::vector<unsigned char> legal;
};
using Truth = std::vector<OutputTruth>;  // as OperatorSpec::outputs

// What the reference says of the case; with an emulation, what a plain fp32 kernel would write
// (errors are zero then). Fails when the reference does not fit its operator's file.
[[nodiscard]] Expected<Truth> compute_truth(const OperatorSpec& spec, const Domain& domain,
                                            const Case& one, const CaseData& data,
                                            const reference::Emulation* emulation = nullptr);

// How one element is wrong.
enum class Wrong : std::uint8_t {
  kValue,   // finite, but too far off
  kClass,   // NaN, infinite or finite where another class was due
  kBits,    // moved data that differs
  kJudged,  // the operator's judge says so
};

struct Mismatch {
  int output = 0;
  std::int64_t index = 0;
  Wrong wrong = Wrong::kValue;
  double got = 0;
  double expected = 0;
  double allowed = 0;  // |got - expected| that would have passed
  double excess = 0;   // |got - expected| / allowed; infinite where that has no meaning
  std::string what;    // of a judge
};

// Buckets of |got - value| in ulps of the output's type: up to 0.5, 1, 2, 4, 16, more.
inline constexpr std::array<double, 5> kUlpEdges = {0.5, 1, 2, 4, 16};

struct ElementComparison {
  std::int64_t elements = 0;
  std::int64_t wrong = 0;
  std::int64_t untouched = 0;  // wrong ones that still hold the poison
  double worst = 0;            // largest excess, of right and wrong elements
  double worst_ulp = 0;        // over finite elements
  std::array<std::int64_t, kUlpEdges.size() + 1> ulp_histogram{};
  std::vector<Mismatch> mismatches;  // the first few of each output and the worst one, worst first

  [[nodiscard]] bool passed() const { return wrong == 0; }
  void merge(const ElementComparison& other);
};

// Every element of every output. `written` holds the candidate's bytes, read_storage() done;
// `poison` is what each byte held before the call.
[[nodiscard]] Expected<ElementComparison> compare(
    const OperatorSpec& spec, const Domain& domain, const Case& one, const CaseData& data,
    const Truth& truth, const std::vector<TensorData>& written,
    std::optional<unsigned char> poison = std::nullopt);

// A truth as bytes: what a candidate that computes it exactly would write.
[[nodiscard]] std::vector<TensorData> write_truth(const OperatorSpec& spec, const CaseData& data,
                                                  const Truth& truth);

}  // namespace tensorpath
