// The cases a candidate is judged on: drawn from a secret seed inside the task's domain.
// A seed gives everything: shapes, layouts, contents. Sub-keys are one-way, so that knowing one
// case's contents tells nothing of another's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/base/json.h>
#include <tensorpath/base/random.h>
#include <tensorpath/ops/operator.h>

namespace tensorpath {

// What the contents are like.
enum class Regime : std::uint8_t {
  kNormal,    // standard normal
  kOffset,    // normal around 64: a variance by E[x^2] - E[x]^2 cancels
  kTiny,      // near the smallest normal number
  kDenormal,  // below it
  kHuge,      // near the largest number, or the operator's limit
  kMixed,     // exponents uniform over the type's range inside the limit
  kZeros,     // +0, -0 and a few ones
  kOutlier,   // normal, but one element in each row is 1,000 times larger
  kProbe,     // small integers: sums are exact in any order
  kSpecial,   // normal with NaN, +Inf and -Inf sprinkled in
};
[[nodiscard]] std::string_view name_of(Regime regime);
[[nodiscard]] std::vector<std::string> regime_names();

struct DimRange {
  std::string name;
  std::int64_t least = 1;
  std::int64_t most = 1;
  [[nodiscard]] bool fixed() const { return least == most; }
};

struct WeightedShape {
  Symbols dims;
  double weight = 1;
};

// Where a candidate must hold: what the author is told, and what a registry entry guards.
struct Domain {
  DType dtype = DType::kFp32;  // T
  std::vector<DimRange> dims;  // every dim of the operator, in its order
  std::vector<std::pair<std::string, double>> attributes;  // every attribute, in its order
  std::vector<WeightedShape> shapes;                       // of a real run; each is among the cases
};

// Dims as given (name -> fixed or range), the rest from the operator's typical values; every
// constraint of the operator is checked. Errors name the dim and the nearest right name.
[[nodiscard]] Expected<Domain> make_domain(
    const OperatorSpec& spec, DType dtype, const std::vector<DimRange>& given,
    const std::vector<std::pair<std::string, double>>& attributes,
    std::vector<WeightedShape> shapes = {});

struct Case {
  int id = 0;  // its place in the list, from 1
  Symbols dims;
  Regime regime = Regime::kNormal;
  bool strided = false;  // strided tensors get a longer row pitch, their padding NaN
  bool offset = false;   // element-aligned tensors start off a 16-byte boundary
  bool zipf = false;     // skewed indices
  Key key{};             // of its contents
};

// dims plus sizeof(T), strides ("<tensor>_stride", in elements) and sizes.
[[nodiscard]] Symbols symbols_of(const OperatorSpec& spec, const Domain& domain, const Case& one);

// At least `count` cases: every regime of the operator at every kind of shape (1, primes, off the
// vector width, the typical, the largest that fits), each captured shape, both layouts.
[[nodiscard]] Expected<std::vector<Case>> draw_cases(const OperatorSpec& spec, const Domain& domain,
                                                     const Key& seed, int count);
// The public ones, the same for everybody: the operator's smoke shapes inside the domain.
[[nodiscard]] Expected<std::vector<Case>> smoke_cases(const OperatorSpec& spec,
                                                      const Domain& domain);
// What a benchmark times: the shapes of a real run, else the one there is, else the least, the
// typical and the largest that can be checked.
[[nodiscard]] Expected<std::vector<WeightedShape>> timed_shapes(const OperatorSpec& spec,
                                                                const Domain& domain);
// Canonical text of a list: what a commitment binds.
[[nodiscard]] Json to_json(const std::vector<Case>& cases);

// One tensor as it lies in memory.
struct TensorData {
  std::string name;
  DType dtype = DType::kFp32;
  std::vector<std::int64_t> shape;
  std::int64_t rows = 1;  // product of all dims but the last
  std::int64_t columns = 1;
  std::int64_t pitch = 1;              // elements from a row to the next
  std::int64_t size = 1;               // rows * columns
  std::int64_t offset_elements = 0;    // of the first element past a 16-byte boundary
  std::vector<unsigned char> storage;  // (rows - 1) * pitch + columns elements, padding included
  std::vector<double> values;          // size numbers, row-major, contiguous
  std::vector<std::uint64_t> bits;     // likewise, as stored

  [[nodiscard]] std::int64_t storage_elements() const { return (rows - 1) * pitch + columns; }
  // Where in the storage element i of values and bits lies, in elements.
  [[nodiscard]] std::int64_t place_of(std::int64_t i) const {
    return i / columns * pitch + i % columns;
  }
};

// Sizes and layout of a tensor, without contents.
[[nodiscard]] Expected<TensorData> shape_tensor(const OperatorSpec& spec, const TensorSpec& tensor,
                                                const Domain& domain, const Case& one);
struct CaseData {
  std::vector<TensorData> inputs;  // as OperatorSpec::inputs
  std::vector<TensorData>
      outputs;  // as OperatorSpec::outputs; inout ones hold their first contents
};
[[nodiscard]] Expected<CaseData> materialise(const OperatorSpec& spec, const Domain& domain,
                                             const Case& one);
// Reads values and bits anew from the storage (of an output that a candidate wrote).
void read_storage(TensorData& tensor);

}  // namespace tensorpath
