// What a reference is called with: tensors, dims and attributes, and where the truth goes.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include <tensorpath/ops/reference/number.h>

namespace tensorpath::reference {

// A rounding to another type on the way: rounds[i] of a call, declared in the operator's file.
struct Rounding {
  const char* name;
  double unit;             // unit roundoff of the type
  double smallest_normal;  // of the type
  double smallest_positive;
  double largest;

  // To nearest, ties to even; infinite past the largest.
  [[nodiscard]] double nearest(double value) const {
    if (!std::isfinite(value) || value == 0) return value;
    const double binade = std::ldexp(2 * unit, std::ilogb(value));
    const double quantum = std::fmax(binade, smallest_positive);
    const double result = std::nearbyint(value / quantum) * quantum;
    return std::fabs(result) > largest ? std::copysign(kAny, value) : result;
  }
};

// How an Emulated run sums: what kernels do, and what they must not.
struct Emulation {
  enum class Order {
    kForward,
    kBackward,
    kPairwise,
    kLanes
  };  // kLanes: 32 partial sums, then a tree
  Order order = Order::kForward;
  double accumulate_unit = kUnit;  // larger: each partial sum is rounded to that many bits
};

struct Tensor {
  const char* name;
  const double* values;       // size numbers; for judged outputs what the candidate wrote
  const std::uint64_t* bits;  // size bit patterns, as stored
  std::int64_t size;
  const std::int64_t* shape;
  int rank;

  [[nodiscard]] std::int64_t dim(int axis) const { return shape[axis < 0 ? rank + axis : axis]; }
  [[nodiscard]] double operator[](std::int64_t i) const { return values[i]; }
  [[nodiscard]] std::int64_t integer(std::int64_t i) const {
    return static_cast<std::int64_t>(values[i]);
  }
  template <typename Number>
  [[nodiscard]] Number at(std::int64_t i) const;
  // The same where a denormal is not read as zero, or the reference says what comes of that.
  template <typename Number>
  [[nodiscard]] Number unflushed(std::int64_t i) const;
  [[nodiscard]] bool is_denormal(std::int64_t i) const {
    return values[i] != 0 && std::fabs(values[i]) < kSmallestNormal;
  }
};
template <>
inline Exact Tensor::at<Exact>(std::int64_t i) const {
  const double magnitude = std::fabs(values[i]);
  // Denormal fp32 inputs may be read as zero.
  return {values[i], magnitude < kSmallestNormal ? magnitude : 0};
}
template <>
inline Emulated Tensor::at<Emulated>(std::int64_t i) const {
  return {static_cast<float>(values[i])};
}
template <>
inline Exact Tensor::unflushed<Exact>(std::int64_t i) const {
  return {values[i], 0};
}
template <>
inline Emulated Tensor::unflushed<Emulated>(std::int64_t i) const {
  return at<Emulated>(i);
}

// Where the truth of one output goes. Every element must be set.
struct Output {
  const char* name;
  double* values;
  double* errors;
  std::uint64_t* bits;   // of moved elements; null unless the output's rule is bitwise
  unsigned char* legal;  // allow(): classes that are legal besides the value's own
  std::int64_t size;
  const std::int64_t* shape;
  int rank;

  enum Class : unsigned char {
    kNan = 1,
    kPositiveInfinity = 2,
    kNegativeInfinity = 4,
    kFinite = 8
  };

  void set(std::int64_t i, Exact number) const {
    values[i] = number.value;
    errors[i] = number.error;
  }
  void set(std::int64_t i, Emulated number) const {
    values[i] = static_cast<double>(number.value);
    errors[i] = 0;
  }
  // An integer, exactly.
  void set_integer(std::int64_t i, std::int64_t number) const {
    values[i] = static_cast<double>(number);
    errors[i] = 0;
  }
  // Element j of `from`, bit for bit.
  void move(std::int64_t i, const Tensor& from, std::int64_t j) const {
    values[i] = from.values[j];
    errors[i] = 0;
    if (bits != nullptr) bits[i] = from.bits[j];
  }
  void allow(std::int64_t i, unsigned char classes) const { legal[i] |= classes; }
  // What another legal implementation makes of an element that is set: between two finite numbers
  // all is legal, of other classes either.
  void also(std::int64_t i, Exact number) const {
    const unsigned char set_class = class_of(values[i]);
    const unsigned char other = class_of(number.value);
    if (set_class == kFinite && other == kFinite) {
      errors[i] = std::fmax(errors[i], std::fabs(number.value - values[i]) + number.error);
    } else if (other == kFinite) {
      allow(i, set_class);
      set(i, number);
    } else {
      allow(i, other);
    }
  }
  void also(std::int64_t /*i*/, Emulated /*number*/) const {}

  static unsigned char class_of(double value) {
    if (std::isnan(value)) return kNan;
    if (std::isfinite(value)) return kFinite;
    return value > 0 ? kPositiveInfinity : kNegativeInfinity;
  }
};

struct NamedInteger {
  const char* name;
  std::int64_t value;
};
struct NamedNumber {
  const char* name;
  double value;
};

// What the judge of an output finds wrong (rules selection, sample and codes).
class Judgement {
 public:
  virtual ~Judgement() = default;
  // Element `index` of an output is not legal: what is wrong, what was expected, and how far off it
  // is in units of what is allowed (infinite when that has no meaning).
  virtual void reject(const char* output, std::int64_t index, const std::string& what,
                      double excess) = 0;
};

// One case: shapes, attributes, inputs, and where the outputs go.
struct Call {
  const NamedInteger* dims;
  int dim_count;
  const NamedNumber* attributes;
  int attribute_count;
  const Tensor* inputs;  // inout tensors are among them with their first contents
  int input_count;
  const Output* outputs;
  int output_count;
  const Rounding* roundings;
  int rounding_count;
  double accumulate_unit;      // of the type in which sums are declared to be kept
  const Emulation* emulation;  // null: exact
  // body(state, i) for each i < count, on all processors; null: one after the other.
  void (*parallel)(std::int64_t count, void (*body)(void* state, std::int64_t i), void* state);

  [[nodiscard]] std::int64_t dim(const char* name) const {
    return find(dims, dim_count, name).value;
  }
  [[nodiscard]] double attribute(const char* name) const {
    return find(attributes, attribute_count, name).value;
  }
  [[nodiscard]] const Tensor& input(const char* name) const {
    return find(inputs, input_count, name);
  }
  [[nodiscard]] const Output& output(const char* name) const {
    return find(outputs, output_count, name);
  }
  // body(i) for each i < count, in any order and at the same time: bodies set elements of their
  // own.
  template <typename Body>
  void for_each(std::int64_t count, Body body) const {
    if (parallel == nullptr) {
      for (std::int64_t i = 0; i < count; ++i) body(i);
    } else {
      parallel(
          count, [](void* state, std::int64_t i) { (*static_cast<Body*>(state))(i); }, &body);
    }
  }

  // The number after a declared intermediate rounding that an implementation may do or leave out.
  template <typename Number>
  [[nodiscard]] Number rounded(const char* name, Number number) const;
  // The number after a declared rounding, to nearest even, that is part of the definition.
  template <typename Number>
  [[nodiscard]] Number nearest(const char* name, Number number) const;

 private:
  template <typename Entry>
  static const Entry& find(const Entry* entries, int count, const char* name) {
    for (int i = 0; i < count; ++i) {
      if (std::strcmp(entries[i].name, name) == 0) return entries[i];
    }
    throw std::logic_error(std::string("the operator's file declares no '") + name + "'");
  }
};
template <>
inline Exact Call::rounded<Exact>(const char* name, Exact number) const {
  const Rounding& to = find(roundings, rounding_count, name);
  if (!std::isfinite(number.value)) return number;
  const double magnitude = std::fabs(number.value) + (number.error == kAny ? 0 : number.error);
  if (magnitude > to.largest) return {number.value, kAny};
  number.error += to.unit * magnitude;
  if (magnitude < to.smallest_normal) number.error += to.smallest_positive;
  return number;
}
template <>
inline Emulated Call::rounded<Emulated>(const char* /*name*/, Emulated number) const {
  return number;
}
template <>
inline Exact Call::nearest<Exact>(const char* name, Exact number) const {
  const Rounding& to = find(roundings, rounding_count, name);
  const double value = to.nearest(number.value);
  if (number.error == 0 || number.error == kAny || !std::isfinite(value)) {
    return {value, number.error};
  }
  // What is off by a little may round to a neighbour.
  const double half_ulp = std::fmax(to.unit * std::fabs(value), to.smallest_positive / 2);
  return {value, std::fabs(value - number.value) + number.error + half_ulp};
}
template <>
inline Emulated Call::nearest<Emulated>(const char* name, Emulated number) const {
  const Rounding& to = find(roundings, rounding_count, name);
  return {static_cast<float>(to.nearest(static_cast<double>(number.value)))};
}

}  // namespace tensorpath::reference
