// Every bit pattern of every type of up to 16 bits, and fp32 and the integers at their edges.
#include "catch.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <tensorpath/ops/dtype.h>

using namespace tensorpath;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Signed floating types of up to 16 bits, whose patterns order like their numbers.
constexpr std::array<DType, 5> kSmallFloats = {DType::kFp16, DType::kBf16, DType::kFp8E4M3,
                                               DType::kFp8E5M2, DType::kFp4E2M1};

std::uint64_t patterns_of(DType dtype) { return std::uint64_t{1} << bits_of(dtype); }
std::uint64_t sign_of(DType dtype) { return patterns_of(dtype) / 2; }

// The patterns of the numbers from +0 to the largest: 0, 1, 2, ...
std::uint64_t finite_patterns(DType dtype) {
  std::uint64_t bits = 0;
  while (bits < sign_of(dtype) && std::isfinite(decode(dtype, bits))) ++bits;
  return bits;
}

// Collects what is wrong, so that a loop over 65,536 patterns makes one check.
struct Wrong {
  std::string first;
  int count = 0;
  void unless(bool right, const std::string& what) {
    if (right) return;
    if (count++ == 0) first = what;
  }
};
#define CHECK_NONE(wrong)                       \
  INFO((wrong).count << ": " << (wrong).first); \
  CHECK((wrong).count == 0)

}  // namespace

TEST_CASE("every pattern of the small types is what comes back from its number") {
  for (const std::string& name : dtype_names()) {
    const DType dtype = *dtype_of(name);
    if (bits_of(dtype) > 16) continue;
    INFO(name);
    Wrong wrong;
    for (std::uint64_t bits = 0; bits < patterns_of(dtype); ++bits) {
      const double value = decode(dtype, bits);
      const std::uint64_t back = encode(dtype, value);
      const std::string what = std::to_string(bits) + " became " + std::to_string(back);
      if (std::isnan(value)) {
        wrong.unless(std::isnan(decode(dtype, back)), what);
      } else {
        wrong.unless(back == bits, what);
      }
    }
    CHECK_NONE(wrong);
  }
}

TEST_CASE("bf16 is the upper half of fp32, fp16 follows IEEE 754") {
  Wrong wrong;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const float upper = std::bit_cast<float>(bits << 16);
    const double value = decode(DType::kBf16, bits);
    wrong.unless(std::isnan(upper) ? std::isnan(value) : value == static_cast<double>(upper),
                 std::to_string(bits));
    const std::uint32_t exponent = bits >> 10 & 31;
    const double fraction = bits & 1023;
    const double sign = bits >> 15 != 0 ? -1 : 1;
    const double half = decode(DType::kFp16, bits);
    if (exponent == 31) {
      wrong.unless(fraction == 0 ? half == sign * kInfinity : std::isnan(half),
                   std::to_string(bits));
    } else {
      const double expected = exponent == 0 ? fraction * 0x1p-24
                                            : (1 + fraction / 1024) * std::exp2(int(exponent) - 15);
      wrong.unless(half == sign * expected, std::to_string(bits));
    }
  }
  CHECK_NONE(wrong);
}

TEST_CASE("the 8-bit and 4-bit types hold the numbers of the OCP tables") {
  CHECK(decode(DType::kFp8E4M3, 0x7E) == 448);
  CHECK(std::isnan(decode(DType::kFp8E4M3, 0x7F)));
  CHECK(std::isnan(decode(DType::kFp8E4M3, 0xFF)));
  CHECK(decode(DType::kFp8E4M3, 0x78) == 256);  // the top exponent holds numbers
  CHECK(decode(DType::kFp8E4M3, 0x08) == 0x1p-6);
  CHECK(decode(DType::kFp8E4M3, 0x01) == 0x1p-9);
  CHECK(decode(DType::kFp8E5M2, 0x7B) == 57344);
  CHECK(decode(DType::kFp8E5M2, 0x7C) == kInfinity);
  CHECK(decode(DType::kFp8E5M2, 0xFC) == -kInfinity);
  CHECK(std::isnan(decode(DType::kFp8E5M2, 0x7D)));
  CHECK(decode(DType::kFp8E5M2, 0x04) == 0x1p-14);
  CHECK(decode(DType::kFp8E5M2, 0x01) == 0x1p-16);
  const std::vector<double> fp4 = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (std::uint64_t code = 0; code < 8; ++code) {
    CHECK(decode(DType::kFp4E2M1, code) == fp4[code]);
    CHECK(decode(DType::kFp4E2M1, code + 8) == -fp4[code]);
  }
  CHECK(decode(DType::kUe8m0, 127) == 1);
  CHECK(decode(DType::kUe8m0, 0) == 0x1p-127);
  CHECK(decode(DType::kUe8m0, 254) == 0x1p127);
  CHECK(std::isnan(decode(DType::kUe8m0, 255)));
}

TEST_CASE("between two numbers the nearer one is taken, in the middle the even one") {
  for (const DType dtype : kSmallFloats) {
    INFO(name_of(dtype));
    Wrong wrong;
    const std::uint64_t finite = finite_patterns(dtype);
    for (std::uint64_t low = 0; low + 1 < finite; ++low) {
      const double below = decode(dtype, low);
      const double above = decode(dtype, low + 1);
      const double middle = (below + above) / 2;
      const std::uint64_t even = low % 2 == 0 ? low : low + 1;
      for (const bool negative : {false, true}) {
        const double sign = negative ? -1 : 1;
        const std::uint64_t bit = negative ? sign_of(dtype) : 0;
        const std::string what = std::to_string(sign * middle);
        wrong.unless(encode(dtype, sign * middle) == (even | bit), what);
        wrong.unless(encode(dtype, sign * std::nextafter(middle, below)) == (low | bit), what);
        wrong.unless(encode(dtype, sign * std::nextafter(middle, above)) == ((low + 1) | bit),
                     what);
      }
    }
    CHECK_NONE(wrong);
  }
}

TEST_CASE("zeros keep their sign, what is below half the smallest number becomes one") {
  for (const DType dtype : kSmallFloats) {
    INFO(name_of(dtype));
    CHECK(encode(dtype, 0.0) == 0);
    CHECK(encode(dtype, -0.0) == sign_of(dtype));
    CHECK(std::signbit(decode(dtype, sign_of(dtype))));
    CHECK(encode(dtype, smallest_positive(dtype)) == 1);
    CHECK(encode(dtype, smallest_positive(dtype) / 2) == 0);
    CHECK(encode(dtype, std::numeric_limits<double>::denorm_min()) == 0);
    CHECK(encode(dtype, -std::numeric_limits<double>::denorm_min()) == sign_of(dtype));
  }
}

TEST_CASE("half an ulp past the largest number overflows: to infinity, to NaN, or not at all") {
  struct Edge {
    DType dtype;
    double largest;
    double tie;
    double at_tie;   // what the tie becomes
    double past_it;  // what lies beyond
  };
  const std::vector<Edge> edges = {
      {DType::kFp16, 65504, 65520, kInfinity, kInfinity},
      {DType::kBf16, 0x1.FEp127, 0x1.FFp127, kInfinity, kInfinity},
      {DType::kFp8E5M2, 57344, 61440, kInfinity, kInfinity},
      // 448 is even: the tie stays, and there is no infinity to go to.
      {DType::kFp8E4M3, 448, 464, 448, kNan},
      {DType::kFp4E2M1, 6, 7, 6, 6},
  };
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  for (const Edge& edge : edges) {
    INFO(name_of(edge.dtype));
    const auto rounded = [&](double value) {
      return decode(edge.dtype, encode(edge.dtype, value));
    };
    CHECK(largest_finite(edge.dtype) == edge.largest);
    for (const double sign : {1.0, -1.0}) {
      CHECK(rounded(sign * edge.largest) == sign * edge.largest);
      CHECK(rounded(sign * std::nextafter(edge.tie, 0)) == sign * edge.largest);
      CHECK(same(rounded(sign * edge.tie), sign * edge.at_tie));
      CHECK(same(rounded(sign * std::nextafter(edge.tie, kInfinity)), sign * edge.past_it));
      CHECK(same(rounded(sign * 1e300), sign * edge.past_it));
      CHECK(same(rounded(sign * kInfinity), sign * edge.past_it));
    }
    CHECK(has_infinity(edge.dtype) == std::isinf(edge.past_it));
    CHECK(same(rounded(kNan), has_nan(edge.dtype) ? kNan : 0));
  }
}

TEST_CASE("fp32 rounds like the processor does") {
  for (const double value : {1.0, 1 + 0x1p-24, 1 + 0x1.8p-23, 0x1.fffffefp127, 0x1p-149, 0x1p-150,
                             0x1.8p-150, -0.0, 1e300, -1e300, kInfinity}) {
    INFO(value);
    CHECK(encode(DType::kFp32, value) == std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  }
  CHECK(decode(DType::kFp32, encode(DType::kFp32, 0x1.ffffffp127)) == kInfinity);
  CHECK(std::isnan(decode(DType::kFp32, encode(DType::kFp32, kNan))));
  Wrong wrong;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 65521) {
    const double value = decode(DType::kFp32, bits);
    wrong.unless(std::isnan(value) || encode(DType::kFp32, value) == bits, std::to_string(bits));
  }
  CHECK_NONE(wrong);
}

TEST_CASE("integers round to even and saturate") {
  CHECK(encode(DType::kInt8, 2.5) == 2);
  CHECK(encode(DType::kInt8, 3.5) == 4);
  CHECK(decode(DType::kInt8, encode(DType::kInt8, -2.5)) == -2);
  struct Range {
    DType dtype;
    double least;
    double most;
  };
  for (const Range& range :
       {Range{DType::kInt4, -8, 7}, Range{DType::kUint4, 0, 15}, Range{DType::kInt8, -128, 127},
        Range{DType::kUint8, 0, 255}, Range{DType::kInt32, -2147483648.0, 2147483647},
        Range{DType::kInt64, -0x1p63, 0x1p63}}) {
    INFO(name_of(range.dtype));
    const auto stored = [&](double value) {
      return decode(range.dtype, encode(range.dtype, value));
    };
    CHECK(stored(range.most) == range.most);
    CHECK(stored(range.least) == range.least);
    for (const double more : {0.75, 1e6, 1e30, kInfinity}) {
      CHECK(stored(range.most + more) == range.most);
      CHECK(stored(range.least - more) == range.least);
    }
    CHECK(stored(kNan) == 0);
    CHECK_FALSE(has_infinity(range.dtype));
    CHECK_FALSE(is_floating(range.dtype));
  }
  CHECK(encode(DType::kInt64, 0x1p63) == 0x7FFFFFFFFFFFFFFFULL);
  CHECK(encode(DType::kInt32, -1) == 0xFFFFFFFFULL);
  CHECK(encode(DType::kInt4, -1) == 0xF);
}

TEST_CASE("a scale of MX is the power of two that is nearest") {
  const auto scale = [](double value) {
    return decode(DType::kUe8m0, encode(DType::kUe8m0, value));
  };
  for (int power = -127; power <= 127; ++power) {
    CHECK(scale(std::ldexp(1.0, power)) == std::ldexp(1.0, power));
  }
  // By distance and not by logarithm: 1.45 is nearer to 1.
  CHECK(scale(1.45) == 1);
  CHECK(scale(1.5) == 2);
  CHECK(scale(1.49999) == 1);
  CHECK(scale(0) == 0x1p-127);
  CHECK(scale(1e-300) == 0x1p-127);
  CHECK(scale(0x1.7p127) == 0x1p127);
  CHECK(std::isnan(scale(0x1.8p127)));
  CHECK(std::isnan(scale(kInfinity)));
  CHECK(std::isnan(scale(-1)));
  CHECK(std::isnan(scale(kNan)));
}

TEST_CASE("an ulp is the distance to the next number") {
  for (const DType dtype : kSmallFloats) {
    INFO(name_of(dtype));
    Wrong wrong;
    const std::uint64_t finite = finite_patterns(dtype);
    for (std::uint64_t bits = 0; bits + 1 < finite; ++bits) {
      const double value = decode(dtype, bits);
      const double distance = decode(dtype, bits + 1) - value;
      wrong.unless(ulp_at(dtype, value) == distance, std::to_string(value));
      wrong.unless(ulp_at(dtype, -value) == distance, std::to_string(-value));
    }
    CHECK_NONE(wrong);
    const double top = largest_finite(dtype) - decode(dtype, finite - 2);
    CHECK(ulp_at(dtype, largest_finite(dtype)) == top);
    CHECK(ulp_at(dtype, 1e300) == top);
    CHECK(ulp_at(dtype, kInfinity) == top);
  }
  CHECK(ulp_at(DType::kFp32, 1) == 0x1p-23);
  CHECK(ulp_at(DType::kFp32, 0) == 0x1p-149);
  CHECK(ulp_at(DType::kInt32, 1e6) == 1);
}

TEST_CASE("limits of a type are those of its patterns") {
  for (const DType dtype : kSmallFloats) {
    INFO(name_of(dtype));
    const std::uint64_t finite = finite_patterns(dtype);
    CHECK(smallest_positive(dtype) == decode(dtype, 1));
    CHECK(largest_finite(dtype) == decode(dtype, finite - 1));
    CHECK(unit_roundoff(dtype) == ulp_at(dtype, 1) / 2);
    // The first number whose distance to the next is that of its binade.
    CHECK(decode(dtype, encode(dtype, smallest_normal(dtype))) == smallest_normal(dtype));
    CHECK(ulp_at(dtype, smallest_normal(dtype)) == smallest_positive(dtype));
    CHECK(ulp_at(dtype, 2 * smallest_normal(dtype)) == 2 * smallest_positive(dtype));
  }
  CHECK(unit_roundoff(DType::kFp32) == 0x1p-24);
  CHECK(smallest_normal(DType::kFp32) == 0x1p-126);
  CHECK(largest_finite(DType::kFp32) == 0x1.fffffep127);
}

TEST_CASE("4-bit elements lie two to a byte, the low nibble first") {
  std::vector<unsigned char> storage = {0xAA, 0xAA};
  store_bits(DType::kInt4, storage.data(), 0, 0x3);
  CHECK(storage[0] == 0xA3);
  store_bits(DType::kInt4, storage.data(), 1, 0xC);
  CHECK(storage[0] == 0xC3);
  CHECK(storage[1] == 0xAA);
  store_bits(DType::kFp4E2M1, storage.data(), 2, 0xFF);  // only the low bits are its own
  CHECK(storage[1] == 0xAF);
  CHECK(load_bits(DType::kInt4, storage.data(), 1) == 0xC);
  CHECK(bytes_of(DType::kInt4, 3) == 2);
  CHECK(bytes_of(DType::kFp4E2M1, 4) == 2);
  CHECK(bytes_of(DType::kFp32, 3) == 12);
  CHECK(bytes_of(DType::kUe8m0, 3) == 3);
}

TEST_CASE("many at once is one after the other, at any address") {
  for (const std::string& name : dtype_names()) {
    INFO(name);
    const DType dtype = *dtype_of(name);
    std::vector<double> values;
    for (int i = -20; i <= 20; ++i) values.push_back(0.75 * i);
    const auto count = static_cast<std::int64_t>(values.size());
    std::vector<unsigned char> buffer(static_cast<std::size_t>(bytes_of(dtype, count)) + 1, 0x55);
    unsigned char* const odd = buffer.data() + 1;
    encode_all(dtype, values.data(), count, odd);
    CHECK(buffer.front() == 0x55);
    std::vector<double> back(values.size());
    decode_all(dtype, odd, count, back.data());
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double expected = decode(dtype, encode(dtype, values[at]));
      const bool same = back[at] == expected || (std::isnan(back[at]) && std::isnan(expected));
      CHECK(same);
      CHECK(load_bits(dtype, odd, i) == encode(dtype, values[at]));
    }
  }
}

TEST_CASE("a type is known by its name and by no other") {
  for (const std::string& name : dtype_names()) {
    REQUIRE(dtype_of(name));
    CHECK(name_of(*dtype_of(name)) == name);
  }
  for (const char* name : {"", "FP16", "float16", "fp8", "int", "fp16 "}) {
    INFO(name);
    CHECK_FALSE(dtype_of(name));
  }
}
