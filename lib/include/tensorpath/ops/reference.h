// The language in which an operator's truth is written (kernels/reference/<op>.cpp).
//
// A reference is a function template over the kind of number it computes with:
//   template <typename Number> void rmsnorm(const Call& call) { ... }
//   TENSORPATH_REFERENCE(rmsnorm)
// With Exact it yields, for each element, the float64 value and how far from it a legal fp32
// implementation may be: a running error analysis (Wilkinson; Higham, "Accuracy and Stability of
// Numerical Algorithms", 2nd ed., section 3.3), each operation adding its own rounding. With
// Emulated the same text runs in fp32, in several summation orders and accumulation types; the
// harness proves itself with it (right orders pass, cheaper accumulations are caught).
//
// Everything here stands on the standard library alone, so that an operator from outside
// (--ops DIR) compiles against this one header. Tensors are row-major and contiguous here whatever
// their layout in the candidate's memory, and their elements are numbers whatever their type.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace tensorpath::reference {

// fp32, in which candidates compute between loading and storing.
inline constexpr double kUnit = 0x1p-24;             // unit roundoff
inline constexpr double kSmallestNormal = 0x1p-126;  // below it a result may be flushed to zero
inline constexpr double kLargest = 0x1.fffffep127;
inline constexpr double kAny = std::numeric_limits<double>::infinity();

// Budgets in units in the last place of fp32 (one ulp is at most 2 * kUnit relative), twice what
// CUDA's and glibc's fp32 functions are documented to reach, so that a reformulation has room.
inline constexpr double kDivideUlp = 2;  // a * (1 / b); IEEE division needs 0.5
inline constexpr double kRootUlp = 2;    // sqrt 1, rsqrt 2
inline constexpr double kExpUlp = 4;     // expf 2; exp2(x * log2(e)) adds its own term below
inline constexpr double kLogUlp = 4;     // logf 1
inline constexpr double kTanhUlp = 4;    // tanhf 2
inline constexpr double kErfUlp = 4;     // erff 2
inline constexpr double kTrigUlp = 4;    // sinf, cosf 2, on arguments that were reduced exactly

// A real number and a bound on |computed - value| over all legal implementations. An error of kAny:
// nothing is promised (an fp32 intermediate may have overflowed), any result is legal.
struct Exact {
  double value = 0;
  double error = 0;
};

// What a plain fp32 implementation computes.
struct Emulated {
  float value = 0;
};

// Too large for fp32 though every input was finite: computed, it is near the value or infinite. Of
// an unknown number (unknown()) nothing is promised, neither size nor sign.
inline bool overflowed(const Exact& a) { return a.error == kAny && std::fabs(a.value) > kLargest; }
inline Exact unknown(double value) { return {std::fabs(value) > kLargest ? 0 : value, kAny}; }
// Whether the number is known to a factor of two, and with that its sign.
inline bool is_near(double value, double error) { return error <= std::fabs(value) / 2; }
// A result past fp32's largest number. An infinity or a NaN is what it is, whatever error it
// inherits.
inline Exact unbounded(double value, double error) {
  if (!std::isfinite(value)) return error == kAny ? unknown(value) : Exact{value, 0};
  return is_near(value, error) ? Exact{value, kAny} : unknown(value);
}
// One fp32 rounding of an exact result with inherited error. Results that fp32 holds exactly do not
// round; small ones may be flushed.
inline Exact rounded(double value, double error) {
  const double magnitude = std::fabs(value);
  if (!(magnitude <= kLargest)) return unbounded(value, error);
  if (static_cast<double>(static_cast<float>(value)) != value) error += kUnit * magnitude;
  if (magnitude < kSmallestNormal && magnitude != 0) error += magnitude + 0x1p-150;
  return {value, error};
}
// The same with a budget of `ulp` units in the last place, exact or not.
inline Exact approximated(double value, double error, double ulp) {
  const double magnitude = std::fabs(value);
  if (!(magnitude <= kLargest)) return unbounded(value, error);
  error += ulp * 2 * kUnit * magnitude;
  if (magnitude < kSmallestNormal && magnitude != 0) error += magnitude + 0x1p-150;
  return {value, error};
}

// The last operation of a formula: an overflow there is the infinity that IEEE 754 gives, and no
// licence. Only where what went into it is known to better than 2^-10.
inline Exact settled(Exact a) {
  return overflowed(a) ? Exact{a.value, std::isinf(a.value) ? 0 : std::fabs(a.value) * 0x1p-10} : a;
}

// Whether it is known if the number is positive, negative, zero or NaN.
inline bool has_sign(const Exact& a) { return a.error == 0 || !(std::fabs(a.value) <= a.error); }

// A result of operands of which one overflowed or is unknown: past the largest number only where
// that is certain.
inline Exact unpromised(double value, bool certain) {
  return certain ? Exact{value, kAny} : unknown(value);
}

inline Exact operator-(Exact a) { return {-a.value, a.error}; }
inline Exact operator+(Exact a, Exact b) {
  const double value = a.value + b.value;
  if (a.error != kAny && b.error != kAny) return rounded(value, a.error + b.error);
  if (!overflowed(a)) std::swap(a, b);
  // An overflow stays one beside what is no more than half of it, and beside one of its own sign.
  const bool certain =
      overflowed(a) && (overflowed(b) ? std::signbit(a.value) == std::signbit(b.value)
                                      : is_near(a.value, std::fabs(b.value) + b.error));
  return unpromised(value, certain);
}
inline Exact operator-(Exact a, Exact b) { return a + -b; }
inline Exact operator*(Exact a, Exact b) {
  if (a.error == kAny || b.error == kAny) {
    const auto certain = [](const Exact& x) { return overflowed(x) || is_near(x.value, x.error); };
    return unpromised(a.value * b.value, certain(a) && certain(b));
  }
  // An infinite factor hides the other one's error, but for its sign.
  if (!std::isfinite(a.value) || !std::isfinite(b.value)) {
    const double value = a.value * b.value;
    return has_sign(a) && has_sign(b) ? Exact{value, 0} : unknown(value);
  }
  const auto part = [](double x, double e) { return e == 0 ? 0.0 : std::fabs(x) * e; };
  return rounded(a.value * b.value,
                 part(a.value, b.error) + part(b.value, a.error) + a.error * b.error);
}
inline Exact operator/(Exact a, Exact b) {
  const double value = a.value / b.value;
  // A divisor that may be infinite: anything between the quotient and zero.
  if (overflowed(b) && a.error != kAny) {
    return {value, std::fabs(value) + a.error / std::fabs(b.value) + 0x1p-150};
  }
  if (a.error == kAny || b.error == kAny) {
    return unpromised(value, overflowed(a) && is_near(b.value, b.error));
  }
  if (!std::isfinite(a.value)) return has_sign(b) ? Exact{value, 0} : unknown(value);
  const double room = std::fabs(b.value) - b.error;
  if (b.error > 0 && !(room > 0)) return unknown(value);
  double inherited = 0;
  if (a.error > 0 || b.error > 0) inherited = (a.error + std::fabs(value) * b.error) / room;
  if (std::isnan(inherited)) inherited = 0;
  // CUDA's div.approx gives zero for divisors past 2^126.
  if (std::fabs(b.value) > 0x1p126 && std::isfinite(value)) inherited += std::fabs(value);
  // The reciprocal of a power of two is exact.
  int exponent = 0;
  const bool exact = b.error == 0 && std::fabs(std::frexp(b.value, &exponent)) == 0.5;
  return exact ? rounded(value, inherited) : approximated(value, inherited, kDivideUlp);
}

inline Exact sqrt(Exact a) {
  const double value = std::sqrt(a.value);
  if (a.error == kAny) return {value, kAny};
  const double lower = std::sqrt(std::fmax(0.0, a.value - a.error));
  const double error =
      a.error == 0 ? 0 : std::fmax(std::sqrt(a.value + a.error) - value, value - lower);
  return approximated(value, error, kRootUlp);
}
inline Exact rsqrt(Exact a) {
  const double value = 1.0 / std::sqrt(a.value);
  if (overflowed(a)) return {value, value + kSmallestNormal};
  if (a.error == kAny) return unknown(value);
  const double room = a.value - a.error;
  if (a.error > 0 && !(room > 0)) return unknown(value);
  const double error = a.error == 0 ? 0 : 1.0 / std::sqrt(room) - value;
  return approximated(value, error, kRootUlp);
}
inline Exact exp(Exact a) {
  const double value = std::exp(a.value);
  if (overflowed(a) && a.value < 0) return {0, kSmallestNormal};
  if (a.error == kAny) return unpromised(value, overflowed(a));
  if (std::isinf(a.value) || std::isnan(a.value)) return {value, 0};
  // exp2(x * log2(e)) rounds its argument once or twice.
  const double argument = a.error + 2 * kUnit * std::fabs(a.value);
  if (value > kLargest) {
    // The power is known to a factor of two, or past the largest number at the least.
    constexpr double kTwofold = 0.69;
    constexpr double kLogLargest = 88.8;
    return unpromised(value, argument <= kTwofold || a.value - argument >= kLogLargest);
  }
  const double inherited =
      argument < 1 ? value * std::expm1(argument) : std::exp(a.value + argument) - value;
  return approximated(value, inherited, kExpUlp);
}
inline Exact log(Exact a) {
  const double value = std::log(a.value);
  if (a.error == kAny) return unknown(value);
  const double room = a.value - a.error;
  if (a.error > 0 && !(room > 0)) return unknown(value);
  return approximated(value, a.error == 0 ? 0 : a.error / room, kLogUlp);
}
inline Exact log1p(Exact a) {
  const double value = std::log1p(a.value);
  const double room = 1 + a.value - a.error;
  if (a.error == kAny || (a.error > 0 && !(room > 0))) return unknown(value);
  return approximated(value, a.error == 0 ? 0 : a.error / room, kLogUlp);
}
// tanh and erf flatten out: an error in the argument shrinks with the slope at the end of its
// interval that is nearest to zero. Far out every implementation yields one, which may be all the
// accuracy there is to 1 + tanh: there the error is what the true value lacks of one.
inline Exact tanh(Exact a) {
  const double value = std::tanh(a.value);
  if (overflowed(a)) return {value, 0};
  if (a.error == kAny) return {value, kAny};
  const double nearest = std::fmax(std::fabs(a.value) - a.error, 0);
  if (nearest >= 10) return {value, std::fmax(2 * std::exp(-2 * nearest), 1 - std::fabs(value))};
  const double slope = 1 / (std::cosh(nearest) * std::cosh(nearest));
  return approximated(value, std::fmin(slope * a.error, 2.0), kTanhUlp);
}
inline Exact erf(Exact a) {
  const double value = std::erf(a.value);
  if (overflowed(a)) return {value, 0};
  if (a.error == kAny) return {value, kAny};
  const double nearest = std::fmax(std::fabs(a.value) - a.error, 0);
  if (nearest >= 5) return {value, std::fmax(std::erfc(nearest), 1 - std::fabs(value))};
  const double slope = 1.1283791670955126 * std::exp(-nearest * nearest);
  return approximated(value, std::fmin(slope * a.error, 2.0), kErfUlp);
}
inline Exact sin(Exact a) { return {std::sin(a.value), a.error + kTrigUlp * 2 * kUnit}; }
inline Exact cos(Exact a) { return {std::cos(a.value), a.error + kTrigUlp * 2 * kUnit}; }
inline Exact abs(Exact a) { return {std::fabs(a.value), a.error}; }
// Of two numbers, a NaN wins (IEEE 754-2019 maximum; torch.maximum).
inline Exact maximum(Exact a, Exact b) {
  const double value = std::isnan(a.value) || std::isnan(b.value)
                           ? std::numeric_limits<double>::quiet_NaN()
                           : std::fmax(a.value, b.value);
  return {value, std::fmax(a.error, b.error)};
}
inline Exact minimum(Exact a, Exact b) { return -maximum(-a, -b); }

inline Emulated operator+(Emulated a, Emulated b) { return {a.value + b.value}; }
inline Emulated operator-(Emulated a, Emulated b) { return {a.value - b.value}; }
inline Emulated operator-(Emulated a) { return {-a.value}; }
inline Emulated operator*(Emulated a, Emulated b) { return {a.value * b.value}; }
inline Emulated operator/(Emulated a, Emulated b) { return {a.value / b.value}; }
inline Emulated sqrt(Emulated a) { return {std::sqrt(a.value)}; }
inline Emulated rsqrt(Emulated a) { return {1.0F / std::sqrt(a.value)}; }
inline Emulated exp(Emulated a) { return {std::exp(a.value)}; }
inline Emulated log(Emulated a) { return {std::log(a.value)}; }
inline Emulated log1p(Emulated a) { return {std::log1p(a.value)}; }
inline Emulated tanh(Emulated a) { return {std::tanh(a.value)}; }
inline Emulated erf(Emulated a) { return {std::erf(a.value)}; }
inline Emulated sin(Emulated a) { return {std::sin(a.value)}; }
inline Emulated cos(Emulated a) { return {std::cos(a.value)}; }
inline Emulated abs(Emulated a) { return {std::fabs(a.value)}; }
inline Emulated maximum(Emulated a, Emulated b) {
  return std::isnan(a.value) || std::isnan(b.value)
             ? Emulated{std::numeric_limits<float>::quiet_NaN()}
             : Emulated{std::fmax(a.value, b.value)};
}
inline Emulated minimum(Emulated a, Emulated b) { return -maximum(-a, -b); }
inline Emulated settled(Emulated a) { return a; }

// For terms in which an inherited error cancels to first order: the number without it, and it
// alone.
inline Exact without_error(Exact a) { return {a.value, 0}; }
inline Emulated without_error(Emulated a) { return a; }
inline Exact error_of(Exact a) { return {0, a.error}; }
inline Emulated error_of(Emulated /*a*/) { return {0}; }

// A constant of the formula, rounded to fp32 where that is inexact.
template <typename Number>
Number constant(double value);
template <>
inline Exact constant<Exact>(double value) {
  return rounded(value, 0);
}
template <>
inline Emulated constant<Emulated>(double value) {
  return {static_cast<float>(value)};
}

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
    if (term.error == 0 && term.value != 0 && std::isfinite(term.value)) {
      lowest_ = std::fmin(lowest_, lowest_bit(term.value));
    }
  }
  [[nodiscard]] Exact total() const {
    // Terms that are multiples of a power of two and small enough beside it sum without rounding,
    // in any order and grouping: such probes leave no room for a cheaper accumulation.
    const bool probe = error_ == 0 && magnitude_ <= lowest_ / unit_ && magnitude_ <= kLargest;
    return probe ? Exact{value_, 0} : inexact_total();
  }
  // Where the terms may be scaled or shifted on the way, as by Welford's running mean: no probe.
  [[nodiscard]] Exact inexact_total() const {
    if (!std::isfinite(value_)) return {value_, 0};
    if (magnitude_ > kLargest) {
      // Partial sums of either sign may overflow where the terms are not nearly all of one.
      return unpromised(value_, is_near(value_, magnitude_ - std::fabs(value_) + error_));
    }
    return {value_, error_ + unit_ * growth() * magnitude_ +
                        (std::fabs(value_) < kSmallestNormal ? kSmallestNormal : 0)};
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

// Sum over i < n of a[i * step_a] * b[i * step_b]: what matrix products are made of, and fast. A
// bias is one term more: it may be what the sum starts from as well as what is added last.
template <typename Number>
Number dot(const Call& call, const Tensor& a, std::int64_t begin_a, std::int64_t step_a,
           const Tensor& b, std::int64_t begin_b, std::int64_t step_b, std::int64_t n,
           const Number* bias = nullptr) {
  Sum<Number> sum(call);
  for (std::int64_t i = 0; i < n; ++i) {
    sum.add(a.at<Number>(begin_a + i * step_a) * b.at<Number>(begin_b + i * step_b));
  }
  if (bias != nullptr) sum.add(*bias);
  return sum.total();
}
template <>
inline Exact dot<Exact>(const Call& call, const Tensor& a, std::int64_t begin_a,
                        std::int64_t step_a, const Tensor& b, std::int64_t begin_b,
                        std::int64_t step_b, std::int64_t n, const Exact* bias) {
  const double* x = a.values + begin_a;
  const double* y = b.values + begin_b;
  double value = bias != nullptr ? bias->value : 0;
  double magnitude = std::fabs(value);
  // Then every partial sum is one, and small ones are exact.
  bool integers = value == std::nearbyint(value);
  for (std::int64_t i = 0; i < n; ++i) {
    const double product = x[i * step_a] * y[i * step_b];
    value += product;
    magnitude += std::fabs(product);
    integers = integers && product == std::nearbyint(product);
  }
  if (!std::isfinite(value)) return {value, 0};
  if (magnitude > kLargest) {
    return unpromised(value, is_near(value, magnitude - std::fabs(value)));
  }
  if (integers && magnitude <= 1 / call.accumulate_unit) return {value, 0};
  const std::int64_t terms = bias != nullptr ? n + 1 : n;
  return {value, (call.accumulate_unit * sum_growth(terms) + kUnit) * magnitude +
                     static_cast<double>(terms) * kSmallestNormal +
                     (bias != nullptr ? bias->error : 0)};
}

// What a reference file offers. The judge is null unless an output's rule asks for one.
struct Entry {
  const char* name;
  void (*truth)(const Call& call);
  void (*judge)(const Call& call, const Tensor* written, Judgement& judgement);
};

constexpr std::uint64_t layout_of(std::initializer_list<std::size_t> parts) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const std::size_t part : parts) hash = (hash ^ part) * 0x100000001b3U;
  return hash;
}
// What both sides of a call must agree on, so that an object that was compiled against another of
// these headers is refused, never misread. The first number grows with every change of meaning or
// order; sizes tell the rest.
inline constexpr std::uint64_t kLayout =
    layout_of({1, sizeof(Entry), sizeof(Call), sizeof(Tensor), sizeof(Output), sizeof(Rounding),
               sizeof(Emulation), sizeof(NamedInteger), sizeof(NamedNumber), sizeof(std::string)});

}  // namespace tensorpath::reference

// Written outside any namespace, after the reference's own.
// A template's name takes no parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
#define TENSORPATH_REFERENCE_ENTRY(op, judge_function)                                          \
  extern "C" __attribute__((visibility("default"))) const std::uint64_t tensorpath_layout_##op; \
  const std::uint64_t tensorpath_layout_##op = ::tensorpath::reference::kLayout;                \
  extern "C" __attribute__((visibility("default")))                                             \
  const ::tensorpath::reference::Entry tensorpath_reference_##op;                               \
  const ::tensorpath::reference::Entry tensorpath_reference_##op = {                            \
      #op,                                                                                      \
      [](const ::tensorpath::reference::Call& call) {                                           \
        call.emulation != nullptr ? op<::tensorpath::reference::Emulated>(call)                 \
                                  : op<::tensorpath::reference::Exact>(call);                   \
      },                                                                                        \
      judge_function};
#define TENSORPATH_REFERENCE(op) TENSORPATH_REFERENCE_ENTRY(op, nullptr)
#define TENSORPATH_REFERENCE_WITH_JUDGE(op, judge_function) \
  TENSORPATH_REFERENCE_ENTRY(op, judge_function)
// NOLINTEND(bugprone-macro-parentheses)
