// What an operator is: the contract that a candidate is held to. kernels/ops/<op>.yaml says what
// goes in and out, kernels/reference/<op>.cpp is its truth in float64; nothing else knows an
// operator by name. tensorpath-operator(5) documents each key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/ops/dtype.h>
#include <tensorpath/ops/expression.h>
#include <tensorpath/ops/reference.h>

namespace tensorpath {

// What an operator does to its data decides what may be asked of its results.
enum class OperatorKind : std::uint8_t { kArithmetic, kMoving, kSelecting, kSampling, kQuantising };

// How one output is compared, element by element, no share of them exempt.
enum class Rule : std::uint8_t {
  kBounded,    // |got - value| within the analysed error plus output rounding; classes must agree
  kBitwise,    // the moved bits, NaN payloads and signs of zero included
  kExact,      // the value, exactly; NaN for NaN (a maximum, an index)
  kSelection,  // the reference's judge: unique legal indices, ties in any order
  kSample,     // the judge: the uniform falls into the token's interval of the CDF
  kCodes,      // the judge: legal roundings under the candidate's own scale
};

// How an input is filled. Regimes (Regime, cases.h) apply to kValues and kWeight.
enum class Fill : std::uint8_t {
  kValues,       // real data
  kWeight,       // near one, never one
  kIndex,        // integers in [0, below), Zipf-distributed in half of the cases
  kUnique,       // distinct integers in [0, below), in random order
  kLength,       // integers in [1, below]
  kOffsets,      // n + 1 ascending integers from 0 to below: n groups, some of them empty
  kUniform,      // in [0, 1)
  kProbability,  // rows that sum to one
  kScale,        // positive, log-uniform over six binades around `around`
  kBits,         // any bit pattern of the type that is a finite number
};

struct DimSpec {
  std::string name;
  std::int64_t least = 1;
  std::int64_t most = 1;
  std::int64_t typical = 1;
  Expression multiple_of = Expression::constant(1);      // over the dims before it
  Expression at_most = Expression::constant(INT64_MAX);  // likewise
};

struct AttributeSpec {
  std::string name;
  bool integer = false;
  double standard = 0;          // the default
  std::vector<double> choices;  // what a task may fix it to; the default is among them
};

struct TensorSpec {
  std::string name;
  std::string dtype;  // "T" for the task's, or a type's name
  std::vector<Expression> shape;
  bool strided = false;          // rows (all but the last dim) may be further apart than a row
  bool element_aligned = false;  // may start at any element; else at a multiple of 16 bytes
  // Inputs:
  Fill fill = Fill::kValues;
  Expression below = Expression::constant(1);  // kIndex, kUnique, kLength, kOffsets
  double around = 1;                           // kScale
  double limit = 0;  // largest magnitude at which no legal fp32 accumulation overflows; 0: none
  bool positive = false;             // kValues: magnitudes only
  std::optional<std::int64_t> skip;  // kIndex, kUnique: sprinkled in (-1: no slot)
  bool is_static = false;            // weights: a plan may repack them beforehand
  bool specials = true;              // takes part in the regime of NaNs and infinities
  // Outputs:
  Rule rule = Rule::kBounded;
  bool inout = false;  // has contents before; what is not written must stay
};

// Something that must hold among a candidate's own results, whatever the truth.
struct Invariant {
  enum class Rule : std::uint8_t {
    kRowSum,       // each row of `output` sums to `value`
    kRange,        // each element lies in [low, high]
    kUniqueRows,   // the integers of a row are distinct
    kScale,        // `output` times `value` when `input` is multiplied by `by`, a power of two
    kPermuteRows,  // rows of `input` and its companions turned by one turn the rows of `output`
  };
  Rule rule = Rule::kRowSum;
  std::string name;
  std::string output;
  std::vector<std::string> inputs;
  double value = 1;
  double by = 1;
  double low = 0;
  double high = 0;
};

struct RoundingSpec {
  std::string name;
  std::string dtype;  // "T" or a type's name
};

struct OperatorSpec {
  std::string name;
  std::string summary;
  std::string family;  // elementwise, norm, reduction, matmul, attention, conv, move, select, quant
  std::string source;  // paper or definition
  std::string nan_rule;
  OperatorKind kind = OperatorKind::kArithmetic;
  std::vector<DType> dtypes;  // what T may be
  DType accumulate = DType::kFp32;
  std::vector<DimSpec> dims;
  std::vector<AttributeSpec> attributes;
  std::vector<TensorSpec> inputs;   // in the order of the arguments
  std::vector<TensorSpec> outputs;  // inout tensors are here only; the reference sees both sides
  std::vector<RoundingSpec> roundings;
  std::vector<Invariant> invariants;
  std::vector<std::string> regimes;  // names of regimes that do not apply are left out
  Expression reduction = Expression::constant(1);  // terms of the longest sum
  Expression flops = Expression::constant(0);
  Expression bytes = Expression::constant(0);  // each input read once, each output written once
  std::int64_t most_elements = 0;              // of one tensor of one case
  std::int64_t most_flops = 0;                 // of one case
  std::vector<Symbols> smoke;                  // dims of the public cases
  std::vector<std::pair<std::string, std::vector<std::string>>> baselines;  // by architecture
  std::vector<std::string> serves;  // parts of an engine step that are made of it

  std::string file;        // where its YAML came from
  std::string definition;  // that text
  std::string digest;  // SHA-256 of the YAML, the reference's source and the headers it includes
  const reference::Entry* reference = nullptr;

  [[nodiscard]] const DimSpec* find_dim(std::string_view name) const;
  [[nodiscard]] const TensorSpec* find_input(std::string_view name) const;
  [[nodiscard]] const TensorSpec* find_output(std::string_view name) const;
  [[nodiscard]] const AttributeSpec* find_attribute(std::string_view name) const;
  [[nodiscard]] DType dtype_of(const TensorSpec& tensor, DType t) const;
};

[[nodiscard]] std::string_view name_of(OperatorKind kind);
[[nodiscard]] std::string_view name_of(Rule rule);

// One operator from its YAML text. `source_digest` is the SHA-256 of its reference's source.
[[nodiscard]] Expected<OperatorSpec> read_operator(std::string_view yaml, const std::string& file,
                                                   const reference::Entry* reference,
                                                   std::string_view source_digest);
// The same in two steps, for a reference that is yet to be compiled.
[[nodiscard]] Expected<OperatorSpec> parse_operator(std::string_view yaml, const std::string& file);
[[nodiscard]] Status attach_reference(OperatorSpec& spec, const reference::Entry* reference,
                                      std::string_view source_digest);

// The built-in references, by operator name; null when there is none.
[[nodiscard]] const reference::Entry* find_reference(std::string_view name);
// SHA-256 of a built-in reference's source.
[[nodiscard]] std::string reference_digest(std::string_view name);

// A header that references include, as this library was built with it.
struct ReferenceHeader {
  std::string_view path;  // as it is included: "tensorpath/ops/reference.h"
  std::string_view text;
};
[[nodiscard]] const std::vector<ReferenceHeader>& reference_headers();
// Of all of them: each is part of every operator's definition.
[[nodiscard]] const std::string& reference_headers_digest();

// Every operator of the given directories (files <op>.yaml), sorted by name; of equal names the
// first directory wins.
class Operators {
 public:
  [[nodiscard]] static Expected<Operators> load(const std::vector<std::string>& directories);
  // Adds one that was compiled elsewhere (operator_directory.h); replaces an equal name.
  void add(OperatorSpec spec);
  // An unknown name is an error with the nearest right one.
  [[nodiscard]] Expected<const OperatorSpec*> find(std::string_view name) const;
  [[nodiscard]] const std::vector<OperatorSpec>& all() const { return specs_; }

 private:
  std::vector<OperatorSpec> specs_;
};

}  // namespace tensorpath
