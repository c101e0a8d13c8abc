#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <tensorpath/ops/dtype.h>

namespace tensorpath {
namespace {

// A binary floating format: sign, exponent and fraction from the top bit down.
struct Float {
  int exponent_bits = 0;
  int fraction_bits = 0;
  bool infinity = false;  // IEEE: the top exponent holds infinities and NaNs
  bool nan = false;       // OCP E4M3: only the pattern of all ones is NaN
};

struct Format {
  DType dtype;
  std::string_view name;
  int bits;
  Float floating;  // exponent_bits 0: an integer
  bool is_signed;
};

constexpr std::array<Format, 13> kFormats = {{
    {DType::kFp32, "fp32", 32, {8, 23, true, true}, true},
    {DType::kFp16, "fp16", 16, {5, 10, true, true}, true},
    {DType::kBf16, "bf16", 16, {8, 7, true, true}, true},
    {DType::kFp8E4M3, "fp8_e4m3", 8, {4, 3, false, true}, true},
    {DType::kFp8E5M2, "fp8_e5m2", 8, {5, 2, true, true}, true},
    {DType::kFp4E2M1, "fp4_e2m1", 4, {2, 1, false, false}, true},
    {DType::kUe8m0, "ue8m0", 8, {8, 0, false, true}, false},
    {DType::kInt4, "int4", 4, {}, true},
    {DType::kUint4, "uint4", 4, {}, false},
    {DType::kInt8, "int8", 8, {}, true},
    {DType::kUint8, "uint8", 8, {}, false},
    {DType::kInt32, "int32", 32, {}, true},
    {DType::kInt64, "int64", 64, {}, true},
}};

constexpr const Format& format_of(DType dtype) { return kFormats[static_cast<std::size_t>(dtype)]; }

constexpr int bias_of(const Float& f) { return (1 << (f.exponent_bits - 1)) - 1; }

// The largest exponent field that holds numbers.
constexpr int top_exponent(const Float& f) { return (1 << f.exponent_bits) - (f.infinity ? 2 : 1); }

double largest_of(const Float& f) {
  const int exponent = top_exponent(f) - bias_of(f);
  // Without infinities the top binade holds numbers, but for NaN's all ones.
  const std::uint64_t lost = !f.infinity && f.nan ? 2 : 1;
  const double fraction = static_cast<double>((2ULL << f.fraction_bits) - lost);
  return std::ldexp(fraction, exponent - f.fraction_bits);
}

double decode_float(const Format& format, std::uint64_t bits) {
  const Float& f = format.floating;
  const std::uint64_t fraction = bits & ((1ULL << f.fraction_bits) - 1);
  const auto exponent =
      static_cast<int>((bits >> f.fraction_bits) & ((1ULL << f.exponent_bits) - 1));
  const double sign = ((bits >> (format.bits - 1)) & 1U) != 0U ? -1.0 : 1.0;
  const int top = (1 << f.exponent_bits) - 1;
  if (exponent == top && f.infinity) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == top && f.nan && fraction == (1ULL << f.fraction_bits) - 1) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) {
    return sign * std::ldexp(static_cast<double>(fraction), 1 - bias_of(f) - f.fraction_bits);
  }
  return sign * std::ldexp(static_cast<double>(fraction | (1ULL << f.fraction_bits)),
                           exponent - bias_of(f) - f.fraction_bits);
}

std::uint64_t nan_bits(const Float& f) {
  const std::uint64_t exponent = ((1ULL << f.exponent_bits) - 1) << f.fraction_bits;
  return f.infinity ? exponent | (1ULL << (f.fraction_bits - 1))
                    : exponent | ((1ULL << f.fraction_bits) - 1);
}

std::uint64_t encode_largest(const Float& f) {
  const std::uint64_t all_ones = (1ULL << (f.exponent_bits + f.fraction_bits)) - 1;
  if (f.infinity) return all_ones - (1ULL << f.fraction_bits);
  return f.nan ? all_ones - 1 : all_ones;
}

std::uint64_t encode_float(const Format& format, double value) {
  const Float& f = format.floating;
  const std::uint64_t sign = std::signbit(value) ? 1ULL << (format.bits - 1) : 0;
  const std::uint64_t infinity = ((1ULL << f.exponent_bits) - 1) << f.fraction_bits;
  if (std::isnan(value)) return f.nan ? nan_bits(f) : 0;
  const double largest = largest_of(f);
  const double magnitude = std::fabs(value);
  // Half an ulp beyond it is a tie, which goes to the even pattern: infinity after IEEE's odd last
  // one, but E4M3's 448 is even itself.
  const double tie = largest + std::ldexp(0.5, std::ilogb(largest) - f.fraction_bits);
  if (magnitude > tie || (magnitude == tie && f.infinity)) {
    if (f.infinity) return sign | infinity;
    return sign | (f.nan ? nan_bits(f) : encode_largest(f));
  }
  if (magnitude >= largest) return sign | encode_largest(f);
  const int smallest = 1 - bias_of(f);
  const int exponent = magnitude == 0 ? smallest : std::max(std::ilogb(magnitude), smallest);
  // Rounds in the current mode, to nearest even; both factors are exact.
  const double steps = std::nearbyint(std::ldexp(magnitude, f.fraction_bits - exponent));
  const auto fraction = static_cast<std::uint64_t>(steps);
  // A carry out of the fraction runs into the exponent, as it should.
  const std::uint64_t field =
      (static_cast<std::uint64_t>(exponent - smallest) << f.fraction_bits) + fraction;
  return sign | field;
}

// 2^(code - 127), or NaN.
double decode_ue8m0(std::uint64_t bits) {
  return bits == 255 ? std::numeric_limits<double>::quiet_NaN()
                     : std::ldexp(1.0, static_cast<int>(bits) - 127);
}

std::uint64_t encode_ue8m0(double value) {
  if (!(value >= 0) || std::isinf(value)) return 255;
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1), or 0
  const int code = (fraction < 0.75 ? exponent - 1 : exponent) + 127;
  return fraction == 0 ? 0 : static_cast<std::uint64_t>(std::clamp(code, 0, 255));
}

double largest_integer(const Format& format) {
  const int value_bits = format.bits - (format.is_signed ? 1 : 0);
  return std::ldexp(1.0, value_bits) - 1;
}

std::uint64_t mask_of(int bits) { return bits == 64 ? ~0ULL : (1ULL << bits) - 1; }

std::uint64_t encode_integer(const Format& format, double value) {
  if (std::isnan(value)) return 0;
  const double largest = largest_integer(format);
  const double smallest = format.is_signed ? -largest - 1 : 0;
  const double rounded = std::clamp(std::nearbyint(value), smallest, largest);
  // The double next to 2^63 is 2^63 itself, which the conversion does not take.
  const auto integer = rounded >= 0x1p63 ? std::numeric_limits<std::int64_t>::max()
                                         : static_cast<std::int64_t>(rounded);
  return static_cast<std::uint64_t>(integer) & mask_of(format.bits);
}

double decode_integer(const Format& format, std::uint64_t bits) {
  const bool negative = format.is_signed && ((bits >> (format.bits - 1)) & 1U) != 0U;
  if (!negative) return static_cast<double>(bits);
  return static_cast<double>(static_cast<std::int64_t>(bits | ~mask_of(format.bits)));
}

// A normal number of the type below its largest one: the bits of the double, rounded to nearest
// even; a carry out of the fraction runs into the exponent, as it should.
std::uint64_t encode_normal(const Format& format, double value) {
  constexpr int kFractionBits = 52;
  constexpr int kBias = 1023;
  const Float& f = format.floating;
  const auto bits = std::bit_cast<std::uint64_t>(std::fabs(value));
  const int dropped = kFractionBits - f.fraction_bits;
  const std::uint64_t half = (1ULL << (dropped - 1)) - 1;
  const std::uint64_t rounded = (bits + half + ((bits >> dropped) & 1U)) >> dropped;
  const auto rebias = static_cast<std::uint64_t>(kBias - bias_of(f)) << f.fraction_bits;
  const std::uint64_t sign = std::signbit(value) ? 1ULL << (format.bits - 1) : 0;
  return sign | (rounded - rebias);
}

struct Limits {
  double unit_roundoff;
  double smallest_normal;
  double smallest_positive;
  double largest;
};

Limits make_limits(const Format& format) {
  const Float& f = format.floating;
  if (format.dtype == DType::kUe8m0) return {0.5, 0x1p-127, 0x1p-127, 0x1p127};
  if (f.exponent_bits == 0) return {0.5, 1, 1, largest_integer(format)};
  return {std::ldexp(1.0, -f.fraction_bits - 1), std::ldexp(1.0, 1 - bias_of(f)),
          std::ldexp(1.0, 1 - bias_of(f) - f.fraction_bits), largest_of(f)};
}

// Asked for at every element of every comparison.
const Limits& limits_of(DType dtype) {
  static const auto table = [] {
    std::array<Limits, kFormats.size()> all{};
    for (const Format& format : kFormats) {
      all[static_cast<std::size_t>(format.dtype)] = make_limits(format);
    }
    return all;
  }();
  return table[static_cast<std::size_t>(dtype)];
}

// Types of up to 16 bits decode through a table: 65,536 entries at most, made on first use.
const std::vector<double>& decode_table(DType dtype) {
  static const auto tables = [] {
    std::array<std::vector<double>, kFormats.size()> all;
    for (const Format& format : kFormats) {
      if (format.bits > 16) continue;
      auto& table = all[static_cast<std::size_t>(format.dtype)];
      table.resize(std::size_t{1} << format.bits);
      for (std::size_t bits = 0; bits < table.size(); ++bits) {
        table[bits] = decode(format.dtype, bits);
      }
    }
    return all;
  }();
  return tables[static_cast<std::size_t>(dtype)];
}

template <typename Word>
Word word_at(const unsigned char* storage, std::int64_t index) {
  Word word{};
  std::memcpy(&word, storage + index * static_cast<std::int64_t>(sizeof(Word)), sizeof(Word));
  return word;
}

template <typename Word>
void set_word(unsigned char* storage, std::int64_t index, std::uint64_t bits) {
  const auto word = static_cast<Word>(bits);
  std::memcpy(storage + index * static_cast<std::int64_t>(sizeof(Word)), &word, sizeof(Word));
}

}  // namespace

std::string_view name_of(DType dtype) { return format_of(dtype).name; }

std::optional<DType> dtype_of(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return format.dtype;
  }
  return std::nullopt;
}

std::vector<std::string> dtype_names() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

int bits_of(DType dtype) { return format_of(dtype).bits; }
bool is_floating(DType dtype) { return format_of(dtype).floating.exponent_bits > 0; }

std::int64_t bytes_of(DType dtype, std::int64_t elements) {
  return (elements * bits_of(dtype) + 7) / 8;
}

double unit_roundoff(DType dtype) { return limits_of(dtype).unit_roundoff; }
double smallest_normal(DType dtype) { return limits_of(dtype).smallest_normal; }
double smallest_positive(DType dtype) { return limits_of(dtype).smallest_positive; }
double largest_finite(DType dtype) { return limits_of(dtype).largest; }
bool has_infinity(DType dtype) { return format_of(dtype).floating.infinity; }
bool has_nan(DType dtype) { return format_of(dtype).floating.nan; }

double ulp_at(DType dtype, double value) {
  if (!is_floating(dtype)) return 1;
  const Limits& limits = limits_of(dtype);
  const double magnitude = std::min(std::fabs(value), limits.largest);
  if (!(magnitude > limits.smallest_normal)) return limits.smallest_positive;
  // The power of two at or below it, scaled by the fraction's width: both are exact.
  const std::uint64_t power = std::bit_cast<std::uint64_t>(magnitude) & 0x7FF0000000000000ULL;
  return std::bit_cast<double>(power) * 2 * limits.unit_roundoff;
}

double decode(DType dtype, std::uint64_t bits) {
  if (dtype == DType::kFp32) return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  if (dtype == DType::kUe8m0) return decode_ue8m0(bits);
  const Format& format = format_of(dtype);
  return is_floating(dtype) ? decode_float(format, bits) : decode_integer(format, bits);
}

std::uint64_t encode(DType dtype, double value) {
  if (dtype == DType::kFp32) return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  if (dtype == DType::kUe8m0) return encode_ue8m0(value);
  const Format& format = format_of(dtype);
  if (!is_floating(dtype)) return encode_integer(format, value);
  const Limits& limits = limits_of(dtype);
  const double magnitude = std::fabs(value);
  // Almost all numbers; false for NaN.
  const bool ordinary = magnitude >= limits.smallest_normal && magnitude < limits.largest;
  return ordinary && format.bits < 64 ? encode_normal(format, value) : encode_float(format, value);
}

std::uint64_t load_bits(DType dtype, const unsigned char* storage, std::int64_t index) {
  switch (bits_of(dtype)) {
    case 4:
      return (storage[index / 2] >> (index % 2 == 0 ? 0 : 4)) & 0xFU;
    case 8:
      return storage[index];
    case 16:
      return word_at<std::uint16_t>(storage, index);
    case 32:
      return word_at<std::uint32_t>(storage, index);
    default:
      return word_at<std::uint64_t>(storage, index);
  }
}

void store_bits(DType dtype, unsigned char* storage, std::int64_t index, std::uint64_t bits) {
  switch (bits_of(dtype)) {
    case 4: {
      const int shift = index % 2 == 0 ? 0 : 4;
      unsigned char& byte = storage[index / 2];
      byte = static_cast<unsigned char>((byte & ~(0xFU << shift)) | ((bits & 0xFU) << shift));
      return;
    }
    case 8:
      storage[index] = static_cast<unsigned char>(bits);
      return;
    case 16:
      return set_word<std::uint16_t>(storage, index, bits);
    case 32:
      return set_word<std::uint32_t>(storage, index, bits);
    default:
      return set_word<std::uint64_t>(storage, index, bits);
  }
}

void decode_all(DType dtype, const unsigned char* storage, std::int64_t count, double* values) {
  if (dtype == DType::kFp32) {
    for (std::int64_t i = 0; i < count; ++i) values[i] = word_at<float>(storage, i);
    return;
  }
  if (bits_of(dtype) <= 16) {
    const double* table = decode_table(dtype).data();
    for (std::int64_t i = 0; i < count; ++i) values[i] = table[load_bits(dtype, storage, i)];
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) values[i] = decode(dtype, load_bits(dtype, storage, i));
}

void encode_all(DType dtype, const double* values, std::int64_t count, unsigned char* storage) {
  if (dtype == DType::kFp32) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(values[i]);
      std::memcpy(storage + i * static_cast<std::int64_t>(sizeof value), &value, sizeof value);
    }
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    store_bits(dtype, storage, i, encode(dtype, values[i]));
  }
}

}  // namespace tensorpath
